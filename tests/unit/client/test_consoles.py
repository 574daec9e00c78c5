"""Consoles that cannot show every letter: results are saved and printed all the same."""

import ast
import io
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from ensemble_answers import make_tensors
from small_triton import serve

from paddlex_triton.client.cli import _print_error
from paddlex_triton.client.consoles import is_terminal, showable
from paddlex_triton.client.exceptions import InputError
from paddlex_triton.client.progress import PageProgress
from paddlex_triton.client.results import OCRResult

TEXT = "发票 é €\U0001f600"


def stream(encoding: str, errors: str = "strict") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors, newline="")


def written(console: io.TextIOWrapper) -> str:
    console.flush()
    return console.buffer.getvalue().decode(console.encoding)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", r"\u53d1\u7968 \xe9 \u20ac\U0001f600"),
        ("latin-1", r"\u53d1\u7968 é \u20ac\U0001f600"),
        ("cp1252", r"\u53d1\u7968 é €\U0001f600"),
        ("gbk", r"发票 é \u20ac\U0001f600"),
        ("utf-8", TEXT),
    ],
)
def test_letters_that_a_console_has_not_are_escaped(encoding, shown):
    assert showable(TEXT, stream(encoding)) == shown


def test_streams_that_show_everything():
    assert showable(TEXT, io.StringIO()) == TEXT
    assert showable(TEXT, stream("ascii", "backslashreplace")) == TEXT
    assert showable("a\udcb7", stream("utf-8", "surrogateescape")) == "a\udcb7"
    assert showable("a\udcb7", stream("utf-8")) == r"a\udcb7"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("json_format", [False, True])
def test_print(tensors, page, monkeypatch, encoding, json_format):
    console = stream(encoding)
    monkeypatch.setattr(sys, "stdout", console)
    result = OCRResult.from_tensors(tensors([TEXT]), page)
    result.print(json_format=json_format)
    text = written(console)
    if json_format:
        # JSON has escapes of its own.
        assert json.loads(text) == result.json
    else:
        (found,) = ast.literal_eval(text.partition("'rec_texts': ")[2].partition("]")[0] + "]")
        assert found == TEXT


def test_errors(monkeypatch):
    console = stream("ascii")
    monkeypatch.setattr(sys, "stderr", console)
    _print_error(InputError("there is no such file", source="发票.png"))
    assert written(console) == "Error: \\u53d1\\u7968.png: there is no such file\n"


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "C"},
    ],
)
def test_the_command_line(tmp_path, environment):
    # Without UTF-8 names of files are bytes.
    stem = "page" if "PYTHONUTF8" in environment else "发票"
    page = tmp_path / f"{stem}.png"
    page.write_bytes(cv2.imencode(".png", np.full((60, 100, 3), 255, np.uint8))[1].tobytes())
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    with serve("http", lambda: make_tensors([TEXT])) as url:
        program = [sys.executable, "-c", "from paddlex_triton.cli import main; main()", "predict", "OCR", "--url", url]
        done = subprocess.run(
            [*program, "--input", page, "--input", tmp_path / "无.png", "--save_path", tmp_path / "out"],
            env={**inherited, "PYTHONDONTWRITEBYTECODE": "1", **environment},
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert b"Traceback" not in done.stderr
    assert done.returncode == 1
    assert b"'rec_texts': ['" in done.stdout
    assert b"there is no such file" in done.stderr
    assert json.loads((tmp_path / "out" / f"{stem}_res.json").read_text(encoding="utf-8"))["rec_texts"] == [TEXT]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk"])
@pytest.mark.parametrize(
    "command", [["--help"], ["predict", "OCR", "--help"], ["get-pipeline-config", "OCR", "--help"]]
)
def test_help(encoding, command):
    program = [sys.executable, "-c", "from paddlex_triton.cli import main; main()", *command]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "80"}
    done = subprocess.run(program, env=environment, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"--help" in done.stdout


def predict(tmp_path, shell: str) -> subprocess.CompletedProcess[str]:
    """Run `predict` on three pages and a name that is none, in a shell that puts `$0` where it is told."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.png").write_bytes(cv2.imencode(".png", np.full((60, 100, 3), 255, np.uint8))[1].tobytes())
    program = [sys.executable, "-c", "from paddlex_triton.cli import main; main()", "predict", "OCR"]
    with serve("grpc", lambda: make_tensors([TEXT] * 500)) as url:
        options = ["--url", url, "--save_path", tmp_path / "out", "--input", folder, "--input", "nowhere.png"]
        return subprocess.run(
            ["bash", "-c", shell.replace("$0", '"$0" "$@"'), *program, *options],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.mark.parametrize(
    "shell",
    ["$0 >&-", "$0 2>&-", "$0 >&- 2>&- <&-", "$0 2>/dev/full", "TERM=dumb COLUMNS=1 $0"],
)
def test_streams_that_are_closed(tmp_path, shell):
    done = predict(tmp_path, shell)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(list((tmp_path / "out").glob("*.json"))) == 3


def test_a_reader_that_has_enough(tmp_path):
    done = predict(tmp_path, "{ $0; echo $? >&2; } | head -c 5")
    assert "rror" not in done.stderr
    assert done.stderr.splitlines()[-1] == "1"


def test_a_full_disk(tmp_path):
    done = predict(tmp_path, "$0 >/dev/full")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("stream", [None, io.StringIO(), object()])
def test_programs_without_a_console(monkeypatch, tensors, page, stream):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", stream)
    PageProgress("OCR").update(1, 2)
    OCRResult.from_tensors(tensors([TEXT]), page).print()
    OCRResult.from_tensors(tensors([TEXT]), page).print(json_format=True)


def test_a_standard_error_that_was_closed(monkeypatch):
    closed = io.StringIO()
    closed.close()
    assert not is_terminal(closed)
    monkeypatch.setattr(sys, "stderr", closed)
    PageProgress("OCR").update(1, 2)
