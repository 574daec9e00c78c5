"""The networks that were asked for on the command line. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from paddlex_triton.export.errors import UsageError
from paddlex_triton.network import Family

FAMILY_NAMES = ", ".join(get_args(Family))


@dataclass(frozen=True)
class ExportRequest:
    """The networks that were asked for on the command line.

    Attributes:
        names: networks of the zoo.
        pipeline: all networks of a pipeline.
        preset: which set of them.
        everything: all networks of the zoo that can be had.
        from_dir: a folder of own weights.
        family: of those.
        name: of those.
        config: one of PaddleX's pipeline files, for the networks it names.
    """

    names: Sequence[str] = ()
    pipeline: str | None = None
    preset: str | None = None
    everything: bool = False
    from_dir: Path | None = None
    family: str | None = None
    name: str | None = None
    config: Path | None = None

    def check(self) -> None:
        """Refuse what does not make sense together.

        Raises:
            UsageError: not exactly one of names, pipeline, all, folder and file, or an option that belongs to another.
        """
        given = (self.pipeline, self.from_dir, self.config)
        if bool(self.names) + self.everything + sum(each is not None for each in given) != 1:
            raise UsageError(
                "give network names, or --pipeline NAME, or --all, or --from-dir DIR, or --config FILE: one of the five"
            )
        if self.preset is not None and self.pipeline is None:
            raise UsageError("--preset belongs to --pipeline")
        if self.from_dir is None and (self.family is not None or self.name is not None):
            raise UsageError("--family and --name belong to --from-dir")
        if self.family is not None and self.family not in get_args(Family):
            raise UsageError(f"no family {self.family!r}; known: {FAMILY_NAMES}")
