"""Text for consoles that cannot show every letter."""

from __future__ import annotations

from typing import IO


def showable(text: str, stream: IO[str]) -> str:
    """Return the text with the letters escaped, as Python writes them, that the stream would refuse."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding, getattr(stream, "errors", None) or "strict")
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text
