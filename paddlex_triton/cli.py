"""The command `paddlex-triton`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import paddlex_triton.client.cli
import paddlex_triton.export.cli
import paddlex_triton.pipeline_file.cli
import paddlex_triton.server.host.cli
from paddlex_triton.version import __version__

app = typer.Typer(
    help="PaddleX pipelines on NVIDIA Triton Inference Server.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
paddlex_triton.client.cli.register(app)
paddlex_triton.export.cli.register(app)
paddlex_triton.server.host.cli.register(app)
paddlex_triton.pipeline_file.cli.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"paddlex-triton {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    app(args=paddlex_triton.client.cli.paddlex_spelling(given), prog_name="paddlex-triton")


if __name__ == "__main__":
    main()
