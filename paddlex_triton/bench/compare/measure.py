"""Runs a comparison: contestants in turn, page by page, round after round; then memory; then each alone under load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddlex_triton.bench.compare.contestants import Contestant
from paddlex_triton.bench.compare.network_runs import NetworkRun, run_from_json, total_runs
from paddlex_triton.bench.compare.pages import Case
from paddlex_triton.bench.compare.process_tree import memory_of, watch_memory
from paddlex_triton.bench.compare.results import CaseNumbers, ContestantNumbers, PipelineNumbers, Throughput
from paddlex_triton.bench.compare.session import ContestantError, Session

# Threads that spin after a run would slow down whoever comes next.
REST_S = 0.1
WARMUPS = 2
# Of a case of many files so many are read for warming up, and again while memory is watched.
_FEW = 10


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        repeats: rounds over the cases of one file; those of many files are read once.
        callers: pages on their way at once, under load.
        least_pages: read at each number of callers.
        pages_a_caller: so many for each of them, if that is more.
        perf_analyzer: whether this package is measured by it, too.
    """

    repeats: int = 7
    callers: tuple[int, ...] = (1, 4, 8, 16)
    least_pages: int = 16
    pages_a_caller: int = 3
    perf_analyzer: bool = True

    def pages_for(self, callers: int) -> int:
        """Pages to read at so many callers."""
        return max(self.least_pages, self.pages_a_caller * callers)


# Starts a contestant's driver and has it load its networks: contestant, threads of the engine (0: its own choice).
# Answers with `versions` and `networks`. Raises whatever keeps it out.
Open = Callable[[Contestant, int], tuple[Session, dict[str, Any]]]


@dataclass
class _Entrant:
    contestant: Contestant
    session: Session
    numbers: ContestantNumbers
    bare: Session | None = None


