"""Runs of `paddlex-triton predict` that are killed, or whose server is: what is resumed has one result a page."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
import pytest
from killable_server import KillableServer, wait_for

COMMAND = [sys.executable, "-m", "paddlex_triton.cli", "predict", "OCR"]
PICTURES, PDF_PAGES = 40, 10
# Seconds for a page.
SLOW = 0.01


@pytest.fixture(scope="module")
def server() -> Iterator[KillableServer]:
    server = KillableServer(SLOW)
    server.start()
    wait_for([server])
    yield server
    server.kill()


@pytest.fixture
def inputs(tmp_path) -> set[tuple[str, int | None]]:
    """A folder `in` with pictures and a document between them; its pages."""
    (tmp_path / "in").mkdir()
    picture = cv2.imencode(".png", np.full((8, 8, 3), 255, np.uint8))[1].tobytes()
    names = [f"in/{number:03}.png" for number in range(PICTURES)]
    for name in names:
        (tmp_path / name).write_bytes(picture)
    pdf = pypdfium2.PdfDocument.new()
    for _ in range(PDF_PAGES):
        pdf.new_page(20, 20)
    pdf.save(tmp_path / "in" / "020.pdf")
    return {*((name, None) for name in names), *(("in/020.pdf", index) for index in range(PDF_PAGES))}


@pytest.fixture
def start(tmp_path, server):
    """Starts a run, with more options, which goes on with the one before."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    running = []

    def run(*options: str) -> subprocess.Popen[str]:
        command = [*COMMAND, "--input", "in", "--save_path", "out.jsonl", "--resume", "--url", server.url, *options]
        running.append(
            subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, bufsize=1)
        )
        return running[-1]

    yield run
    for process in running:
        process.kill()
        process.wait()
        process.stderr.close()


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def wait_for_more(path: Path, process: subprocess.Popen[str], more: int) -> None:
    """Wait until the file has so many bytes more, or the run is over."""
    wanted = size_of(path) + more
    while process.poll() is None and size_of(path) < wanted:
        time.sleep(0.001)


def lines_of(path: Path) -> list[tuple[str, int | None]]:
    results = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert all(result["rec_texts"] == ["read"] for result in results)
    return [(result["input_path"], result["page_index"]) for result in results]


@pytest.mark.parametrize("seed", [1, 2])
def test_one_result_a_page_after_kills(tmp_path, inputs, start, seed):
    dice, out = random.Random(seed), tmp_path / "out.jsonl"
    for _ in range(2):
        process = start()
        wait_for_more(out, process, dice.randrange(20_000))
        process.kill()
        process.communicate()
        # What a kill in the middle of a write leaves.
        with out.open("ab") as file:
            file.write(b'{"input_path": "in/000.png", "page_index": null, "model_set'[: dice.randrange(60)])
    _, said = (process := start()).communicate(timeout=60)
    assert process.returncode == 0, said
    assert len(lines_of(out)) == len(inputs)
    assert set(lines_of(out)) == inputs


def test_one_result_a_page_after_the_server_was_killed(tmp_path, inputs, start, server):
    out = tmp_path / "out.jsonl"
    process = start()
    wait_for_more(out, process, 10_000)
    server.kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "no server answers" in said or "the connection to" in said
    assert 0 < len(lines_of(out)) < len(inputs)
    server.start()
    wait_for([server])
    _, said = (process := start()).communicate(timeout=60)
    assert process.returncode == 0, said
    assert len(lines_of(out)) == len(inputs)
    assert set(lines_of(out)) == inputs


def test_ctrl_c(tmp_path, inputs, start):
    out = tmp_path / "out.jsonl"
    # One page at a time, so that there is much to do yet.
    process = start("--max_in_flight", "1")
    wait_for_more(out, process, 1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    pages = len(lines_of(out))
    assert 0 < pages < len(inputs)
    count, *others = said.splitlines()
    # The signal may come after a line, and before it is counted.
    assert count in (f"Pages read: {pages}", f"Pages read: {pages - 1}")
    assert others == ["Refused: 0", "Results: out.jsonl", "Interrupted"]
