"""Notes on networks that could not be exported."""

from __future__ import annotations

import json
import os

import pytest

from paddlex_triton.export import api
from paddlex_triton.export.api import export_directory
from paddlex_triton.export.errors import ConversionError, ConverterError, InferenceFileError
from paddlex_triton.export.failure_notes import MAX_REASON, forget_failure, note_failure
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


def test_folders_of_this_machine_are_left_out(tmp_path, monkeypatch):
    home, repository = tmp_path / "my home" / "cache", tmp_path / "models"
    monkeypatch.setenv("PADDLEX_TRITON_HOME", str(home))
    reason = f"{home}/converted/net/model.onnx: node (/backbone/stage1/Conv) of {repository}/net, https://a.example/b/c"
    note_failure(repository, "a", reason)
    told = "converted/net/model.onnx: node (/backbone/stage1/Conv) of net, https://a.example/b/c"
    assert read_failures(repository) == {"a": told}


def test_others_can_read_the_notes(tmp_path):
    (tmp_path / ".failed.json.new").write_text("left by a killed export")
    note_failure(tmp_path, "a", "why")
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o666 & ~mask


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


@pytest.mark.parametrize(
    ("error", "noted"), [(ConversionError, True), (InferenceFileError, True), (ConverterError, False)]
)
def test_what_this_machine_lacks_is_not_noted_of_a_network(monkeypatch, tmp_path, error, noted):
    def fetch(entry, options):
        raise error("it cannot be had")

    monkeypatch.setattr(api, "_fetch_first", fetch)
    with pytest.raises(error):
        api.export_network("PP-DocLayout-L", tmp_path)
    assert read_failures(tmp_path) == ({"PP-DocLayout-L": "it cannot be had"} if noted else {})


def test_a_note_goes_where_the_network_is_there_after_all(kit, weights_folder, tmp_path):
    folder = weights_folder(kit.detector(), kit.detector_yml())
    export_directory(folder, tmp_path / "repository")
    note_failure(tmp_path / "repository", "tiny_det", "why")
    export_directory(folder, tmp_path / "repository")
    assert read_failures(tmp_path / "repository") == {}
