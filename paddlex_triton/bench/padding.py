"""The effect of the recogniser's padding on what is read, and on how much is computed.

    python -m paddlex_triton.bench.padding
    python -m paddlex_triton.bench.padding --step 32 --step 64 --least 32 --least 128 --blank 0 --blank 16
    python -m paddlex_triton.bench.padding --images scans --seal-images seals

Lines are found once on each page and then read with every padding, in this process with ONNX Runtime on the CPU, with
the functions of the server's modules. No server is involved, and nothing is timed: what a padding saves is told in
columns of the recogniser's input. Samples and drawn pages have a known text, of which wrong characters are counted; of
other images it is told how many lines differ from those with PaddleX's padding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, product
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np
import onnxruntime
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from paddlex_triton import paths
from paddlex_triton.bench.console import short_errors, show
from paddlex_triton.bench.edit_distance import edits
from paddlex_triton.bench.known_pages import KnownPage, draw_pages, draw_seals, read_samples
from paddlex_triton.client.inputs import PageReader
from paddlex_triton.limits import MIN_RECOGNITION_WIDTH, RECOGNITION_WIDTH_STEP
from paddlex_triton.network import FILE_NAME, Family, NetworkInfo
from paddlex_triton.ops.crop import CropsOnDemand, QuadCrops
from paddlex_triton.ops.ctc import decode_lines
from paddlex_triton.ops.db import db_postprocess
from paddlex_triton.ops.image import decode_image
from paddlex_triton.ops.recognition import ImageShape, LineBatch, build_batch, plan_batches, plan_tight
from paddlex_triton.ops.seal_crop import PolygonCrops, readable_polygons
from paddlex_triton.ops.sorting import sort_polygons, sort_quads
from paddlex_triton.ops.text_detection import resize_for_detection
from paddlex_triton.params import OCRParams, SealRecognitionParams, parse_params

PADDLEX = "paddlex"
_SIDE, _MOST = 736, 4000
# A line with this score is read well; on a page that lies on its side none is.
_SURE = 0.9


class Plan(Protocol):
    """A way of padding."""

    def __call__(self, sizes: Sequence[tuple[int, int]], *, image_shape: ImageShape) -> list[LineBatch]:
        """Group lines of these heights and widths, pixels."""
        ...


@dataclass
class Reading:
    """What a padding made of the pages of a kind.

    Attributes:
        lines: those that were read.
        different: of these, lines that PaddleX's padding reads otherwise.
        sure: of the lines, those that PaddleX's padding reads with a score of at least 0.9.
        sure_different: of these, lines that are read otherwise.
        characters: of the lines whose text is known.
        wrong: characters to be put in, taken out or replaced in these.
        wrong_signs: the same without spaces, of which recognisers leave many out.
        columns: of the recogniser's input, pixels.
        blank: columns without a line in them.
    """

    lines: int = 0
    different: int = 0
    sure: int = 0
    sure_different: int = 0
    characters: int = 0
    wrong: int = 0
    wrong_signs: int = 0
    columns: int = 0
    blank: int = 0


@dataclass(frozen=True)
class PaddingReport:
    """Result of a run: kind of page -> padding -> what was read."""

    recogniser: str
    pages: dict[str, int] = field(default_factory=dict)
    readings: dict[str, dict[str, Reading]] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadLine:
    """A line as it was read: its text, its score, its own columns and those of its input."""

    text: str
    score: float
    own: int
    columns: int


class Network:
    """An exported network in ONNX Runtime, on the CPU."""

    def __init__(self, folder: Path, family: Family) -> None:
        """Load it.

        Raises:
            OSError: it is not an exported network's folder.
            ValueError: a broken network.json, or a network of another family.
        """
        self.info = NetworkInfo.load(folder / FILE_NAME)
        if self.info.family != family:
            raise ValueError(f"{folder} is a {self.info.family} network; a {family} network is expected")
        self._open(folder / "1" / "model.onnx")

    def _open(self, model: Path) -> None:
        self._session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def run(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Return the outputs by name."""
        names = [output.name for output in self._session.get_outputs()]
        return dict(zip(names, map(np.asarray, self._session.run(names, inputs)), strict=True))


