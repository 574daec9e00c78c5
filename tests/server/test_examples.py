"""client/examples/kserve_grpc_client.py on a live server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlex_triton import create_pipeline

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "client" / "examples" / "kserve_grpc_client.py"
PAGE = ROOT / "samples" / "page.png"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CLIENT), *arguments], capture_output=True, encoding="utf-8", check=False, timeout=120
    )


def test_the_kserve_client_reads_what_the_library_reads(server):
    done = run(str(PAGE), server.grpc_url)
    assert (done.returncode, done.stderr) == (0, "")
    printed = re.findall(r"^(\d\.\d{3}) (.*) (\[\[.*\]\])$", done.stdout, re.MULTILINE)
    (result,) = create_pipeline("OCR", url=server.grpc_url).predict(str(PAGE), text_rec_score_thresh=0.5)
    assert len(printed) == len(done.stdout.splitlines()) > 5
    assert [(float(score), text, json.loads(polygon)) for score, text, polygon in printed] == [
        (pytest.approx(score, abs=1e-3), text, np.asarray(polygon).tolist())
        for score, text, polygon in zip(result["rec_scores"], result["rec_texts"], result["rec_polys"], strict=True)
    ]


def test_the_kserve_client_prints_nothing_of_an_empty_page(server, tmp_path):
    path = tmp_path / "empty.png"
    cv2.imwrite(str(path), np.full((64, 96, 3), 255, np.uint8))
    done = run(str(path), server.grpc_url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("what", ["no image", "no file", "no server"])
def test_the_kserve_client_says_what_failed(server, tmp_path, what):
    path = tmp_path / "page.png"
    if what != "no file":
        path.write_bytes(b"no image")
    done = run(str(path), "127.0.0.1:1" if what == "no server" else server.grpc_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) < 4, "not a traceback"


def test_the_kserve_client_says_how_it_is_called():
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ")
