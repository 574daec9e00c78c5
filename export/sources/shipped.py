"""A network that comes with the product: see `export/networks/README.md`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from paddlex_triton.export.errors import SourceError
from paddlex_triton.export.sources.directory import DirectorySource
from paddlex_triton.export.sources.weights import Weights
from paddlex_triton.zoo import ShippedEntry

# What labels of these sources begin with.
SHIPPED = "shipped:"
NETWORKS = Path(__file__).resolve().parent.parent / "networks"


class ShippedSource:
    """Weights in a folder of the product's own.

    Args:
        entry: what the zoo says about it.
        networks: the folder of all such folders.
    """

    def __init__(self, entry: ShippedEntry, networks: Path = NETWORKS) -> None:
        self.entry, self.networks = entry, networks

    @property
    def label(self) -> str:
        """`shipped:` and the folder's name."""
        return self.entry.label

    def fetch(self) -> Weights:
        """Read the folder.

        Raises:
            SourceError: the file is not the one the zoo knows, or is missing: the installation is damaged.
        """
        folder = self.networks / self.entry.folder
        if not folder.is_dir():
            raise SourceError(f"{self.label}: {folder} is missing; install paddlex-triton anew")
        weights = DirectorySource(folder).fetch()
        if weights.sha256 != self.entry.sha256:
            found, known = weights.sha256[:12], self.entry.sha256[:12]
            raise SourceError(
                f"{self.label}: {folder / weights.file} has SHA-256 {found}, not {known}; install paddlex-triton anew"
            )
        return replace(weights, label=self.label)
