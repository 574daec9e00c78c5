"""How much faster curved text lines are straightened here than by PaddleX's own function, and whether alike.

    python -m paddlex_triton.bench.rectification

Needs an interpreter that has PaddleX beside this package: both run in the same process, on one thread, in turn.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Annotated

import cv2
import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from paddlex_triton.bench.random_polygons import random_arc
from paddlex_triton.ops.seal_crop import rectify_polygon

# A page, uint8 [H, W, 3], and a polygon, integer [n, 2], to a crop, uint8 [h, w, 3].
Rectify = Callable[[np.ndarray, np.ndarray], np.ndarray]
# Pixels of page beyond the last arc.
_MARGIN = 60


class PaddleXMissing(ImportError):
    """PaddleX, or a part of it that is measured, cannot be imported by this interpreter."""


@dataclass(frozen=True)
class Rectification:
    """Result of a run.

    Attributes:
        polygons: polygons straightened in each run.
        runs: runs of each side.
        paddlex_ms: PaddleX's mean time for a polygon, milliseconds.
        ours_ms: the same of `rectify_polygon`.
        different: polygons whose crops differ in size or in any pixel.
    """

    polygons: int
    runs: int
    paddlex_ms: float
    ours_ms: float
    different: int

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.paddlex_ms / self.ours_ms


def make_arcs(count: int, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Make a page of noise and the outlines of curved lines of about 700 x 60 pixels on it.

    Args:
        count: number of lines.
        seed: of everything random.

    Returns:
        Page, uint8 [H, W, 3]; and polygons, int64 [n, 2] each.
    """
    rng = np.random.default_rng(seed)
    arcs = [random_arc(rng) for _ in range(count)]
    width, height = np.max([arc.max(axis=0) for arc in arcs], axis=0).tolist()
    return rng.integers(0, 256, (height + _MARGIN, width + _MARGIN, 3), dtype=np.uint8), arcs


def paddlex_rectify() -> Rectify:
    """Import PaddleX's function.

    Raises:
        PaddleXMissing: it cannot be imported.
    """
    try:
        from paddlex.inference.pipelines.components import CropByPolys  # pyright: ignore[reportMissingImports]

        return CropByPolys(det_box_type="poly").get_poly_rect_crop
    except (ImportError, AttributeError, RuntimeError) as error:
        raise PaddleXMissing(f"PaddleX cannot be used by this interpreter: {error}") from error


def measure_rectification(
    ours: Rectify, theirs: Rectify, page: np.ndarray, polygons: Sequence[np.ndarray], *, runs: int = 5
) -> Rectification:
    """Compare two functions crop by crop, then time them in turn.

    Args:
        ours: the one expected to be faster.
        theirs: the other.
        page: uint8 [H, W, 3].
        polygons: integer [n, 2] each, at least one.
        runs: passes over all polygons for each function.

    Raises:
        ValueError: no polygons or no runs.
    """
    if not polygons or runs < 1:
        raise ValueError("polygons and runs must be at least 1")
    different = sum(not np.array_equal(ours(page, polygon), theirs(page, polygon)) for polygon in polygons)
    times = [(_seconds(ours, page, polygons), _seconds(theirs, page, polygons)) for _ in range(runs)]
    ours_ms, paddlex_ms = (mean(side) / len(polygons) * 1000 for side in zip(*times, strict=True))
    return Rectification(len(polygons), runs, paddlex_ms, ours_ms, different)


def _seconds(rectify: Rectify, page: np.ndarray, polygons: Sequence[np.ndarray]) -> float:
    begun = time.perf_counter()
    for polygon in polygons:
        rectify(page, polygon)
    return time.perf_counter() - begun


def print_report(report: Rectification, console: Console) -> None:
    """Print the report as a table."""
    table = Table(show_edge=False)
    table.add_column("straightened by")
    table.add_column("ms a line", justify="right")
    table.add_row("PaddleX", f"{report.paddlex_ms:.2f}")
    table.add_row("here", f"{report.ours_ms:.2f}")
    console.print(table)
    console.print(f"{report.polygons} curved lines, mean of {report.runs} runs: {report.ratio:.1f} times faster")
    colour = "red" if report.different else "green"
    console.print(f"[{colour}]{report.different} of {report.polygons} crops differ[/{colour}]")


def main(
    lines: Annotated[int, typer.Option(help="Curved lines.", min=1)] = 32,
    runs: Annotated[int, typer.Option(help="Runs of each side.", min=1)] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the lines and the page.", min=0)] = 0,
) -> None:
    """Measure the straightening of curved text lines against PaddleX's."""
    # Read when PaddleX's libraries are loaded.
    os.environ["OMP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    try:
        theirs = paddlex_rectify()
    except PaddleXMissing as error:
        Console(stderr=True).print(f"[bold red]Error:[/bold red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None
    report = measure_rectification(rectify_polygon, theirs, *make_arcs(lines, seed), runs=runs)
    print_report(report, Console())
    if report.different:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
