"""`paddlex-triton predict` on very many inputs: one file, lists, resuming, memory, what is said on the way."""

import gc
import io
import itertools
import json
import os
import re
import sys
import time
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
import pytest
from typer.testing import CliRunner

from paddlex_triton import cli
from paddlex_triton.client import NO_RETRIES, Pipeline
from paddlex_triton.client import pipeline as pipeline_module
from paddlex_triton.client import progress as progress_module
from paddlex_triton.client.exceptions import InvalidImageError, ServerUnavailableError
from paddlex_triton.client.progress import PageProgress, ProgressLines
from paddlex_triton.client.transports.mock import MockTransport
from paddlex_triton.pipelines import find_pipeline

PICTURE = cv2.imencode(".png", np.full((8, 8, 3), 255, np.uint8))[1].tobytes()


@pytest.fixture
def answers(tensors):
    """The answer of a server that reads every page; it remembers no request."""
    return tensors(["read"])


@pytest.fixture
def predict(monkeypatch, answers, tmp_path):
    """Runs `predict OCR` into a file; gives the command's result and how many requests were made."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, answer=None, save_path="out.jsonl"):
        count = [0]

        def counted(request):
            count[0] += 1
            transport.sent.clear()
            return answers if answer is None else answer(count[0])

        transport = MockTransport(counted)

        def create(name, **options):
            return Pipeline(find_pipeline(name), transport, retry=NO_RETRIES, max_in_flight=options["max_in_flight"])

        monkeypatch.setattr(pipeline_module, "create_pipeline", create)
        command = ["predict", "OCR", *map(str, arguments), "--save_path", save_path]
        return CliRunner().invoke(cli.app, command, catch_exceptions=False), count[0]

    return run


@pytest.fixture
def pictures(tmp_path):
    """Makes pictures in a folder."""

    def make(count, folder="in"):
        (tmp_path / folder).mkdir()
        for index in range(count):
            (tmp_path / folder / f"{index:06}.png").write_bytes(PICTURE)
        return [f"{folder}/{index:06}.png" for index in range(count)]

    return make


@pytest.fixture
def document(tmp_path):
    """A PDF of five pages."""
    pdf = pypdfium2.PdfDocument.new()
    for _ in range(5):
        pdf.new_page(20, 20)
    pdf.save(tmp_path / "five.pdf")
    return "five.pdf"


def results(path="out.jsonl"):
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [(line["input_path"], line["page_index"]) for line in map(json.loads, lines)]


def pages_of(document):
    return [(document, index) for index in range(5)]


def test_a_folder_becomes_one_file(predict, pictures, document):
    names = pictures(3)
    done, sent = predict("in", document)
    assert done.exit_code == 0, done.output
    assert results() == [*((name, None) for name in names), *pages_of(document)]
    assert sent == 8
    # Nothing is printed on the standard output.
    assert done.stdout == ""
    assert done.stderr.splitlines() == ["Pages read: 8", "Refused: 0", "Results: out.jsonl"]
    assert not Path("out.failures.jsonl").exists()


def test_a_list_of_inputs(predict, pictures, document, tmp_path, monkeypatch):
    names = pictures(3)
    (tmp_path / "list.txt").write_text("\n".join([*names, document, "nowhere.png"]))
    done, _ = predict("--input_list", "list.txt", "--input", "in/000001.png")
    assert done.exit_code == 1
    # What is named twice is read once.
    order = [names[1], names[0], names[2]]
    assert results() == [*((name, None) for name in order), *pages_of(document)]
    assert "nowhere.png: there is no such file" in done.stderr
    assert done.stderr.splitlines()[-6:-3] == ["Pages read: 8", "Already there: 1", "Refused: 1"]
    (failure,) = [json.loads(line) for line in (tmp_path / "out.failures.jsonl").read_text().splitlines()]
    assert failure["source"] == "nowhere.png"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"in/000002.png\n")))
    command = ["predict", "OCR", "--input_list", "-", "--save_path", "piped.jsonl"]
    assert CliRunner().invoke(cli.app, command, input=b"in/000002.png\n").exit_code == 0
    assert results("piped.jsonl") == [("in/000002.png", None)]


def failing_from(number, answers, error=None):
    """Answer until then."""

    def answer(count):
        if count >= number:
            raise error or ServerUnavailableError("no server answers")
        return answers

    return answer


def test_a_run_goes_on_where_it_ended(predict, pictures, document, answers):
    names = pictures(6)
    inputs = [*names[:3], document, *names[3:]]
    every = [*((name, None) for name in names[:3]), *pages_of(document), *((name, None) for name in names[3:])]
    expected = 0
    # It ends within the document, too.
    for read in (2, 3, 0, 1, 4):
        done, _ = predict(*inputs, "--resume", "--max_in_flight", 1, answer=failing_from(read + 1, answers))
        assert done.exit_code == 1
        assert "Error: " in done.stderr
        expected += read
        assert results() == every[:expected]
    done, sent = predict(*inputs, "--resume")
    assert (done.exit_code, sent) == (0, 1)
    assert results() == every
    done, sent = predict(*inputs, "--resume")
    assert (done.exit_code, sent) == (0, 0)
    assert done.stderr.splitlines() == ["Pages read: 0", "Already there: 11", "Refused: 0", "Results: out.jsonl"]


def test_results_that_are_there_are_not_touched(predict, pictures):
    pictures(2)
    predict("in")
    done, sent = predict("in")
    assert (done.exit_code, sent) == (1, 0)
    assert "out.jsonl holds results already; --resume goes on with it" in done.stderr
    assert len(results()) == 2


def test_failed_pages_are_tried_again(predict, pictures, tmp_path, answers):
    names = pictures(4)
    (tmp_path / names[1]).write_bytes(b"broken")
    (tmp_path / names[2]).write_bytes(b"%PDF-1.7")
    done, _ = predict("in", "--max_in_flight", 1, answer=lambda count: refuse() if count == 2 else answers)
    assert done.exit_code == 1
    assert results() == [(names[0], None), (names[3], None)]
    lines = (tmp_path / "out.failures.jsonl").read_text().splitlines()
    assert [(line["source"], line["error"]) for line in map(json.loads, lines)] == [
        (names[1], "InvalidImageError"),
        (names[2], "InputError"),
    ]
    report = done.stderr.splitlines()[-6:]
    assert report[:3] == ["Pages read: 2", "Refused: 2", f"  {names[1]}: no image"]
    assert report[3].startswith(f"  {names[2]}: the PDF cannot be opened")
    assert report[4:] == ["Results: out.jsonl", "Failures: out.failures.jsonl"]
    for name in names[1:3]:
        (tmp_path / name).write_bytes(PICTURE)
    done, sent = predict("in", "--resume")
    assert (done.exit_code, sent) == (0, 2)
    assert sorted(results()) == [(name, None) for name in names]
    assert not (tmp_path / "out.failures.jsonl").exists()


def refuse():
    raise InvalidImageError("no image")


def test_ctrl_c_ends_with_what_was_saved(predict, pictures, answers):
    names = pictures(5)
    done, _ = predict("in", "--max_in_flight", 1, answer=failing_from(3, answers, KeyboardInterrupt()))
    assert done.exit_code == 130
    assert results() == [(name, None) for name in names[:2]]
    assert done.stderr.splitlines() == ["Pages read: 2", "Refused: 0", "Results: out.jsonl", "Interrupted"]
    done, sent = predict("in", "--resume")
    assert (done.exit_code, sent) == (0, 3)


@pytest.mark.parametrize("save_path", ["out", "out.json"])
def test_folders_cannot_be_gone_on_with(predict, pictures, save_path):
    pictures(1)
    done, sent = predict("in", "--resume", save_path=save_path)
    assert (done.exit_code, sent) == (1, 0)
    assert "resume is for results in one file: --save_path FILE.jsonl" in done.stderr


def test_a_folder_may_be_called_so(predict, pictures, tmp_path):
    pictures(1)
    (tmp_path / "out.jsonl").mkdir()
    done, _ = predict("in")
    assert done.exit_code == 0
    assert (tmp_path / "out.jsonl" / "000000_res.json").exists()


def test_a_folder_that_cannot_be_written(predict, pictures, tmp_path):
    pictures(1)
    (tmp_path / "file").write_bytes(b"")
    done, sent = predict("in", save_path="file/out.jsonl")
    assert (done.exit_code, sent) == (1, 0)
    assert done.stderr.startswith("Error: ")


def test_memory_does_not_grow_with_the_pages(predict, tmp_path, answers):
    """A page costs what tells that it was read; a result or an error that were kept would cost far more."""
    pages, half, traced = 1200, 400, {}
    (tmp_path / "in").mkdir()
    for index in range(pages):
        (tmp_path / "in" / f"{index:06}.png").write_bytes(PICTURE + os.urandom(20_000))

    def answer(number):
        if number in (half, pages):
            gc.collect()
            traced[number] = tracemalloc.get_traced_memory()[0]
        # Every third page is refused: its error knows the page.
        return refuse() if number % 3 == 0 else answers

    tracemalloc.start()
    try:
        done, sent = predict("in", answer=answer)
    finally:
        tracemalloc.stop()
    assert (done.exit_code, sent) == (1, pages)
    assert (traced[pages] - traced[half]) / (pages - half) < 1000


def test_a_line_a_minute_where_there_is_no_terminal():
    now = [0.0]
    progress = ProgressLines("OCR", lambda: now[0])

    def said(seconds, done, total=1000):
        now[0] = seconds
        return list(progress.lines(done, total))

    assert said(59, 100) == []
    assert said(60, 100) == ["OCR: 100 of 1000 pages, 1.7 pages/s, 0:09:00 left"]
    assert said(119, 150) == []
    assert said(150, 300) == ["OCR: 300 of 1000 pages, 2.0 pages/s, 0:05:50 left"]
    assert said(1e6, 1000) == ["OCR: 1000 of 1000 pages, 0.0 pages/s, 0:00:00 left"]


def test_lines_of_a_run(predict, pictures, monkeypatch):
    pictures(3)
    monkeypatch.setattr(progress_module, "_LINES_APART_S", 0.0)
    done, _ = predict("in")
    lines = [line for line in done.stderr.splitlines() if line.startswith("OCR: ")]
    assert [line.split(", ")[0] for line in lines] == [f"OCR: {done} of 3 pages" for done in (1, 2, 3)]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_where_there_is_one(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for name, value in {"TERM": "xterm", "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    assert list(ProgressLines("OCR", itertools.count(0, 100).__next__).lines(1, 2)) == []
    bar = PageProgress("OCR")
    for done in range(6):
        bar.update(done, 100)
        time.sleep(0.02)
    assert bar._bar is not None
    bar._bar.refresh()
    bar.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue()).replace("\r", "\n").splitlines()
    last = [line for line in shown if "5/100" in line][-1]
    assert re.search(r"OCR .* 5/100 \d+\.\d pages/s \d:\d\d:\d\d", last)
