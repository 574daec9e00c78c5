"""Which networks can be had now: from the product, a package index, the cache or one of PaddleX's hubs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paddlex_triton.export.errors import Unreachable
from paddlex_triton.export.lookup import has_own_source
from paddlex_triton.export.sources.cache import CachedNetwork
from paddlex_triton.export.sources.hubs import Hub, Hubs, grouped_reasons, manual_download_advice
from paddlex_triton.zoo import ZooEntry


class Availability:
    """Tells which networks can be had now, and from where.

    Args:
        hubs: PaddleX's hubs.
        cache: folder of what was downloaded, the product's by default.
    """

    def __init__(self, hubs: Hubs, cache: Path | None = None) -> None:
        self.hubs, self._cache = hubs, cache

    def can_fetch(self, entry: ZooEntry) -> bool:
        """Return whether a network comes along, is in a package index, was fetched before, or a hub with it answers."""
        return has_own_source(entry) or self.is_cached(entry) or bool(self._answering(entry))

    def is_cached(self, entry: ZooEntry) -> bool:
        """Return whether PaddleX's package of it was fetched before."""
        return entry.official is not None and CachedNetwork(entry.name, self._cache).is_there()

    def first_source(self, entry: ZooEntry) -> str:
        """Return where a network comes from, in words: the source that is tried first."""
        if has_own_source(entry):
            return entry.sources[0].label
        if self.is_cached(entry):
            return "what was fetched before"
        return f"{entry.sources[0].label} ({', '.join(hub.title for hub in self._answering(entry))})"

    def unreachable(self, entries: Sequence[ZooEntry]) -> str:
        """Return the hubs of networks that cannot be had, in words, and why each is not asked."""
        return grouped_reasons({hub: why for entry in entries for hub, why in self._silent(entry).items()})

    def require(self, entries: Sequence[ZooEntry]) -> None:
        """Refuse networks that cannot be had, all of them in one message.

        Raises:
            Unreachable: there are some.
        """
        missing = [entry for entry in entries if not self.can_fetch(entry)]
        if missing:
            raise Unreachable(
                f"{' or '.join(entry.name for entry in missing)} cannot be fetched, as there is no answer from "
                f"{self.unreachable(missing)}. {manual_download_advice(missing)}"
            )

    def _answering(self, entry: ZooEntry) -> Sequence[Hub]:
        return self.hubs.answering(entry.official.hubs) if entry.official else ()

    def _silent(self, entry: ZooEntry) -> dict[str, str]:
        return self.hubs.silent(entry.official.hubs) if entry.official else {}
