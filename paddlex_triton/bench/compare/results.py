"""The numbers of a comparison, and what is computed from them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from paddlex_triton.bench.compare.machine import Machine


@dataclass
class CaseNumbers:
    """A contestant on a case.

    Attributes:
        ms: one number a reading, files of the case and rounds together.
        cpu_s: CPU seconds of all its processes in these readings, one number each.
        lines: file -> the lines found on it.
        bare_ms: the networks alone, one number a reading; none where they were not measured.
        rows_a_run: network -> rows of its runs, on average.
        runs: network -> runs a file, on average.
        padding: share of the text recogniser's columns that no line is on.
    """

    ms: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    lines: dict[str, list[str]] = field(default_factory=dict)
    bare_ms: list[float] = field(default_factory=list)
    rows_a_run: dict[str, float] = field(default_factory=dict)
    runs: dict[str, float] = field(default_factory=dict)
    padding: float | None = None

    @property
    def median_ms(self) -> float:
        """Of all readings."""
        return median(self.ms)

    @property
    def mean_cpu_s(self) -> float:
        """CPU seconds a page."""
        return fmean(self.cpu_s)

    @property
    def efficiency(self) -> float | None:
        """The time of the networks alone, as a part of the time of a page; None where they were not measured."""
        return median(self.bare_ms) / self.median_ms if self.bare_ms else None


@dataclass(frozen=True)
class Throughput:
    """Pages in turn, as fast as they come.

    Attributes:
        callers: pages on their way at once.
        processes: of the contestant, each with its share of the cores.
        tool: what sent the pages: "client" or "perf_analyzer".
        pages_a_second: the result.
        rows_a_run: network -> rows as they ran.
    """

    callers: int
    processes: int
    tool: str
    pages_a_second: float
    rows_a_run: dict[str, float] = field(default_factory=dict)


@dataclass
class ContestantNumbers:
    """A contestant on a pipeline. Memory is bytes: all its processes, pages that they share once.

    Attributes:
        name: on the command line.
        label: in reports.
        versions: package -> version.
        networks: step -> network.
        cases: case -> numbers.
        loaded_bytes: before the first page.
        peak_bytes: the most that was seen while it read the pages.
        after_bytes: when it had read them.
        shared_bytes: of these in /dev/shm.
        throughputs: for each number of callers.
        notes: what could not be measured, and why.
    """

    name: str
    label: str
    versions: dict[str, str] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    cases: dict[str, CaseNumbers] = field(default_factory=dict)
    loaded_bytes: int = 0
    peak_bytes: int = 0
    after_bytes: int = 0
    shared_bytes: int = 0
    throughputs: list[Throughput] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class PipelineNumbers:
    """A pipeline: all contestants, and who could not take part, label -> reason."""

    name: str
    params: dict[str, object]
    files: dict[str, int] = field(default_factory=dict)
    contestants: list[ContestantNumbers] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def find(self, name: str) -> ContestantNumbers | None:
        """Look a contestant up by its name."""
        return next((each for each in self.contestants if each.name == name), None)


@dataclass
class Report:
    """All of a run."""

    date: str
    command: str
    version: str
    machine: Machine
    busy: bool
    load_after: float
    repeats: int
    pipelines: list[PipelineNumbers] = field(default_factory=list)


@dataclass(frozen=True)
class TextDifference:
    """Lines of a contestant against those of another one.

    Attributes:
        files: compared.
        same_files: those with the same lines in the same order.
        lines: of the other one.
        different: lines of either that have no partner, the larger side of each difference.
    """

    files: int
    same_files: int
    lines: int
    different: int


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies, between two of them in proportion.

    Raises:
        ValueError: there are no values, or the share is not from 0 to 1.
    """
    if not values or not 0 <= share <= 1:
        raise ValueError(
            f"{len(values)} values and share {share}: at least one value and a share from 0 to 1 are expected"
        )
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def compare_lines(found: dict[str, list[str]], wanted: dict[str, list[str]]) -> TextDifference:
    """Compare what two contestants read on the files that both read."""
    files = [file for file in wanted if file in found]
    different = 0
    for file in files:
        matcher = difflib.SequenceMatcher(None, found[file], wanted[file], autojunk=False)
        for kind, begin, end, other_begin, other_end in matcher.get_opcodes():
            if kind != "equal":
                different += max(end - begin, other_end - other_begin)
    same = sum(found[file] == wanted[file] for file in files)
    return TextDifference(len(files), same, sum(len(wanted[file]) for file in files), different)
