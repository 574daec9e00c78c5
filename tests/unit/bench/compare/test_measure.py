"""The order of a comparison: who reads what when. Contestants are made up; their sessions write down what is asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from paddlex_triton.bench.compare import measure as module
from paddlex_triton.bench.compare.contestants import Contestant
from paddlex_triton.bench.compare.measure import Comparison, Plan
from paddlex_triton.bench.compare.pages import Case
from paddlex_triton.bench.compare.results import PipelineNumbers
from paddlex_triton.bench.compare.session import ContestantError

ONE, MANY = Case("one", (Path("a.png"),)), Case("many", tuple(Path(f"s{index}.png") for index in range(12)))
OWN = Contestant("own", "own", "d.py", takes_callers=True)
PEER = Contestant("peer", "peer", "d.py", "peer.txt", takes_threads=True)
SERVER = Contestant("server", "server", "d.py", "peer.txt", takes_callers=True)
RUN = {"network": "det", "inputs": [{"name": "x", "shape": [2, 4, 4, 3], "dtype": "UINT8", "values": None}]}


class FakeSession:
    """Answers at once; what `broken` names is answered with an error."""

    pid = os.getpid()

    def __init__(self, name: str, asked: list, broken: str | None = None) -> None:
        self.name, self.asked, self.broken, self.closed = name, asked, broken, False

    def cpu_seconds(self) -> float:
        return 0.0

    def ask(self, kind, **values):
        self.asked.append((self.name, kind, values))
        if kind == self.broken:
            raise ContestantError(f"no {kind}")
        return {
            "page": {"ms": 10.0, "lines": ["line"]},
            "record": {"runs": [RUN], "networks": {"det": {"file": "f", "backend": "onnxruntime"}}},
            "pages": {"seconds": 2.0, "rows_a_run": {"det": 2.0}},
            "perf_analyzer": {"pages_a_second": 3.5},
        }[kind]

    def close(self) -> None:
        self.closed = True


class World:
    """Contestants that can be opened, and all that they were asked."""

    def __init__(self, monkeypatch) -> None:
        monkeypatch.setattr(module, "REST_S", 0)
        self.asked, self.opened, self.sessions = [], [], []
        self.broken: dict[str, str] = {}
        self.numbers = PipelineNumbers("OCR", {})

    def open(self, contestant, threads) -> tuple[Any, dict[str, Any]]:
        if self.broken.get(contestant.name) == "open":
            raise OSError("no such engine")
        self.opened.append((contestant.name, threads))
        session = FakeSession(contestant.name, self.asked, self.broken.get(contestant.name))
        self.sessions.append(session)
        return session, {"versions": {"it": "1"}, "networks": {"text_detection": "det"}}

    def open_bare(self, contestant, recorded) -> Any:
        assert set(recorded["pages"]) == {str(file) for file in (*ONE.files, *MANY.files)}
        session = FakeSession(f"{contestant.name}-bare", self.asked)
        self.sessions.append(session)
        return session

    def run(self, contestants, plan=None, cases=(ONE, MANY)) -> PipelineNumbers:
        chosen = plan or Plan(repeats=3, callers=(1, 8), least_pages=4)
        comparison = Comparison(self.numbers, cases, chosen, self.open, self.open_bare, cores=4, say=lambda text: None)
        comparison.run(contestants, (OSError,))
        return self.numbers

    def readers(self, file: str) -> list[str]:
        return [name for name, kind, values in self.asked if kind == "page" and values["path"] == file]


@pytest.fixture
def world(monkeypatch) -> World:
    return World(monkeypatch)


def test_contestants_read_in_turn_and_nobody_is_always_first(world):
    numbers = world.run([OWN, PEER, SERVER])
    # After two warm-ups of each; bare networks follow whom they belong to.
    rounds = [
        ["own", "own-bare", "peer", "server"],
        ["peer", "server", "own", "own-bare"],
        ["server", "own", "own-bare", "peer"],
    ]
    start = 2 + 2 + 2 + 2
    assert world.readers("a.png")[start : start + 12] == [name for turn in rounds for name in turn]
    own, peer, _ = numbers.contestants
    assert [len(each.cases["one"].ms) for each in numbers.contestants] == [3, 3, 3]
    assert (len(own.cases["one"].bare_ms), len(peer.cases["one"].bare_ms)) == (3, 0)


def test_cases_of_many_files_are_read_once(world):
    numbers = world.run([PEER])
    assert len(numbers.contestants[0].cases["many"].ms) == 12
    assert numbers.contestants[0].cases["many"].lines.keys() == {file.name for file in MANY.files}
    assert numbers.files == {"one": 1, "many": 12}


def test_runs_of_networks(world):
    numbers = world.run([OWN]).contestants[0].cases["many"]
    assert (numbers.rows_a_run, numbers.runs, numbers.padding) == ({"det": 2}, {"det": 1}, None)


def test_under_load(world):
    own, peer, server = world.run([OWN, PEER, SERVER]).contestants

    def rates(numbers):
        return [(some.tool, some.callers, some.processes, some.pages_a_second) for some in numbers.throughputs]

    assert rates(own) == [
        ("client", 1, 1, 2.0),
        ("client", 8, 1, 12.0),
        ("perf_analyzer", 1, 1, 3.5),
        ("perf_analyzer", 8, 1, 3.5),
    ]
    assert rates(server) == [("client", 1, 1, 2.0), ("client", 8, 1, 12.0)]
    assert [row[:3] for row in rates(peer)] == [("client", 1, 1), ("client", 2, 2)]
    # Two processes have two of the four cores each.
    assert world.opened == [("own", 0), ("peer", 0), ("server", 0), ("peer", 2), ("peer", 2)]
    sent = [values["paths"] for name, kind, values in world.asked if (name, kind) == ("server", "pages")]
    assert sent[0] == ["a.png", "s0.png", "a.png", "s1.png"]
    assert [len(paths) for paths in sent] == [4, 24]


def test_who_cannot_start_is_skipped_with_the_reason(world):
    world.broken = {"peer": "open", "server": "page"}
    numbers = world.run([OWN, PEER, SERVER])
    assert [each.name for each in numbers.contestants] == ["own"]
    assert numbers.skipped == {"peer": "no such engine", "server": "no page"}
    assert all(session.closed for session in world.sessions)


def test_without_perf_analyzer_it_is_said(world):
    world.broken = {"own": "perf_analyzer"}
    numbers = world.run([OWN]).contestants[0]
    assert numbers.notes == ["perf_analyzer: no perf_analyzer"]
    assert [some.tool for some in numbers.throughputs] == ["client", "client"]


def test_who_fails_later_is_noted_and_the_others_go_on(world):
    class Failing(FakeSession):
        def ask(self, kind, **values):
            if kind == "page" and len(world.readers("a.png")) > 5 and self.name == "peer":
                raise ContestantError("out of memory")
            return super().ask(kind, **values)

    def open_failing(contestant, threads):
        session, answer = World.open(world, contestant, threads)
        return Failing(session.name, world.asked), answer

    world.broken = {"server": "pages"}
    world.open = open_failing
    peer, server = world.run([PEER, SERVER]).contestants
    assert peer.notes == [f"{what}: out of memory" for what in ("many", "one", "memory", "two processes")]
    assert len(server.cases["one"].ms) == 3


def test_a_failure_under_load_is_noted(world):
    world.broken = {"server": "pages"}
    own, server = world.run([OWN, SERVER]).contestants
    assert server.notes == ["under load: no pages"]
    assert (len(own.throughputs), server.throughputs) == (4, [])


def test_all_are_closed_when_something_else_fails(world, monkeypatch):
    monkeypatch.setattr(module, "watch_memory", None)
    with pytest.raises(TypeError):
        world.run([OWN])
    assert world.sessions
    assert all(session.closed for session in world.sessions)
