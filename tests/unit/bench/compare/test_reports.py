"""Reports: Markdown, JSON and plots of made-up numbers."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from paddlex_triton.bench.compare.__main__ import write_report
from paddlex_triton.bench.compare.machine import Machine
from paddlex_triton.bench.compare.markdown import render
from paddlex_triton.bench.compare.plots import draw_plots
from paddlex_triton.bench.compare.results import (
    CaseNumbers,
    ContestantNumbers,
    PipelineNumbers,
    Report,
    Throughput,
)

MACHINE = Machine("Example CPU 9000", ("avx2", "fma"), 2, 24.5, 0.1, "Linux 6.1", "3.11.8")


@pytest.fixture
def pipeline() -> PipelineNumbers:
    base = ContestantNumbers(
        "paddlex",
        "PaddleX, ONNX Runtime",
        {"paddlex": "3.7.2"},
        {"text_recognition": "rec"},
        {"page": CaseNumbers([2000, 2100, 2200], [3.9, 4.1, 4.0], {"page.png": ["one", "two", "three"]})},
        loaded_bytes=400_000_000,
        peak_bytes=900_000_000,
        after_bytes=800_000_000,
        throughputs=[Throughput(1, 1, "client", 0.5), Throughput(2, 2, "client", 0.6)],
    )
    own = ContestantNumbers(
        "cpu",
        "paddlex-triton, A|B",
        {"paddlex-triton": "0.1.0"},
        {"text_recognition": "rec", "text_detection": "det"},
        {
            "page": CaseNumbers(
                [1000, 1050, 1100],
                [2.0, 2.0, 2.0],
                {"page.png": ["one", "2", "three"]},
                [945, 945, 945],
                {"det": 1.0, "rec": 11.5},
                {"det": 1.0, "rec": 3.0},
                0.48,
            )
        },
        throughputs=[Throughput(8, 1, "client", 1.2, {"rec": 9.1}), Throughput(8, 1, "perf_analyzer", 1.25)],
        notes=["perf_analyzer:\nnot installed"],
    )
    numbers = PipelineNumbers("OCR", {"text_det_limit_side_len": 736}, {"page": 1}, [own, base])
    numbers.skipped["RapidOCR"] = "No matching distribution\nfound"
    return numbers


@pytest.fixture
def report(pipeline) -> Report:
    return Report("2026-12-01T08:00:00+00:00", "python -m it", "0.1.0", MACHINE, False, 0.4, 3, [pipeline])


def test_a_report_says_where_and_how(report):
    text = render(report)
    for part in (
        "Example CPU 9000, 2 cores",
        "avx2, fma",
        "0.1 before, 0.4 after",
        "`python -m it`",
        "2026-12-01",
        "24.5 GB",
    ):
        assert part in text
    assert "--busy" not in text
    report.busy = True
    assert "Its times say nothing" in render(report)


def test_numbers_are_where_they_belong(report):
    lines = render(report).splitlines()
    row = next(line for line in lines if line.startswith("| page | paddlex-triton") and "differ" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    # Of the three lines one differs; 945 of 1050 ms are the networks'.
    assert cells[2:] == ["3", "1050", "1095", "1099", "1050", "0.50", "2.00", "3", "1 of 3 differ", "945", "0.90"]
    row = next(line for line in lines if line.startswith("| page | PaddleX"))
    assert row.endswith("| 1.00 | 4.00 | 3 | - | - | - |")
    assert "| page | paddlex-triton, A&#124;B | rec | 3.0 | 11.5 | 48% |" in lines
    assert "| page | paddlex-triton, A&#124;B | det | 1.0 | 1.0 | - |" in lines
    assert "| PaddleX, ONNX Runtime | 0.40 | 0.90 | 0.80 | 0.00 |" in lines
    # Against the better of one and two processes.
    assert "| paddlex-triton, A&#124;B | client | 1 | 8 | 1.20 | 2.00 | rec 9.1 |" in lines
    assert "- Without RapidOCR: No matching distribution found" in lines
    assert "- paddlex-triton, A&#124;B: perf_analyzer: not installed".replace("&#124;", "|") in lines


def test_every_table_is_whole(report):
    rows: list[int] = []
    for line in render(report).splitlines():
        if line.startswith("|"):
            rows.append(line.count("|"))
            assert rows[-1] == rows[0]
        else:
            rows = []


def test_without_the_base_there_are_no_ratios(report, pipeline):
    pipeline.contestants.pop()
    text = render(report)
    assert "| 1050 | - | 2.00 | 3 | - | 945 | 0.90 |" in text


def test_a_pipeline_without_contestants(report, pipeline):
    pipeline.contestants.clear()
    text = render(report)
    assert "- Without RapidOCR" in text
    assert "### Latency" not in text
    assert draw_plots(pipeline) == {}


def bars(svg: str) -> list[float]:
    """Widths of the bars of a plot, pixels; the paper is a rectangle, too."""
    found = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect")
    return [float(bar.get("width", 0)) for bar in found if bar.get("x")]


def test_plots(pipeline):
    plots = draw_plots(pipeline)
    assert set(plots) == {"OCR_latency.svg", "OCR_throughput.svg"}
    for content in plots.values():
        widths = bars(content)
        assert max(widths) <= 900
        assert min(widths) > 0
    ours, theirs = bars(plots["OCR_latency.svg"])
    assert ours / theirs == pytest.approx(0.5, abs=0.01)


def test_files(report, tmp_path):
    write_report(report, tmp_path / "out")
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "report.md",
        "report.json",
        "OCR_latency.svg",
        "OCR_throughput.svg",
    }
    assert "![OCR_latency.svg](OCR_latency.svg)" in (tmp_path / "out" / "report.md").read_text()
    document = json.loads((tmp_path / "out" / "report.json").read_text())
    assert document["machine"]["flags"] == ["avx2", "fma"]
    assert document["pipelines"][0]["contestants"][0]["cases"]["page"]["ms"] == [1000, 1050, 1100]