class Reader:
    """A recogniser that reads the lines of a page; each at each width once, as nothing else has an effect."""

    def __init__(self, network: Network, crops: CropsOnDemand) -> None:
        self._network, self._crops = network, crops
        self.image_shape: ImageShape = tuple(network.info.geometry["image_shape"])
        self._read: dict[tuple[int, int], ReadLine] = {}

    def read(self, batches: Iterable[LineBatch]) -> dict[int, ReadLine]:
        """Return the lines by their indices."""
        return {index: self._line(index, batch.width) for batch in batches for index in batch.indices}

    def _line(self, index: int, width: int) -> ReadLine:
        if (index, width) not in self._read:
            x, widths = build_batch(self._crops, LineBatch((index,), width, (1,)), self.image_shape)
            outputs = self._network.run(x=x, widths=widths)
            (line,) = decode_lines(outputs["indices"], outputs["probs"], self._network.info.characters or [])
            self._read[index, width] = ReadLine(line.text, line.score, int(widths[0, 0]), width)
        return self._read[index, width]


def find_lines(page: KnownPage, detectors: Mapping[bool, Network]) -> tuple[CropsOnDemand, list[np.ndarray]]:
    """Find the lines of a page as `text_detection` or `seal_text_detection` does with its defaults, input at 736.

    Args:
        page: the page.
        detectors: of pages (False) and of seals (True).

    Returns:
        The lines as images, and the middle of each: x, y in pixels.
    """
    height, width = page.image.shape[:2]
    params: Any = _defaults(page)
    prefix = "seal_det" if page.seal else "text_det"
    thresholds = {name: getattr(params, f"{prefix}_{name}") for name in ("thresh", "box_thresh", "unclip_ratio")}
    x = resize_for_detection(page.image, limit_side_len=_SIDE, limit_type="min", max_side_limit=_MOST)
    prob = detectors[page.seal].run(x=x[None])["prob"][0]
    box_type = "poly" if page.seal else "quad"
    found, _ = db_postprocess(prob, src_h=height, src_w=width, box_type=box_type, **thresholds)
    order = sort_polygons(found) if page.seal else sort_quads(found)
    polygons = [found[index] for index in order]
    if page.seal:
        polygons = [polygons[index] for index in readable_polygons([page.image] * len(polygons), polygons)]
    crops = (PolygonCrops if page.seal else QuadCrops)([page.image] * len(polygons), polygons)
    return crops, [polygon.mean(axis=0) for polygon in polygons]


def _defaults(page: KnownPage) -> SealRecognitionParams | OCRParams:
    return parse_params(None, SealRecognitionParams if page.seal else OCRParams)


def known_text(page: KnownPage, middle: np.ndarray, read: Sequence[str]) -> str | None:
    """Find the text of a line: of those written where it is, the one nearest to all that was read.

    Args:
        page: the page.
        middle: of the line, x, y in pixels.
        read: what the paddings made of it.

    Returns:
        None if nothing was written there, or nobody read half of it: the detector found a part, or several lines in
        one, which is not the padding's doing.
    """
    x, y = middle.tolist()
    there = [line.text for line in page.lines if line.box[0] <= x <= line.box[2] and line.box[1] <= y <= line.box[3]]
    if not there:
        return None
    distances = {text: [edits(text, one) for one in read] for text in there}
    nearest = min(there, key=lambda text: sum(distances[text]))
    return nearest if 2 * min(distances[nearest]) <= len(nearest) else None


def measure_padding(
    pages: Iterable[KnownPage], detectors: Mapping[bool, Network], recogniser: Network, tight: Mapping[str, Plan]
) -> PaddingReport:
    """Read pages with every padding.

    Args:
        pages: the pages.
        detectors: of pages (False) and of seals (True).
        recogniser: reads the lines.
        tight: name -> way of padding, to be compared with PaddleX's.
    """
    report = PaddingReport(recogniser.info.name)
    for page in pages:
        crops, middles = find_lines(page, detectors)
        batch_size = _defaults(page).text_recognition_batch_size
        plans: dict[str, Plan] = {PADDLEX: partial(plan_batches, batch_size=batch_size)}
        if batch_size > 1:
            plans[f"{PADDLEX}, without groups"] = partial(plan_batches, batch_size=1)
        plans |= tight
        reader = Reader(recogniser, crops)
        read = {name: reader.read(plan(crops.sizes, image_shape=reader.image_shape)) for name, plan in plans.items()}
        report.pages[page.kind] = report.pages.get(page.kind, 0) + 1
        kind = report.readings.setdefault(page.kind, {name: Reading() for name in plans})
        for index, middle in enumerate(middles):
            wanted = known_text(page, middle, [lines[index].text for lines in read.values()])
            for name, lines in read.items():
                _count(kind[name], lines[index], read[PADDLEX][index], wanted)
    return report


