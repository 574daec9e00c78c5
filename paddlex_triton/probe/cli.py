"""Command `probe`."""

from __future__ import annotations

from typing import Annotated

import typer

from paddlex_triton.probe.command import main


def register(app: typer.Typer) -> None:
    """Add this package's commands."""
    # Read by a parser that starts faster than this one.
    pass_on = {"ignore_unknown_options": True, "allow_extra_args": True}
    app.command("probe", add_help_option=False, context_settings=pass_on)(probe_command)


def probe_command(arguments: Annotated[list[str] | None, typer.Argument(metavar="[URL]")] = None) -> None:
    """Check a running server with a tiny page through each pipeline: exit status 0 if it is well or busy, 1 if not."""
    raise typer.Exit(main(arguments or []))
