"""What a lower precision changes in what is found and read, and what it saves: OpenVINO's bfloat16 beside float32.

    python -m paddlex_triton.bench.precision
    python -m paddlex_triton.bench.precision --images scans

Pages are those of `paddlex_triton.bench.padding`. Detector and recogniser run in this process, in the class that serves
them; lines are read one by one, padded to 320 columns. Times are of single runs and want an idle machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from paddlex_triton import paths
from paddlex_triton.bench.console import short_errors, show
from paddlex_triton.bench.edit_distance import edits
from paddlex_triton.bench.known_pages import KnownPage, draw_pages, read_samples
from paddlex_triton.bench.padding import Network, Reader, find_lines, known_text, read_images
from paddlex_triton.network import Family
from paddlex_triton.ops.recognition import plan_batches
from paddlex_triton.processors import describe
from paddlex_triton.server.backends.paddlex_openvino.compiled import Compiled
from paddlex_triton.server.backends.paddlex_openvino.options import PRECISIONS, Options, properties

_SEED = 0
_DETECTOR, _RECOGNISER = "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"


class OpenVinoNetwork(Network):
    """An exported network in OpenVINO.

    Attributes:
        seconds: that its runs took, all together.
    """

    def __init__(self, folder: Path, family: Family, precision: str) -> None:
        """Load it as `Network` does, and for a precision."""
        self._precision = precision
        super().__init__(folder, family)
        self.seconds = 0.0

    def _open(self, model: Path) -> None:
        self._compiled = Compiled(model, properties(Options(precision=self._precision)), 0)

    def run(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Return the outputs by name."""
        # Once for the kernels of a new shape, and once on the clock.
        self._compiled.run(inputs)
        started = time.perf_counter()
        outputs = {name: array.copy() for name, array in self._compiled.run(inputs).items()}
        self.seconds += time.perf_counter() - started
        return outputs


@dataclass
class Reading:
    """Pages in one precision.

    Attributes:
        detector_ms, recogniser_ms: of all runs together.
        pages: whose lines are as many as in float32, in the same whole pixels.
        lines: read.
        differing: lines of another text than in float32, of those that float32 found.
        characters, wrong: of lines with known text.
    """

    detector_ms: float = 0.0
    recogniser_ms: float = 0.0
    pages: int = 0
    lines: int = 0
    differing: int = 0
    characters: int = 0
    wrong: int = 0


@dataclass
class PrecisionReport:
    """Precision -> what was read in it; the boxes' share is of `pages`."""

    processor: str
    pages: int = 0
    readings: dict[str, Reading] = field(default_factory=dict)


def measure_precisions(
    pages: Iterable[KnownPage], find: Mapping[str, OpenVinoNetwork], read: Mapping[str, OpenVinoNetwork]
) -> PrecisionReport:
    """Find and read the lines of pages in every precision; recognisers get the lines that the first detector found.

    Args:
        pages: of text.
        find: precision -> the detector, float32 first.
        read: precision -> the recogniser, likewise.
    """
    first = next(iter(find))
    report = PrecisionReport(describe(), readings={name: Reading() for name in find})
    for page in pages:
        report.pages += 1
        found = {name: find_lines(page, {False: network}) for name, network in find.items()}
        crops, middles = found[first]
        texts: dict[str, list[str]] = {}
        for name, network in read.items():
            reader = Reader(network, crops)
            plan = plan_batches(crops.sizes, image_shape=reader.image_shape, batch_size=1)
            lines = reader.read(plan)
            texts[name] = [lines[index].text for index in range(len(crops))]
        known = [known_text(page, middle, [of[index] for of in texts.values()]) for index, middle in enumerate(middles)]
        for name, reading in report.readings.items():
            reading.pages += _alike(found[name][1], middles)
            reading.lines += len(crops)
            reading.differing += sum(one != other for one, other in zip(texts[name], texts[first], strict=True))
            for text, wanted in zip(texts[name], known, strict=True):
                if wanted is not None:
                    reading.characters += len(wanted)
                    reading.wrong += edits(text, wanted)
    for name, reading in report.readings.items():
        reading.detector_ms, reading.recogniser_ms = find[name].seconds * 1000, read[name].seconds * 1000
    return report


def _alike(found: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    return len(found) == len(wanted) and all(
        np.array_equal(one, other) for one, other in zip(found, wanted, strict=True)
    )


def print_report(report: PrecisionReport, console: Console) -> None:
    """Print the report as a table."""
    table = Table(title=f"{report.pages} pages in OpenVINO on {report.processor}", show_edge=False)
    columns = ("precision", "detector, ms", "recogniser, ms", "pages with the same boxes", "lines", "differing texts")
    for column in (*columns, "characters", "wrong"):
        table.add_column(column, justify="left" if column == "precision" else "right")
    for name, reading in report.readings.items():
        times = (f"{reading.detector_ms:.0f}", f"{reading.recogniser_ms:.0f}")
        counts: tuple[Any, ...] = (reading.pages, reading.lines, reading.differing, reading.characters, reading.wrong)
        table.add_row(name, *times, *map(str, counts))
    console.print(table)


def main(
    detector: Annotated[str, typer.Option(help="Exported text detector.")] = _DETECTOR,
    recogniser: Annotated[str, typer.Option(help="Exported recogniser.")] = _RECOGNISER,
    networks: Annotated[Path | None, typer.Option(help="Folder with exported networks.")] = None,
    pages: Annotated[int, typer.Option(help="Drawn pages of each kind.", min=0)] = 2,
    images: Annotated[list[Path] | None, typer.Option(help="Folder or picture of your own; may be repeated.")] = None,
    output: Annotated[Path | None, typer.Option(help="JSON file for the numbers.")] = None,
) -> None:
    """Measure what bfloat16 changes and saves."""
    with short_errors():
        repository = networks if networks is not None else paths.networks_repository()
        known = chain(read_samples(), draw_pages(pages, _SEED), read_images(images or [], seal=False))
        find = {name: OpenVinoNetwork(repository / detector, "db_detection", name) for name in PRECISIONS}
        read = {name: OpenVinoNetwork(repository / recogniser, "ctc_recognition", name) for name in PRECISIONS}
        report = measure_precisions((page for page in known if not page.seal), find, read)
    show(report, print_report, output)


if __name__ == "__main__":
    typer.run(main)
