"""Notes on networks that could not be exported."""

from __future__ import annotations

import json

import pytest

from paddlex_triton.export.failures import MAX_REASON, forget_failure, note_failure
from paddlex_triton.failed_exports import FILE_NAME, read_failures


def test_notes_come_and_go(tmp_path):
    repository = tmp_path / "repository"
    assert read_failures(repository) == {}
    note_failure(repository, "a", "0.006 is not 0.001")
    note_failure(repository, "b", "no ONNX")
    note_failure(repository, "a", "0.005 is not 0.001")
    assert read_failures(repository) == {"a": "0.005 is not 0.001", "b": "no ONNX"}
    assert [path.name for path in repository.iterdir()] == [FILE_NAME]
    forget_failure(repository, "c")
    forget_failure(repository, "a")
    assert read_failures(repository) == {"b": "no ONNX"}
    forget_failure(repository, "b")
    assert list(repository.iterdir()) == []


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("/home/me/.cache/net/inference.onnx does not load", "inference.onnx does not load"),
        ("it is 1/255 from /a/b/c: no", "it is 1/255 from c: no"),
        ("no answer from https://host.example/a/b", "no answer from https://host.example/a/b"),
    ],
)
def test_folders_of_this_machine_are_left_out(tmp_path, reason, told):
    note_failure(tmp_path, "a", reason)
    assert read_failures(tmp_path) == {"a": told}


@pytest.mark.parametrize("length", [MAX_REASON, MAX_REASON + 1])
def test_a_long_reason_is_cut(tmp_path, length):
    note_failure(tmp_path, "a", "x" * length)
    kept = read_failures(tmp_path)["a"]
    assert (len(kept), kept.endswith("…")) == (MAX_REASON, length > MAX_REASON)


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_damaged_file_is_as_none(tmp_path, content):
    (tmp_path / FILE_NAME).write_text(content)
    assert read_failures(tmp_path) == {}
    note_failure(tmp_path, "a", "why")
    assert json.loads((tmp_path / FILE_NAME).read_text()) == {"a": "why"}
