"""What a run of `predict` says in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from paddlex_triton.client.exceptions import PaddleXTritonError
from paddlex_triton.client.wording import shown_name

_MAX_LISTED = 20
_MAX_CHARACTERS = 120


@dataclass
class RunReport:
    """Counts what became of the inputs.

    Attributes:
        pages: how many were read.
        refused: why others were not.
        renamed: what is said of results that have another name than PaddleX's.
    """

    pages: int = 0
    refused: list[PaddleXTritonError] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield the report, line by line; of long lists the beginning."""
        yield f"Pages read: {self.pages}"
        yield from _section("Refused", [_reason(error) for error in self.refused])
        yield from _section("Saved under another name", self.renamed)


def _section(title: str, entries: Sequence[str]) -> Iterator[str]:
    yield f"{title}: {len(entries)}"
    yield from (f"  {' '.join(entry.split())}" for entry in entries[:_MAX_LISTED])
    if len(entries) > _MAX_LISTED:
        yield f"  and {len(entries) - _MAX_LISTED} more"


def _reason(error: PaddleXTritonError) -> str:
    """Return source and reason, each shortened: of a source the end tells more."""
    source, reason = shown_name(error.source or ""), error.message
    if len(source) > _MAX_CHARACTERS:
        source = "..." + source[3 - _MAX_CHARACTERS :]
    if len(reason) > _MAX_CHARACTERS:
        reason = reason[: _MAX_CHARACTERS - 3] + "..."
    return f"{source}: {reason}" if source else reason
