"""What the benchmark commands have in common on the terminal."""

from __future__ import annotations

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from tritonclient.utils import InferenceServerException

from paddlex_triton.client.exceptions import PaddleXTritonError
from paddlex_triton.errors import ServiceError
from paddlex_triton.server.host.errors import ServerError

# What the user's arguments or server can cause; anything else is a fault of ours and shows its traceback.
BAD_INPUT = (
    PaddleXTritonError,
    ServiceError,
    ServerError,
    ValueError,
    OSError,
    httpx.HTTPError,
    InferenceServerException,
)


def refuse(error: Exception) -> typer.Exit:
    """Print an error in one line and give back the exit to raise."""
    Console(stderr=True).print(f"[bold red]Error:[/bold red] {escape(str(error))}", soft_wrap=True)
    return typer.Exit(1)