def _count(reading: Reading, line: ReadLine, of_paddlex: ReadLine, wanted: str | None) -> None:
    differs, sure = line.text != of_paddlex.text, of_paddlex.score >= _SURE
    reading.lines += 1
    reading.different += differs
    reading.sure += sure
    reading.sure_different += sure and differs
    reading.columns += line.columns
    reading.blank += line.columns - line.own
    if wanted is not None:
        reading.characters += len(wanted)
        reading.wrong += edits(wanted, line.text)
        reading.wrong_signs += edits(*("".join(text.split()) for text in (wanted, line.text)))


def read_images(sources: Sequence[Path], *, seal: bool) -> Iterator[KnownPage]:
    """Read images, documents and folders as pages with unknown text.

    Raises:
        InputError: one cannot be read.
    """
    for page in PageReader([str(source) for source in sources]):
        name = Path(page.input_path or "").name + ("" if page.page_index is None else f" {page.page_index + 1}")
        yield KnownPage(name, decode_image(page.payload), (), seal)


def print_report(report: PaddingReport, console: Console) -> None:
    """Print the report as a table: a row for each kind of page, and below it one for each padding."""
    table = Table(title=f"{report.recogniser}; tight: step, least width, least blank", show_edge=False)
    table.add_column("pages, padding", overflow="fold")
    for name in ("lines", "differ", "sure", "differ", "chars", "wrong", "no spaces", "columns", "blank"):
        table.add_column(name, justify="right")
    for kind, readings in report.readings.items():
        of_paddlex = readings[PADDLEX]
        count = report.pages[kind]
        named = escape(f"{kind} ({count})" if count > 1 else kind)
        counts = (of_paddlex.lines, "", of_paddlex.sure, "", of_paddlex.characters or "")
        table.add_row(f"[bold]{named}[/bold]", *map(str, counts))
        for name, reading in readings.items():
            table.add_row(
                f"  {name}",
                "",
                "" if name == PADDLEX else _share(reading.different, reading.lines),
                "",
                "" if name == PADDLEX else _share(reading.sure_different, reading.sure),
                "",
                str(reading.wrong) if reading.characters else "",
                str(reading.wrong_signs) if reading.characters else "",
                str(reading.columns) if name == PADDLEX else _share(reading.columns, of_paddlex.columns),
                _share(reading.blank, reading.columns),
            )
        table.add_section()
    console.print(table)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def main(
    networks: Annotated[Path | None, typer.Option(help="Folder of exported networks.")] = None,
    recogniser: Annotated[str, typer.Option(help="Network that reads.")] = "PP-OCRv4_mobile_rec",
    detector: Annotated[str, typer.Option(help="Network that finds lines.")] = "PP-OCRv4_mobile_det",
    seal_detector: Annotated[str, typer.Option(help="Network that finds lines of seals.")] = "PP-OCRv4_mobile_seal_det",
    pages: Annotated[int, typer.Option(help="Drawn pages of each kind.", min=0)] = 4,
    seals: Annotated[int, typer.Option(help="Drawn seals.", min=0)] = 24,
    seed: Annotated[int, typer.Option(help="Seed of the drawn pages.", min=0)] = 0,
    images: Annotated[list[Path] | None, typer.Option(help="Images, PDFs or folders, instead of pages.")] = None,
    seal_images: Annotated[list[Path] | None, typer.Option(help="The same, each of one seal.")] = None,
    step: Annotated[list[int] | None, typer.Option(help="Widths are multiples of this.", min=1)] = None,
    least: Annotated[list[int] | None, typer.Option(help="Least width.", min=1)] = None,
    blank: Annotated[list[int] | None, typer.Option(help="Columns that stay blank at least.", min=0)] = None,
    output: Annotated[Path | None, typer.Option(help="JSON file for the numbers.")] = None,
) -> None:
    """Compare paddings of the recogniser's input: wrong characters, lines that differ, columns."""
    repository = networks or paths.networks_repository()
    tight: dict[str, Plan] = {
        f"tight, {pixels}, {narrowest}, {more}": partial(plan_tight, step=pixels, least=narrowest, blank=more)
        for pixels, narrowest, more in product(
            step or [RECOGNITION_WIDTH_STEP], least or [MIN_RECOGNITION_WIDTH], blank or [0]
        )
    }
    with short_errors():
        reads = Network(repository / recogniser, "ctc_recognition")
        finds = {False: Network(repository / detector, "db_detection")}
        finds[True] = Network(repository / seal_detector, "db_detection")
        if images or seal_images:
            shown = chain(read_images(images or [], seal=False), read_images(seal_images or [], seal=True))
        else:
            shown = chain(read_samples(), draw_pages(pages, seed), draw_seals(seals, seed))
        report = measure_padding(shown, finds, reads, tight)
    show(report, print_report, output)


if __name__ == "__main__":
    typer.run(main)
