"""The common parts of the training's commands on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from paddlex_triton.export.commandline.export_run import print_error
from paddlex_triton.export.errors import ExportError


@contextmanager
def errors_said(*others: type[Exception]) -> Iterator[None]:
    """Say what went wrong in one line, without a traceback, and leave with the error's exit code.

    Args:
        others: errors that are no `ExportError` and no `OSError`, but are said as well.
    """
    try:
        yield
    except (ExportError, OSError, *others) as error:
        print_error(str(error))
        raise typer.Exit(getattr(error, "exit_code", 1)) from None