class Comparison:
    """One pipeline's contestants."""

    def __init__(
        self,
        numbers: PipelineNumbers,
        cases: Sequence[Case],
        plan: Plan,
        open_contestant: Open,
        open_bare: Callable[[Contestant, dict[str, Any]], Session],
        cores: int,
        say: Callable[[str], None],
    ) -> None:
        """Prepare; nothing runs before `run`.

        Args:
            numbers: filled in.
            cases: what is read.
            plan: how much is measured.
            open_contestant: starts a contestant.
            open_bare: starts the networks of one of this package's alone: contestant, what its driver recorded.
            cores: that all may use.
            say: is told what happens.
        """
        self._numbers, self._cases, self._plan = numbers, cases, plan
        self._open, self._open_bare, self._cores, self._say = open_contestant, open_bare, cores, say
        numbers.files.update({case.name: len(case.files) for case in cases})

    def run(self, contestants: Sequence[Contestant], skippable: tuple[type[Exception], ...]) -> None:
        """Measure.

        Args:
            contestants: in their order in reports.
            skippable: errors that keep a contestant out, with their text as the reason.
        """
        with ExitStack() as stack:
            entrants = []
            for contestant in contestants:
                self._say(f"starting {contestant.label}")
                try:
                    entrants.append(self._enter(contestant, stack))
                except (ContestantError, *skippable) as error:
                    self._numbers.skipped[contestant.label] = str(error)
                    self._say(f"without {contestant.label}: {error}")
            self._measure_latency(entrants)
            self._measure_memory(entrants)
            for entrant in entrants:
                if entrant.bare is not None:
                    entrant.bare.close()
            for entrant in entrants:
                with _noting(entrant, "under load"):
                    self._measure_throughput(entrant)

    def _enter(self, contestant: Contestant, stack: ExitStack) -> _Entrant:
        session, opened = self._open(contestant, 0)
        stack.callback(session.close)
        numbers = ContestantNumbers(contestant.name, contestant.label, opened["versions"], opened["networks"])
        numbers.loaded_bytes = memory_of(session.pid).proportional
        entrant = _Entrant(contestant, session, numbers)
        for case in self._cases:
            numbers.cases[case.name] = CaseNumbers()
            for _ in range(WARMUPS):
                for file in case.files[:_FEW]:
                    session.ask("page", path=str(file))
        if contestant.is_own:
            entrant.bare = self._record(entrant)
            stack.callback(entrant.bare.close)
        self._numbers.contestants.append(numbers)
        return entrant

    def _record(self, entrant: _Entrant) -> Session:
        """Have a contestant of this package say what its networks are sent, and load these alone."""
        pages: dict[str, list[Any]] = {}
        networks: dict[str, Any] = {}
        for case in self._cases:
            runs: list[NetworkRun] = []
            for file in case.files:
                answer = entrant.session.ask("record", path=str(file))
                pages[str(file)], networks = answer["runs"], answer["networks"]
                runs += map(run_from_json, answer["runs"])
            totals, numbers = total_runs(runs), entrant.numbers.cases[case.name]
            numbers.rows_a_run, numbers.padding = totals.rows_a_run, totals.padding
            numbers.runs = {name: count / len(case.files) for name, count in totals.runs.items()}
        bare = self._open_bare(entrant.contestant, {"pages": pages, "networks": networks})
        for _ in range(WARMUPS):
            for path in pages:
                bare.ask("page", path=path)
        return bare

    def _measure_latency(self, entrants: list[_Entrant]) -> None:
        for number in range(self._plan.repeats):
            self._say(f"round {number + 1} of {self._plan.repeats}")
            # Nobody is always first.
            turn = number % max(1, len(entrants))
            for case in self._cases:
                if number and len(case.files) > 1:
                    continue
                for file in case.files:
                    for entrant in [*entrants[turn:], *entrants[:turn]]:
                        with _noting(entrant, case.name):
                            _read(entrant, case.name, file)

    def _measure_memory(self, entrants: list[_Entrant]) -> None:
        self._say("memory")
        for entrant in entrants:
            numbers = entrant.numbers
            with watch_memory(entrant.session.pid) as seen, _noting(entrant, "memory"):
                for case in self._cases:
                    for file in case.files[:_FEW]:
                        entrant.session.ask("page", path=str(file))
            numbers.peak_bytes = max(memory.proportional for memory in seen)
            numbers.after_bytes, numbers.shared_bytes = seen[-1].proportional, seen[-1].shared

    def _measure_throughput(self, entrant: _Entrant) -> None:
        contestant = entrant.contestant
        self._say(f"load on {contestant.label}")
        if contestant.takes_callers:
            for callers in self._plan.callers:
                paths = self._pages_in_turn(self._plan.pages_for(callers))
                answer = entrant.session.ask("pages", paths=paths, callers=callers)
                self._add(entrant, callers, 1, len(paths) / answer["seconds"], answer.get("rows_a_run", {}))
            if contestant.is_own and self._plan.perf_analyzer:
                with _noting(entrant, "perf_analyzer"):
                    self._measure_by_perf_analyzer(entrant)
            return
        paths = self._pages_in_turn(self._plan.least_pages)
        self._add(entrant, 1, 1, len(paths) / entrant.session.ask("pages", paths=paths, callers=1)["seconds"], {})
        if contestant.takes_threads:
            with _noting(entrant, "two processes"):
                self._add(entrant, 2, 2, self._rate_of_two(contestant), {})

    def _rate_of_two(self, contestant: Contestant) -> float:
        """Pages a second of two processes side by side, each with half of the cores and all pages."""
        with ExitStack() as stack:
            sessions = []
            for _ in range(2):
                session, _opened = self._open(contestant, max(1, self._cores // 2))
                stack.callback(session.close)
                sessions.append(session)
            for session in sessions:
                for file in self._pages_in_turn(len(self._cases)):
                    session.ask("page", path=file)
            paths = self._pages_in_turn(self._plan.least_pages)
            begun = time.perf_counter()
            with ThreadPoolExecutor(len(sessions)) as pool:
                for answer in [pool.submit(session.ask, "pages", paths=paths, callers=1) for session in sessions]:
                    answer.result()
            return len(sessions) * len(paths) / (time.perf_counter() - begun)

    def _measure_by_perf_analyzer(self, entrant: _Entrant) -> None:
        files = sorted(set(self._pages_in_turn(self._plan.least_pages)))
        for callers in self._plan.callers:
            requests = self._plan.pages_for(callers)
            answer = entrant.session.ask("perf_analyzer", paths=files, callers=callers, requests=requests)
            entrant.numbers.throughputs.append(Throughput(callers, 1, "perf_analyzer", answer["pages_a_second"]))

    def _pages_in_turn(self, count: int) -> list[str]:
        """So many pages of all cases in turn, those of cases of many files one after the other."""
        taken = {case.name: 0 for case in self._cases}
        paths = []
        for index in range(count):
            case = self._cases[index % len(self._cases)]
            paths.append(str(case.files[taken[case.name] % len(case.files)]))
            taken[case.name] += 1
        return paths

    def _add(self, entrant: _Entrant, callers: int, processes: int, rate: float, rows: dict[str, float]) -> None:
        entrant.numbers.throughputs.append(Throughput(callers, processes, "client", rate, rows))


@contextmanager
def _noting(entrant: _Entrant, what: str) -> Iterator[None]:
    """Note what a contestant failed at, once, and go on without it."""
    try:
        yield
    except ContestantError as error:
        note = f"{what}: {error}"
        if note not in entrant.numbers.notes:
            entrant.numbers.notes.append(note)


def _read(entrant: _Entrant, case: str, file: Path) -> None:
    """Read a file, and repeat its runs of networks."""
    numbers = entrant.numbers.cases[case]
    time.sleep(REST_S)
    before = entrant.session.cpu_seconds()
    answer = entrant.session.ask("page", path=str(file))
    numbers.cpu_s.append(entrant.session.cpu_seconds() - before)
    numbers.ms.append(answer["ms"])
    numbers.lines[file.name] = answer["lines"]
    if entrant.bare is not None:
        time.sleep(REST_S)
        numbers.bare_ms.append(entrant.bare.ask("page", path=str(file))["ms"])
