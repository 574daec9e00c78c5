"""The commands `export` and `models`, called in this process."""

from __future__ import annotations

from typing import Any

import typer
from typer.testing import CliRunner

from paddlex_triton.export.cli import register

app = typer.Typer()
register(app)


def call(*arguments: str) -> Any:
    """Run the command line on wide lines without colours: its result."""
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "TERM": "dumb"})
