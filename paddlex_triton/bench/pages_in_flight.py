"""The gain of a document by several of its pages being on their way at once.

    python -m paddlex_triton.bench.pages_in_flight DOCUMENT... --in-flight 4 --in-flight 8

The same document is read with one page after the other and with several in flight, in turn, round after round. Times
are a caller's: rendering pages, sending them, waiting and reading answers.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any, TypeAlias

import typer
from PIL import Image
from rich.console import Console
from rich.table import Table

from paddlex_triton.bench.console import short_errors, show
from paddlex_triton.bench.make_inputs import SAMPLE
from paddlex_triton.client import BaseResult, create_pipeline
from paddlex_triton.limits import MAX_PAGES_IN_FLIGHT

# Reads a document from its first page to its last.
Read: TypeAlias = Callable[[], Iterable[BaseResult]]
# Pixels of the sample page per inch of the document's: documents are rendered at two pixels a point.
_SAMPLE_DPI = 144


@dataclass(frozen=True)
class InFlight:
    """Times with so many pages on their way.

    Attributes:
        in_flight: pages at once, at most.
        median_s: seconds for the document, over the rounds.
        least_s: of the fastest round.
        ratio: median over the rounds of its time divided by that of one page after the other in the same round.
    """

    in_flight: int
    median_s: float
    least_s: float
    ratio: float


@dataclass(frozen=True)
class PagesInFlight:
    """Result of a run.

    Attributes:
        pages: of the document.
        rounds: how often each was measured.
        timings: for each number of pages in flight, 1 first.
    """

    pages: int
    rounds: int
    timings: tuple[InFlight, ...]


def measure_pages_in_flight(reads: Mapping[int, Read], rounds: int) -> PagesInFlight:
    """Read a document once with each number of pages in flight for warming up, then time all of them in every round.

    Args:
        reads: pages in flight -> what reads the document so; 1 must be among them.
        rounds: how many.

    Raises:
        ValueError: there is no page, `rounds` is below 1, or pages came in another order or number than one after the
            other.
        KeyError: one page after the other is not among `reads`.
    """
    if rounds < 1:
        raise ValueError("rounds must be at least 1")
    expected = _places(reads[1]())
    if not expected:
        raise ValueError("there is no page; at least one is needed")
    seconds: dict[int, list[float]] = {in_flight: [] for in_flight in sorted(reads)}
    for in_flight in seconds:
        _check(_places(reads[in_flight]()), expected, in_flight)
    for number in range(rounds):
        # Back and forth: what drifts with time hits the first ones as much as the last.
        for in_flight in sorted(reads, reverse=number % 2 == 1):
            begun = time.perf_counter()
            places = _places(reads[in_flight]())
            seconds[in_flight].append(time.perf_counter() - begun)
            _check(places, expected, in_flight)
    return PagesInFlight(len(expected), rounds, tuple(_summary(seconds, in_flight) for in_flight in seconds))


def _summary(seconds: Mapping[int, Sequence[float]], in_flight: int) -> InFlight:
    own = seconds[in_flight]
    ratios = [taken / alone for taken, alone in zip(own, seconds[1], strict=True)]
    return InFlight(in_flight, median(own), min(own), median(ratios))


def _places(results: Iterable[BaseResult]) -> list[tuple[str | None, int | None]]:
    """Return path and number of every page, in the order of the results, which are let go of one by one."""
    return [(result.page.input_path, result.page.page_index) for result in results]


def _check(places: list[Any], expected: list[Any], in_flight: int) -> None:
    if places != expected:
        raise ValueError(f"with {in_flight} pages in flight results are not those of the pages in order")


@contextmanager
def sample_document(pages: int) -> Iterator[Path]:
    """Make a PDF with the sample page so many times, for as long as the context lasts."""
    with TemporaryDirectory() as folder, Image.open(SAMPLE) as sample:
        page = sample.convert("RGB")
        path = Path(folder) / "sample.pdf"
        others = [page] * (pages - 1)
        page.save(path, save_all=True, append_images=others, resolution=_SAMPLE_DPI, quality=95)
        yield path


def print_report(report: PagesInFlight, console: Console) -> None:
    """Print the report as a table."""
    table = Table(title=f"{report.pages} pages, {report.rounds} rounds", show_edge=False)
    for name in ("in flight", "s, median", "least", "pages a second", "time, one after the other = 1"):
        table.add_column(name, justify="right")
    for timing in report.timings:
        rate = report.pages / timing.median_s
        numbers = (f"{timing.median_s:.2f}", f"{timing.least_s:.2f}", f"{rate:.2f}", f"{timing.ratio:.3f}")
        table.add_row(str(timing.in_flight), *numbers)
    console.print(table)


def _parameters(text: str) -> dict[str, Any]:
    params = json.loads(text)
    if not isinstance(params, dict):
        raise ValueError(f"params is {text}; a JSON object is expected")
    return params


def main(
    documents: Annotated[
        list[Path] | None, typer.Argument(help="PDF and TIFF files, images or folders; a PDF of sample pages if none.")
    ] = None,
    pipeline: Annotated[str, typer.Option(help="Pipeline to measure.")] = "OCR",
    params: Annotated[str, typer.Option(help="JSON object with the pipeline's parameters.")] = "{}",
    url: Annotated[
        str | None, typer.Option(help="Running server; without it one is found, or an embedded one.")
    ] = None,
    in_flight: Annotated[
        list[int] | None,
        typer.Option(help="Pages at once; may be repeated. 4 if none.", min=1, max=MAX_PAGES_IN_FLIGHT),
    ] = None,
    pages: Annotated[int, typer.Option(help="Pages of the PDF of sample pages.", min=1)] = 30,
    rounds: Annotated[int, typer.Option(help="Rounds, whose median is the result.", min=1)] = 5,
    output: Annotated[Path | None, typer.Option(help="JSON file for the numbers.")] = None,
) -> None:
    """Time a document with one page after the other against several pages in flight."""
    with short_errors(), ExitStack() as stack:
        inputs = [str(path) for path in documents or [stack.enter_context(sample_document(pages))]]
        given = _parameters(params)
        reads = {
            count: partial(
                stack.enter_context(create_pipeline(pipeline, url=url, max_in_flight=count)).predict,
                inputs,
                **given,
            )
            for count in sorted({1, *(in_flight or [4])})
        }
        report = measure_pages_in_flight(reads, rounds)
    show(report, print_report, output)


if __name__ == "__main__":
    typer.run(main)
