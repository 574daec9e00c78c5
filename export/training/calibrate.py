"""Looks for the seal text detector's calibration sigmoid(k (z - b)) on generated scenes. Needs no torch.

Take scenes of another seed than the training's, and not the frozen ones:
`python -m paddlex_triton.export.training.calibrate NETWORK SHARDS --scenes 100`
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from paddlex_triton.export.errors import ExportError
from paddlex_triton.export.training.evaluation import (
    MIN_GLYPH_HEIGHT,
    Network,
    Postprocessing,
    SealPicture,
    find_polygons,
    reduce_scene,
)
from paddlex_triton.export.training.metrics import MatchCounts, match_polygons
from paddlex_triton.export.training.scenes import SealScene
from paddlex_triton.export.training.scenes.shards import SealShards
from paddlex_triton.ops.text_detection import resize_for_detection

SHARPNESSES = (1.0, 1.25, 1.5, 2.0, 2.5)
OFFSETS = (-0.5, -0.25, 0.0, 0.25, 0.5)
_LEAST = 1e-6

Scores = dict[tuple[float, float], MatchCounts]


def calibrate(
    network: Annotated[Path, typer.Argument(help="The detector, exported without calibration.")],
    shards: Annotated[Path, typer.Argument(help="Folder of generated scenes.")],
    scenes: Annotated[int, typer.Option(min=1, help="How many to look at; each is looked at reduced, too.")] = 100,
) -> None:
    """Score the calibrations of a seal text detector, the best first."""
    console = Console()
    try:
        found = SealShards(shards)
        pictures = [_picture(found[index]) for index in range(min(scenes, len(found)))]
        scores = score_calibrations(Network(network), [*pictures, *(reduce_scene(picture) for picture in pictures)])
    except (ExportError, OSError, ValueError) as error:
        Console(stderr=True).print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)
        raise typer.Exit(getattr(error, "exit_code", 1)) from None
    table = Table("k", "b", "F1", "recall", "precision", title=f"{len(pictures)} scenes in two sizes")
    for (sharpness, offset), counts in sorted(scores.items(), key=lambda item: -item[1].f1):
        values = (sharpness, offset, counts.f1, counts.recall, counts.precision)
        table.add_row(*(f"{value:.3f}" for value in values))
    console.print(table)


def score_calibrations(network: Network, pictures: list[SealPicture], how: Postprocessing | None = None) -> Scores:
    """Polygons found with every k and b of the grid; the network runs once per picture."""
    how = how or Postprocessing()
    scores: Scores = {(sharpness, offset): MatchCounts() for sharpness in SHARPNESSES for offset in OFFSETS}
    for picture in pictures:
        resized = resize_for_detection(picture.image, limit_side_len=how.side, limit_type="min", max_side_limit=4000)
        logits = logits_of(network.probabilities(resized.image))
        for sharpness, offset in scores:
            prob = 1 / (1 + np.exp(-np.float32(sharpness) * (logits - np.float32(offset))))
            polygons = find_polygons(prob, (resized.src_h, resized.src_w), how)
            scores[sharpness, offset] += match_polygons(polygons, picture.polygons, picture.ignored)
    return scores


def logits_of(prob: np.ndarray) -> np.ndarray:
    """Inverse of the sigmoid, float32; probabilities are kept off 0 and 1."""
    kept = np.clip(prob, _LEAST, 1 - _LEAST).astype(np.float32)
    return np.log(kept / (1 - kept))


def _picture(scene: SealScene) -> SealPicture:
    ignored = [height < MIN_GLYPH_HEIGHT for height in scene.glyph_heights]
    return SealPicture(scene.image, [polygon.astype(np.float64) for polygon in scene.polygons], ignored)


if __name__ == "__main__":
    typer.run(calibrate)
