"""The measurement of the straightening, with functions that stand in for PaddleX's."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from paddlex_triton.bench import rectification as module
from paddlex_triton.bench.random_polygons import random_arc, random_polygons
from paddlex_triton.bench.rectification import PaddleXMissing, Rectification, make_arcs, measure_rectification
from paddlex_triton.ops.seal_crop import plan_rectification, rectify_polygon


def slow(page, polygon):
    time.sleep(0.02)
    return rectify_polygon(page, polygon)


def other(page, polygon):
    return np.zeros((1, 1, 3), np.uint8)


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """The command sets these for its process."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = module.cv2.getNumThreads()
    yield
    module.cv2.setNumThreads(threads)


@pytest.mark.parametrize("count", [1, 32])
def test_arcs_are_of_the_size_and_are_straightened(count):
    page, arcs = make_arcs(count, seed=0)
    assert len(arcs) == count
    for arc in arcs:
        assert 20 <= len(arc) <= 120
        height, width = plan_rectification(page, arc).size
        assert 700 < width < 1100
        assert 50 < height < 110
        assert plan_rectification(page, arc).strips is not None


def test_the_same_seed_gives_the_same():
    assert [np.array_equal(a, b) for a, b in zip(make_arcs(3, 7)[1], make_arcs(3, 7)[1], strict=True)] == [True] * 3
    assert not np.array_equal(random_arc(np.random.default_rng(1)), random_arc(np.random.default_rng(2)))


@pytest.mark.parametrize("count", [0, 1, 200])
def test_random_polygons_are_on_their_page(count):
    polygons = random_polygons(np.random.default_rng(0), count, (90, 160))
    assert len(polygons) == count
    for polygon in polygons:
        assert polygon.min() >= 0
        assert (polygon.max(axis=0) <= (160, 90)).all()


def test_measurement():
    page, arcs = make_arcs(3, seed=0)
    report = measure_rectification(rectify_polygon, slow, page, arcs, runs=2)
    assert (report.polygons, report.runs, report.different) == (3, 2, 0)
    assert report.paddlex_ms > 2
    assert report.ratio == report.paddlex_ms / report.ours_ms > 1


def test_crops_that_differ_are_counted():
    page, arcs = make_arcs(3, seed=0)
    assert measure_rectification(rectify_polygon, other, page, arcs, runs=1).different == 3


@pytest.mark.parametrize(("count", "runs"), [(0, 1), (1, 0)])
def test_nothing_to_measure_is_refused(count, runs):
    page, arcs = make_arcs(1, seed=0)
    with pytest.raises(ValueError, match="at least 1"):
        measure_rectification(rectify_polygon, other, page, arcs[:count], runs=runs)


def test_report():
    console = Console(record=True, width=100)
    module.print_report(Rectification(32, 5, 10.0, 2.0, 1), console)
    text = console.export_text()
    assert "5.0 times faster" in text
    assert "1 of 32 crops differ" in text


@pytest.mark.parametrize(("theirs", "status"), [(slow, 0), (other, 1)])
def test_command(monkeypatch, theirs, status):
    monkeypatch.setattr(module, "paddlex_rectify", lambda: theirs)
    assert "times faster" in run(["--lines", "2", "--runs", "1"], status)


def test_without_paddlex_the_command_says_so(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "paddlex"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "paddlex", None)
    with pytest.raises(PaddleXMissing):
        module.paddlex_rectify()
    message = run([], 1)
    assert "PaddleX cannot be used by this interpreter" in message
    assert "Traceback" not in message


def run(arguments: list[str], status: int) -> str:
    app = typer.Typer()
    app.command()(module.main)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == status, result.output
    return result.output
