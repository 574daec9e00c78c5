"""Results in one file: every line whole, whatever happens, and nothing lost that was there."""

import json
import os
import resource
import signal

import pytest

from paddlex_triton.client.exceptions import InputError, InvalidParameterError
from paddlex_triton.client.json_lines import JsonLines, SeenPages
from paddlex_triton.client.pages import Page
from paddlex_triton.client.results import (
    DocPreprocessorResult,
    KeypointDetectionResult,
    OCRResult,
    SealRecognitionResult,
)


@pytest.fixture
def result(tensors):
    def make(name, page_index=None, texts=("文字",)):
        return OCRResult.from_tensors(tensors(list(texts)), Page(b"", name, page_index))

    return make


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out" / "all.jsonl"


def write(path, results, resume=False):
    lines = JsonLines(path, resume=resume)
    for result in results:
        lines.write(result)
    lines.close()


def read(path):
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def test_a_line_is_path_page_and_paddlex_s_fields(path, result, seal_tensors, person_tensors, tensors):
    results = [
        result("a.png"),
        result("b.pdf", 3, texts=[]),
        SealRecognitionResult.from_tensors(seal_tensors([["印章"]]), Page(b"", "c.pdf", 0)),
        KeypointDetectionResult.from_tensors(person_tensors(1), Page(b"", "d.png")),
        DocPreprocessorResult.from_tensors(tensors([]), Page(b"", "e.tif", 1)),
        result(None),
    ]
    write(path, results)
    lines = read(path)
    for line, each in zip(lines, results, strict=True):
        assert list(line)[:2] == ["input_path", "page_index"]
        assert line == {"page_index": each.page.page_index, **json.loads(json.dumps(each.json["res"]))}
    named = [(line["input_path"], line["page_index"]) for line in lines]
    assert named == [("a.png", None), ("b.pdf", 3), ("c.pdf", 0), ("d.png", None), ("e.tif", 1), (None, None)]
    assert "文字".encode() in path.read_bytes()


def test_names_that_are_no_text(path, result):
    names = [os.fsdecode(b"m_\xb7\xa2.png"), "a\nb\u2028c\r.png", '"\\.png']
    write(path, map(result, names))
    assert [line["input_path"] for line in read(path)] == names
    lines = JsonLines(path, resume=True)
    assert [lines.seen.skip(name, None) for name in names] == [True, True, True]
    lines.close()


def test_a_file_that_is_cut_off_anywhere_goes_on_whole(path, result):
    write(path, [result("a.png"), result("b.pdf", 0), result("b.pdf", 1)])
    content = path.read_bytes()
    ends = [index + 1 for index, byte in enumerate(content) if byte == ord("\n")]
    pages = [("a.png", None), ("b.pdf", 0), ("b.pdf", 1)]
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        whole = sum(end <= cut for end in ends)
        lines = JsonLines(path, resume=True)
        assert path.read_bytes() == content[: [0, *ends][whole]]
        assert [lines.seen.skip(*page) for page in pages] == [True] * whole + [False] * (3 - whole)
        lines.close()
    write(path, [result("c.png")], resume=True)
    assert [line["input_path"] for line in read(path)] == ["a.png", "b.pdf", "b.pdf", "c.png"]


def test_results_are_not_added_to_without_a_word(path, result):
    write(path, [result("a.png")])
    content = path.read_bytes()
    with pytest.raises(InvalidParameterError, match=r"all\.jsonl holds results already; --resume goes on"):
        JsonLines(path, resume=False)
    assert path.read_bytes() == content
    # An empty file holds none, and one that is not there can be gone on with.
    path.write_bytes(b"")
    write(path, [result("a.png")])
    path.unlink()
    write(path, [result("a.png")], resume=True)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"my notes\n"),
        (b"", b"my notes"),
        (b"", b"{}\n"),
        (b"", b"[]\n"),
        (b"", b'{"input_path": "a.png"}\n'),
        (b'{"input_path": "a.png", "page_index": null}\n', b"\0\0\0"),
        (b'{"input_path": "a.png", "page_index": null}\n', b'{"input_path": "b.png", "pa\n'),
        (b'{"input_path": "a.png", "page_index": null}\n', b"[" * 100000 + b"\n"),
    ],
)
def test_other_files_are_left_alone(path, before, after):
    path.parent.mkdir()
    path.write_bytes(before + after)
    with pytest.raises(
        InvalidParameterError, match=f"line {1 + bool(before)} of .* is no result .* nothing is changed"
    ):
        JsonLines(path, resume=True)
    assert path.read_bytes() == before + after


def test_one_process_writes_at_a_time(path, result):
    first = JsonLines(path, resume=False)
    for resume in (True, False):
        with pytest.raises(InvalidParameterError, match="another process is writing its results there"):
            JsonLines(path, resume=resume)
    first.write(result("a.png"))
    first.close()
    JsonLines(path, resume=True).close()
    assert len(read(path)) == 1


def test_a_full_disk_leaves_whole_lines(path, result):
    lines = JsonLines(path, resume=False)
    lines.write(result("a.png"))
    content = path.read_bytes()
    # Files may not grow further than into the middle of the next line.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) + 50, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            lines.write(result("b.png"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == content
    lines.write(result("b.png"))
    lines.close()
    assert [line["input_path"] for line in read(path)] == ["a.png", "b.png"]


def test_failures_are_those_of_the_last_run(path, result):
    failures = path.with_name("all.failures.jsonl")
    lines = JsonLines(path, resume=False)
    assert not failures.exists()
    lines.fail(InputError("there is no\nsuch file", source="a.png"))
    lines.fail(InputError("broken", source="page 3 of b.pdf", request_id="r"))
    lines.close()
    assert read(failures) == [
        {"source": "a.png", "error": "InputError", "message": "there is no\nsuch file", "request_id": None},
        {"source": "page 3 of b.pdf", "error": "InputError", "message": "broken", "request_id": "r"},
    ]
    # They are no results: a run that goes on reads them again.
    lines = JsonLines(path, resume=True)
    assert not lines.seen.skip("a.png", None)
    lines.close()
    assert not failures.exists()


def test_seen_pages():
    seen = SeenPages()
    assert [seen.skip("a", None), seen.skip("a", 0), seen.skip("a", 1), seen.skip("b", 0)] == [False] * 4
    assert [seen.skip("a", None), seen.skip("a", 1), seen.skip("a", 2)] == [True, True, False]
    assert seen.skipped == 2
