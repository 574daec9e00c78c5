"""The drivers of this package's own contestants, as the comparison starts them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from paddlex_triton.bench.compare.contestants import OCR, PARAMS, PRESETS
from paddlex_triton.bench.compare.network_runs import run_from_json, total_runs
from paddlex_triton.bench.compare.process_tree import memory_of, tree_of
from paddlex_triton.bench.compare.session import DRIVERS, ContestantError, Session

PAGE = str(Path(__file__).resolve().parent.parent.parent / "samples" / "page.png")


@pytest.fixture(scope="module")
def own(networks, tmp_path_factory):
    """A server of its own, and what it answered to being opened."""
    log = tmp_path_factory.mktemp("driver") / "own.log"
    with Session(Path(sys.executable), DRIVERS / "own_server.py", log) as session:
        opened = session.ask(
            "open",
            pipeline=OCR,
            flavour="cpu",
            preset=PRESETS[OCR],
            networks=[str(networks)],
            params=PARAMS[OCR],
            threads=0,
        )
        assert "paddlex-triton" in opened["versions"]
        yield session


def test_pages_are_read(own):
    lines = own.ask("page", path=PAGE)["lines"]
    assert "Deployment Notes 2026" in lines
    # Triton and the processes of its modules.
    assert len(tree_of(own.pid)) > 3
    assert memory_of(own.pid).proportional > 100e6
    assert own.cpu_seconds() > 0.1


def test_under_load_rows_are_counted(own):
    answer = own.ask("pages", paths=[PAGE] * 4, callers=2)
    assert answer["seconds"] > 0
    assert answer["rows_a_run"]["PP-OCRv4_mobile_det"] == 1
    assert answer["rows_a_run"]["PP-OCRv4_mobile_rec"] >= 1


def test_runs_are_recorded_and_repeated_without_a_pipeline(own, tmp_path):
    recorded = own.ask("record", path=PAGE)
    runs = [run_from_json(run) for run in recorded["runs"]]
    assert runs[0].network == "PP-OCRv4_mobile_det"
    # The page is 960x640: its shorter side at 736, the longer one at a multiple of 32.
    assert runs[0].inputs[0].shape == (1, 736, 1088, 3)
    totals = total_runs(runs)
    assert totals.runs["PP-OCRv4_mobile_det"] == 1
    assert totals.runs["PP-OCRv4_mobile_rec"] * totals.rows_a_run["PP-OCRv4_mobile_rec"] == pytest.approx(11)
    assert totals.padding is not None
    assert 0 < totals.padding < 1
    # The same again, in whatever order the runs came to their turn: tracing ends with the page.
    again = own.ask("record", path=PAGE)
    assert sorted(map(str, again["runs"])) == sorted(map(str, recorded["runs"]))
    assert again["networks"] == recorded["networks"]
    pages = {"pages": {PAGE: recorded["runs"]}, "networks": recorded["networks"]}
    with Session(Path(sys.executable), DRIVERS / "bare_networks.py", tmp_path / "bare.log") as bare:
        bare.ask("open", **pages)
        assert bare.ask("page", path=PAGE)["ms"] > 1


def test_what_cannot_be_read_is_told(own, tmp_path):
    (tmp_path / "broken.png").write_text("no picture")
    with pytest.raises(ContestantError, match=r"broken\.png"):
        own.ask("page", path=str(tmp_path / "broken.png"))


def test_a_server_that_cannot_start_is_told(tmp_path):
    session = Session(Path(sys.executable), DRIVERS / "own_server.py", tmp_path / "own.log")
    with session, pytest.raises(ContestantError, match="unknown flavour 'odd'"):
        session.ask("open", pipeline=OCR, flavour="odd", params={}, threads=0)
