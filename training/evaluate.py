"""Scores the network's ONNX files on a set of pages, several in one run. Needs no torch.

`python -m training.evaluate SET NETWORK [NETWORK]... --pages-without-seals 200`
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from training.console import errors_said
from training.evaluation import Network, PageScores, read_set, score_pages, time_pages
from training.scenes import CLASS_NAMES
from training.scenes.pages import draw_page_without_seals


def evaluate(
    folder: Annotated[
        Path, typer.Argument(metavar="SET", help="Folder of pages/ and pages.json: picture -> class, x1, y1, x2, y2.")
    ],
    networks: Annotated[list[Path], typer.Argument(metavar="NETWORK...", help="ONNX files, or folders of model.onnx.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many of the set's pages.")] = None,
    pages_without_seals: Annotated[int, typer.Option(min=0, help="Pages to draw that have no seal.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of those pages.")] = 20_240_917,
    rounds: Annotated[int, typer.Option(min=0, help="How often to time each of the first 20 pages.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Of one network.")] = 1,
    both_orders: Annotated[
        bool, typer.Option("--both-orders", help="Score on BGR too; layout networks are served RGB.")
    ] = False,
    output: Annotated[Path | None, typer.Option(help="File for the scores as JSON.")] = None,
) -> None:
    """Score layout networks."""
    console = Console()
    scores: dict[str, PageScores] = {}
    with errors_said(ValueError):
        loaded = {str(path): Network(path, threads) for path in networks}
        pages, negatives = read_set(folder, limit), _draw_pages(pages_without_seals, seed, console)
        for name, network in loaded.items():
            for order in ("RGB", "BGR") if both_orders else ("RGB",):
                shown = name if order == "RGB" else f"{name} ({order})"
                with console.status(escape(shown)):
                    scores[shown] = score_pages(network, pages, negatives, bgr=order == "BGR")
        console.print(_table(scores))
        if rounds:
            for name, spent in time_pages(loaded, [page for page, _ in pages[:20]], rounds).items():
                console.print(f"{escape(name)}: {spent:.1f} ms a page", soft_wrap=True)
        if output is not None:
            output.write_text(json.dumps({name: asdict(found) for name, found in scores.items()}, indent=1) + "\n")


def _draw_pages(count: int, seed: int, console: Console) -> list[np.ndarray]:
    return [
        draw_page_without_seals(np.random.default_rng((seed, number))).image
        for number in track(
            range(count), "drawing pages", console=console, transient=True, disable=not console.is_terminal
        )
    ]


def _table(scores: dict[str, PageScores]) -> Table:
    table = Table(title="boxes on pages, intersection over union 0.5; recall and precision at score 0.5")
    table.add_column("network", overflow="fold")
    for column in ("class", "boxes", "AP50", "recall", "precision", "false seals"):
        table.add_column(column, no_wrap=True)
    for name, found in scores.items():
        for of_class in reversed(CLASS_NAMES):
            each = found.classes[of_class]
            values = (each.average_precision, each.recall, each.precision)
            row = (of_class, str(each.expected), *(f"{value:.3f}" for value in values))
            if of_class == "seal":
                wrong = "" if found.false_seals is None else f"{found.false_seals} on {found.pages_without_seals}"
                table.add_row(escape(name), *row, wrong)
            else:
                table.add_row("", *row)
    return table


if __name__ == "__main__":
    typer.run(evaluate)
