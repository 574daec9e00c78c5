"""The command `paddlex-triton`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from paddlex_triton.version import __version__

_MODULES = {
    "predict": "paddlex_triton.client.cli",
    "export": "paddlex_triton.export.cli",
    "models": "paddlex_triton.export.cli",
    "measure": "paddlex_triton.export.cli",
    "assemble": "paddlex_triton.server.host.cli",
    "serve": "paddlex_triton.server.host.cli",
    "serve-container": "paddlex_triton.server.host.cli",
    "gateway": "paddlex_triton.gateway.cli",
    "probe": "paddlex_triton.probe.cli",
    "get-pipeline-config": "paddlex_triton.pipeline_file.cli",
}

# 128 and the number of SIGINT.
_INTERRUPTED = 130


class _Commands(Mapping[str, Any]):
    """The commands by name; a command's module is imported when it is looked up, so that a client loads no server."""

    def __getitem__(self, name: str) -> Any:
        return _commands_of(_MODULES[name])[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


@cache
def _commands_of(module: str) -> Mapping[str, Any]:
    commands = typer.Typer()
    import_module(module).register(commands)
    return typer.main.get_group(commands).commands


class _Group(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()

    def invoke(self, ctx: Any) -> Any:
        """Run a command; Ctrl-C ends it with the status that shells expect, which click's own is not."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("Interrupted", err=True)
            raise typer.Exit(_INTERRUPTED) from None


app = typer.Typer(
    cls=_Group,
    help="PaddleX pipelines on NVIDIA Triton Inference Server.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


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
    from paddlex_triton.client.cli import paddlex_spelling
    from paddlex_triton.client.consoles import open_missing

    open_missing()
    # Letters that a console has not are escaped; as errors they would end the command.
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    app(args=paddlex_spelling(given), prog_name="paddlex-triton")


if __name__ == "__main__":
    main()
