"""Lines of text as the ensembles answer them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from typing_extensions import Self

from paddlex_triton.client.results.base import texts_of
from paddlex_triton.ops.polygons import unpack_polygons


@dataclass(frozen=True)
class TextLines:
    """Lines of one region, or of several behind each other. All lists have an entry for each line.

    Attributes:
        polygons: INT32 [n,2] each, x,y in pixels of the line's region.
        detection_scores: mean probability of text inside the polygon.
        texts: what was read.
        scores: mean probability of the characters.
        kept: whether the score reached the threshold.
        angles: 0, 1 for upside down, -1 if it was not looked at.
        words: JSON `{"words": [str], "regions": [[[x, y] * 4]]}` each, empty if words were not asked for.
    """

    polygons: list[np.ndarray]
    detection_scores: list[float]
    texts: list[str]
    scores: list[float]
    kept: list[bool]
    angles: list[int]
    words: list[bytes]

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> Self:
        """Read the outputs `points`, `offsets`, `poly_scores`, `texts`, `scores`, `kept`, `angles` and `words`.

        Args:
            tensors: output name -> tensor; `words` may be missing.

        Raises:
            KeyError: an output is missing.
            ValueError: lines are counted differently, or the offsets do not fit the points.
        """

        def flat(name: str) -> list[Any]:
            return tensors[name].reshape(-1).tolist()

        polygons = unpack_polygons(tensors["points"], tensors["offsets"])
        lines = cls(
            polygons=polygons,
            detection_scores=flat("poly_scores"),
            texts=texts_of(tensors["texts"]),
            scores=flat("scores"),
            kept=[bool(kept) for kept in flat("kept")],
            angles=flat("angles"),
            words=flat("words") if "words" in tensors else [b""] * len(polygons),
        )
        counts = {len(getattr(lines, column.name)) for column in fields(lines)}
        if len(counts) != 1:
            raise ValueError(f"lines are counted differently: {sorted(counts)}")
        return lines

    def __len__(self) -> int:
        return len(self.polygons)

    def between(self, start: int, end: int) -> Self:
        """Return the lines from `start` up to, not including, `end`."""
        return type(self)(**{column.name: getattr(self, column.name)[start:end] for column in fields(self)})
