"""Errors, tables and files of the benchmark commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from tritonclient.utils import InferenceServerException

from paddlex_triton.admin_api import KEY_FILE_VARIABLE
from paddlex_triton.client.exceptions import PaddleXTritonError
from paddlex_triton.client.files import write_whole
from paddlex_triton.errors import ServiceError
from paddlex_triton.server.host.errors import HostError

# For servers that are there already.
AdminKeyFile = Annotated[
    Path | None,
    typer.Option(help="File with the key that the running server was started with.", envvar=KEY_FILE_VARIABLE),
]

# What the user's arguments or server can cause; anything else is a fault of ours and shows its traceback.
_BAD_INPUT = (
    PaddleXTritonError,
    ServiceError,
    HostError,
    ValueError,
    OSError,
    httpx.HTTPError,
    InferenceServerException,
)


@contextmanager
def short_errors(*others: type[Exception]) -> Iterator[None]:
    """End the command with one line for an error that the user's arguments or server caused.

    Args:
        others: further errors that they can cause.
    """
    try:
        yield
    except (*_BAD_INPUT, *others) as error:
        Console(stderr=True).print(f"[bold red]Error:[/bold red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None


def show(report: Any, print_report: Callable[[Any, Console], None], output: Path | None) -> None:
    """Print a report, a dataclass, and write its numbers to a JSON file if one is named."""
    print_report(report, Console())
    if output:
        write_json(asdict(report), output)


def write_json(document: dict[str, Any], path: Path) -> None:
    """Write a JSON file whole or not at all."""
    write_whole(path, lambda file: file.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8"))
