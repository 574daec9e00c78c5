"""Consoles that cannot show every letter, are closed, or are none."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import IO


def showable(text: str, stream: IO[str] | None) -> str:
    """Return the text with the letters escaped, as Python writes them, that the stream would refuse."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding, getattr(stream, "errors", None) or "strict")
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def is_terminal(stream: IO[str] | None) -> bool:
    """Tell whether somebody looks at the stream; a program without a console has None for it."""
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):
        return False


def flush(stream: IO[str] | None) -> None:
    """Write out what is held back, if there is a stream.

    Raises:
        OSError: whoever reads it has gone, or the disk is full.
    """
    if stream is not None:
        stream.flush()


def discard(stream: IO[str]) -> None:
    """Let what is still to be written to a stream that nobody reads go nowhere."""
    with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), stream.fileno())


def open_missing() -> None:
    """Let standard streams that the caller has closed go nowhere.

    Otherwise the next file that is opened takes the place of one, and what libraries write to the standard error
    would be written into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
