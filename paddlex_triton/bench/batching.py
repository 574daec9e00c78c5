"""How well the networks' batches fill under load, and whether batching changes any answer.

    python -m paddlex_triton.bench.batching IMAGE... --concurrency 8

Every image is first sent alone, then all of them from many callers at once. The mean batch is rows per execution in
Triton's statistics of the networks.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from paddlex_triton.bench.console import AdminKeyFile, short_errors, show
from paddlex_triton.bench.make_inputs import read_pages
from paddlex_triton.bench.target import Target, open_target
from paddlex_triton.settings import StageSettings

Answer = Mapping[str, np.ndarray]
# Scores may differ by this: a batch of another size is summed in another order.
SCORE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Batching:
    """Result of a run.

    Attributes:
        concurrency: callers at once.
        requests: requests in all.
        pages_per_s: throughput.
        mean_batch: per network, rows per execution.
        mean_batch_alone: the same for the pages sent one after the other.
        changed: answers that differ from those of the same page sent alone, by more than `SCORE_TOLERANCE` in a
            float or at all in anything else.
        max_float_difference: largest difference of a float in the answers.
    """

    concurrency: int
    requests: int
    pages_per_s: float
    mean_batch: dict[str, float]
    mean_batch_alone: dict[str, float]
    changed: int
    max_float_difference: float


def float_difference(one: Answer, other: Answer) -> float:
    """Return the largest difference of a float between two answers; infinite if anything else differs.

    Args:
        one: output name to array.
        other: the same outputs of another request.
    """
    if one.keys() != other.keys():
        return float("inf")
    largest = 0.0
    for name in one:
        array, twin = (_timeless(each[name]) if name.endswith("_settings") else each[name] for each in (one, other))
        if array.shape != twin.shape or array.dtype != twin.dtype:
            return float("inf")
        if array.dtype.kind == "f":
            largest = max(largest, float(np.abs(array - twin).max(initial=0.0)))
        elif not np.array_equal(array, twin):
            return float("inf")
    return largest


def _timeless(settings: np.ndarray) -> np.ndarray:
    """Return stages' settings without the time they took, which always differs."""
    return np.array([StageSettings.drop_time(bytes(each)) for each in settings.reshape(-1)], dtype=object)


def measure_batching(
    target: Target, pages: Sequence[bytes], params: bytes, *, concurrency: int = 8, requests: int = 64
) -> Batching:
    """Send the pages alone, then from many callers at once.

    Args:
        target: the server.
        pages: encoded images, sent in turn.
        params: UTF-8 JSON.
        concurrency: callers at once.
        requests: requests in all, of the second part.
    """
    if not pages or concurrency < 1 or requests < 1:
        raise ValueError("pages, concurrency and requests must be at least 1")
    networks = target.stages().all_networks()
    start = {name: target.statistics(name) for name in networks}
    alone = [target.infer(page, params) for page in pages]
    before = {name: target.statistics(name) for name in networks}
    begun = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as pool:
        answers = list(pool.map(lambda index: target.infer(pages[index % len(pages)], params), range(requests)))
    elapsed = time.perf_counter() - begun
    differences = [float_difference(alone[index % len(pages)], answer) for index, answer in enumerate(answers)]
    return Batching(
        concurrency=concurrency,
        requests=requests,
        pages_per_s=requests / elapsed,
        mean_batch={name: (target.statistics(name) - before[name]).mean_batch for name in networks},
        mean_batch_alone={name: (before[name] - start[name]).mean_batch for name in networks},
        changed=sum(difference > SCORE_TOLERANCE for difference in differences),
        max_float_difference=max(differences),
    )


def print_report(report: Batching, console: Console) -> None:
    """Print the report as a table."""
    table = Table(title=f"{report.requests} requests, {report.concurrency} at a time", show_edge=False)
    table.add_column("mean batch of")
    table.add_column("alone", justify="right")
    table.add_column("together", justify="right")
    for name, value in report.mean_batch.items():
        table.add_row(name, f"{report.mean_batch_alone[name]:.2f}", f"{value:.2f}")
    console.print(table)
    console.print(f"{report.pages_per_s:.2f} pages a second")
    colour = "red" if report.changed else "green"
    console.print(
        f"[{colour}]{report.changed} of {report.requests} answers changed[/{colour}], "
        f"floats differ by at most {report.max_float_difference:.2g}"
    )


def main(
    images: Annotated[
        list[Path] | None, typer.Argument(help="Images, PDFs or folders; the sample page if none.")
    ] = None,
    pipeline: Annotated[str, typer.Option(help="Pipeline to measure.")] = "OCR",
    params: Annotated[str, typer.Option(help="JSON object with the pipeline's parameters.")] = "{}",
    http_url: Annotated[str | None, typer.Option(help="Running server; an embedded one if none is given.")] = None,
    grpc_url: Annotated[str | None, typer.Option(help="host:port of the running server's gRPC.")] = None,
    admin_key_file: AdminKeyFile = None,
    concurrency: Annotated[int, typer.Option(help="Callers at once.", min=1)] = 8,
    requests: Annotated[int, typer.Option(help="Requests in all.", min=1)] = 64,
    output: Annotated[Path | None, typer.Option(help="JSON file for the numbers.")] = None,
) -> None:
    """Measure how full the networks' batches are under load."""
    with short_errors():
        pages = read_pages(images or [])
        with open_target(pipeline, http_url, grpc_url, admin_key_file) as target:
            report = measure_batching(target, pages, params.encode(), concurrency=concurrency, requests=requests)
    show(report, print_report, output)
    if report.changed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
