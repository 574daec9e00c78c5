"""Scores the seal networks' ONNX files on frozen sets, several in one run. Needs no torch.

`python -m paddlex_triton.export.training.evaluate SET NETWORK [NETWORK]... --pages-without-seals 200`
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from paddlex_triton.export.errors import ExportError
from paddlex_triton.export.training.evaluation import (
    CLASSES,
    REDUCED_SIDE,
    Network,
    PageScores,
    Postprocessing,
    SealPicture,
    read_page_set,
    read_seal_set,
    reduce_scene,
    score_pages,
    score_seals,
)
from paddlex_triton.export.training.metrics import MatchCounts

_ORDERS = ("RGB", "BGR")


def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="SET", help="Folder of the frozen set.")],
    networks: Annotated[list[Path], typer.Argument(metavar="NETWORK...", help="ONNX files, or folders of model.onnx.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many scenes and pages.")] = None,
    pages_without_seals: Annotated[int, typer.Option(min=0, help="Pages to draw that have no seal.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of those pages.")] = 20_240_917,
    side: Annotated[int, typer.Option(min=32, help="Shorter side of the text detector's input, at least.")] = 736,
    threads: Annotated[int, typer.Option(min=1, help="Of one network.")] = 1,
    both_orders: Annotated[
        bool, typer.Option("--both-orders", help="Score layout detectors on BGR too; they are served RGB.")
    ] = False,
    output: Annotated[Path | None, typer.Option(help="File for the scores as JSON.")] = None,
) -> None:
    """Score seal text detectors and layout detectors."""
    console, errors = Console(), Console(stderr=True)
    try:
        loaded = [Network(path, threads) for path in networks]
        detectors = [network for network in loaded if network.kind == "seal_det"]
        layouts = [network for network in loaded if network.kind == "seal_layout"]
        seals = _score_detectors(detectors, folder, limit, Postprocessing(side=side), console)
        orders = _ORDERS if both_orders else _ORDERS[:1]
        pages = _score_layouts(
            layouts, folder, limit, _draw_pages(pages_without_seals, seed, bool(layouts), console), orders, console
        )
    except (ExportError, OSError, ValueError) as error:
        errors.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)
        raise typer.Exit(getattr(error, "exit_code", 1)) from None
    if seals:
        console.print(_seal_table(seals))
    if pages:
        console.print(_page_table(pages))
    if output is not None:
        output.write_text(json.dumps(_as_json(seals, pages), indent=1) + "\n")


def _draw_pages(count: int, seed: int, wanted: bool, console: Console) -> list[np.ndarray]:
    if not count or not wanted:
        return []
    from paddlex_triton.export.training.scenes.pages import draw_page_without_seals

    return [
        draw_page_without_seals(np.random.default_rng((seed, number))).image
        for number in track(range(count), "drawing pages", transient=True, disable=not console.is_terminal)
    ]


_SealScores = dict[str, dict[str, MatchCounts]]
_LayoutScores = dict[str, PageScores]


def _score_detectors(
    networks: Sequence[Network], folder: Path, limit: int | None, how: Postprocessing, console: Console
) -> _SealScores:
    if not networks:
        return {}
    scenes = read_seal_set(folder, limit)
    sets = {"as stored": scenes, f"{REDUCED_SIDE} px": [reduce_scene(scene) for scene in scenes]}
    return {
        network.name: {
            name: score_seals(network, _tracked(each, f"{network.name}, {name}", console), how)
            for name, each in sets.items()
        }
        for network in networks
    }


def _tracked(scenes: Sequence[SealPicture], name: str, console: Console) -> Iterable[SealPicture]:
    return track(scenes, name, console=console, transient=True, disable=not console.is_terminal)


def _score_layouts(
    networks: Sequence[Network],
    folder: Path,
    limit: int | None,
    negatives: Sequence[np.ndarray],
    orders: Sequence[str],
    console: Console,
) -> _LayoutScores:
    if not networks:
        return {}
    pages = read_page_set(folder, limit)
    scores = {}
    for network in networks:
        for order in orders:
            name = network.name if order == "RGB" else f"{network.name} ({order})"
            with console.status(escape(name)):
                scores[name] = score_pages(network, pages, negatives, bgr=order == "BGR")
    return scores


def _seal_table(scores: _SealScores) -> Table:
    table = Table(title="text lines of seals, intersection over union 0.5, glyphs under 8 px ignored")
    for column in ("network", "size", "lines", "F1", "recall", "precision", "mean overlap"):
        _add_column(table, column)
    for name, sizes in scores.items():
        for size, counts in sizes.items():
            values = (counts.f1, counts.recall, counts.precision, counts.mean_overlap)
            table.add_row(escape(name), size, str(counts.expected), *(f"{value:.3f}" for value in values))
    return table


def _page_table(scores: _LayoutScores) -> Table:
    table = Table(title="boxes on pages, intersection over union 0.5; recall and precision at score 0.5")
    for column in ("network", "class", "boxes", "AP50", "recall", "precision", "false seals"):
        _add_column(table, column)
    for name, found in scores.items():
        for of_class in reversed(CLASSES):
            each = found.classes[of_class]
            values = (each.average_precision, each.recall, each.precision)
            wrong = "" if found.false_seals is None else f"{found.false_seals} on {found.pages_without_seals}"
            row = (escape(name), of_class, str(each.expected), *(f"{value:.3f}" for value in values))
            table.add_row(*row, wrong if of_class == "seal" else "")
    return table


def _add_column(table: Table, title: str) -> None:
    if title == "network":
        table.add_column(title, overflow="fold")
    else:
        table.add_column(title, no_wrap=True)


def _as_json(seals: _SealScores, pages: _LayoutScores) -> dict[str, Any]:
    def of(counts: MatchCounts) -> dict[str, float]:
        return asdict(counts) | {"f1": counts.f1, "recall": counts.recall, "precision": counts.precision}

    return {
        "seal_text": {name: {size: of(counts) for size, counts in sizes.items()} for name, sizes in seals.items()},
        "layout": {name: asdict(found) for name, found in pages.items()},
    }


if __name__ == "__main__":
    typer.run(evaluate)
