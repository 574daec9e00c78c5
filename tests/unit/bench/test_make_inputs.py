"""perf_analyzer's input file, decoded back to what the server must receive."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from paddlex_triton.bench import make_inputs as module
from paddlex_triton.bench.console import write_json
from paddlex_triton.bench.make_inputs import SAMPLE, bytes_tensor, make_inputs, read_pages
from paddlex_triton.client.exceptions import InputError
from paddlex_triton.errors import InvalidParameter
from paddlex_triton.pipelines import ChoiceError

PARAMS = '{"text_det_limit_side_len": 736}'


def value_of(tensor) -> bytes:
    """Return what perf_analyzer sends: the only element of a BYTES [1] tensor, its length checked."""
    assert tensor["shape"] == [1]
    raw = base64.b64decode(tensor["content"]["b64"], validate=True)
    assert int.from_bytes(raw[:4], "little") == len(raw) - 4
    return raw[4:]


@pytest.mark.parametrize("value", [b"", b"x", bytes(range(256)) * 300])
def test_bytes_carry_their_length(value):
    assert value_of(bytes_tensor(value)) == value


@pytest.mark.parametrize("pages", [[b"one"], [b"one", b"two", b"one"]])
def test_every_page_is_an_entry_with_params(pages):
    document = make_inputs(pages, PARAMS)
    assert [value_of(entry["image"]) for entry in document["data"]] == pages
    assert [value_of(entry["params"]) for entry in document["data"]] == [PARAMS.encode()] * len(pages)


def test_params_are_sent_even_when_empty():
    assert value_of(make_inputs([b"page"], "{}")["data"][0]["params"]) == b"{}"


def test_no_page_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        make_inputs([], PARAMS)


@pytest.mark.parametrize(("params", "text"), [('{"nonsense": 1}', "nonsense"), ("[", "not JSON")])
def test_bad_params_are_refused_before_a_server_sees_them(params, text):
    with pytest.raises(InvalidParameter, match=text):
        make_inputs([b"page"], params)


def test_unknown_pipeline_is_refused():
    with pytest.raises(ChoiceError, match="unknown pipeline"):
        make_inputs([b"page"], "{}", "no_such")


def test_pages_are_the_files_as_they_are(tmp_path):
    page = SAMPLE.read_bytes()
    (tmp_path / "page.png").write_bytes(page)
    (tmp_path / "notes.txt").write_text("not a page")
    assert read_pages([]) == [page]
    assert read_pages([tmp_path, SAMPLE]) == [page, page]
    with pytest.raises(InputError, match="no such file"):
        read_pages([Path("no_such.png")])


def test_command_writes_the_file(tmp_path):
    output = tmp_path / "new" / "inputs.json"
    run(["--params", PARAMS, "--output", str(output)], 0)
    document = json.loads(output.read_text())
    assert value_of(document["data"][0]["image"]) == SAMPLE.read_bytes()


def test_command_refuses_in_one_line(tmp_path):
    output = tmp_path / "inputs.json"
    message = run(["--params", '{"text_det_thresh": 2}', "--output", str(output)], 1)
    assert "text_det_thresh" in message
    assert "Traceback" not in message
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_nothing(tmp_path):
    path = tmp_path / "inputs.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_json({"data": object()}, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def run(arguments: list[str], status: int) -> str:
    app = typer.Typer()
    app.command()(module.main)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == status, result.output
    return result.output
