"""What a run of `predict` says in the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from paddlex_triton.client.exceptions import PaddleXTritonError
from paddlex_triton.client.wording import shown_name

_MAX_LISTED = 20
_MAX_CHARACTERS = 120


class Listed:
    """Counts entries and keeps the first ones.

    Attributes:
        count: of all.
    """

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def add(self, entry: str) -> None:
        """Add one."""
        self.count += 1
        if len(self._first) < _MAX_LISTED:
            self._first.append(" ".join(entry.split()))

    def lines(self, title: str) -> Iterator[str]:
        """Yield the count, and the first ones below it."""
        yield f"{title}: {self.count}"
        yield from (f"  {entry}" for entry in self._first)
        if self.count > len(self._first):
            yield f"  and {self.count - len(self._first)} more"


@dataclass
class RunReport:
    """Counts what became of the inputs; of long lists it keeps the beginning.

    Attributes:
        pages: how many were read.
        refused: why others were not.
        renamed: what is said of results that have another name than PaddleX's.
    """

    pages: int = 0
    refused: Listed = field(default_factory=Listed)
    renamed: Listed = field(default_factory=Listed)

    def refuse(self, error: PaddleXTritonError) -> None:
        """Count a page or an input that could not be read. The error itself, which holds its page, is not kept."""
        self.refused.add(_reason(error))

    def lines(self) -> Iterator[str]:
        """Yield the report, line by line."""
        yield f"Pages read: {self.pages}"
        yield from self.refused.lines("Refused")
        yield from self.renamed.lines("Saved under another name")


def _reason(error: PaddleXTritonError) -> str:
    """Return source and reason, each shortened: of a source the end tells more."""
    source, reason = shown_name(error.source or ""), error.message
    if len(source) > _MAX_CHARACTERS:
        source = "..." + source[3 - _MAX_CHARACTERS :]
    if len(reason) > _MAX_CHARACTERS:
        reason = reason[: _MAX_CHARACTERS - 3] + "..."
    return f"{source}: {reason}" if source else reason
