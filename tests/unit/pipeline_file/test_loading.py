"""YAML of pipeline files: what PaddleX reads, and what nobody should."""

from __future__ import annotations

import os

import pytest

from paddlex_triton.limits import MAX_PIPELINE_FILE_BYTES, MAX_PIPELINE_FILE_VALUES
from paddlex_triton.pipeline_file import PipelineFileError, read_pipeline_file
from paddlex_triton.pipeline_file.loading import load_yaml


@pytest.fixture
def load(tmp_path):
    """Reads a text, or bytes, as a file."""

    def read(content):
        path = tmp_path / "my.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_yaml(path)

    return read


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a: 1\nb: {c: null}\n", {"a": 1, "b": {"c": None}}),
        # Texts that Python has a literal for, as in PaddleX.
        (
            "a: 1e-3\nb: '0.5'\nc: {d: 'None'}\ne: \"{16: 0.3}\"",
            {"a": 0.001, "b": 0.5, "c": {"d": None}, "e": {16: 0.3}},
        ),
        ("a: gpu:0\nb: 'a b'\nc: ['1']", {"a": "gpu:0", "b": "a b", "c": ["1"]}),
        ("a: '" + "1" * 1001 + "'", {"a": "1" * 1001}),
        ("a: &x {b: 1}\nc: *x\nd: {<<: *x, b: 2}", {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 2}}),
        (b"\xef\xbb\xbfa: 1", {"a": 1}),
        ("a: {16: 1}", {"a": {16: 1}}),
    ],
)
def test_values(load, text, values):
    assert load(text) == values


def _bomb(merge: bool) -> str:
    first = "a0: &a0 {k: v}\n" if merge else "a0: &a0 [x, x]\n"
    lines = []
    for level in range(1, 30):
        aliases = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} " + (f"{{<<: [{aliases}]}}" if merge else f"[{aliases}]"))
    return first + "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "it holds no keys"),
        ("# nothing", "it holds no keys"),
        ("- 1", "it holds no keys"),
        ("text", "it holds no keys"),
        ("a: [", "not YAML"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("a: !!python/object/apply:os.system [ls]", "not YAML"),
        ("a: !mine 1", "not YAML"),
        ("a: !!int x", "not YAML"),
        ("? [1]\n: 2", "not YAML"),
        ("a: *b", "not YAML"),
        (b"\xff\xfe\x00", "not UTF-8"),
        ("a: \x00", "not YAML"),
        ("a: 1\na: 2", "line 2: the key 'a' is there twice"),
        ("a:\n  b: 1\n  c: 2\n  b: 3", "line 4: the key 'b' is there twice"),
        ("a: &a [*a]", "an alias inside what it stands for"),
        ("a: &a\n  b: *a", "an alias inside what it stands for"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: " + "[" * 2000 + "]" * 2000, "nested too deeply"),
        ("a: " + "9" * 5000, "not YAML"),
        (_bomb(merge=False), f"more than {MAX_PIPELINE_FILE_VALUES} values"),
        (_bomb(merge=True), f"more than {MAX_PIPELINE_FILE_VALUES} values"),
        ("a: [" + "1," * MAX_PIPELINE_FILE_VALUES + "]", f"more than {MAX_PIPELINE_FILE_VALUES} values"),
    ],
)
def test_what_is_not_read(load, content, says):
    with pytest.raises(PipelineFileError) as refused:
        load(content)
    assert "my.yaml: " in str(refused.value)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_values_up_to_the_limit(load):
    # The mapping, its key and the list count too.
    assert len(load("a: [" + "1," * (MAX_PIPELINE_FILE_VALUES - 3) + "]")["a"]) == MAX_PIPELINE_FILE_VALUES - 3
    with pytest.raises(PipelineFileError, match=f"more than {MAX_PIPELINE_FILE_VALUES} values"):
        load("a: [" + "1," * (MAX_PIPELINE_FILE_VALUES - 2) + "]")


def test_bytes_up_to_the_limit(load):
    text = "a: 1 #"
    assert load(text + "x" * (MAX_PIPELINE_FILE_BYTES - len(text))) == {"a": 1}
    with pytest.raises(PipelineFileError, match=f"more than {MAX_PIPELINE_FILE_BYTES} bytes"):
        load(text + "x" * (MAX_PIPELINE_FILE_BYTES - len(text) + 1))


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    for name in ("missing.yaml", "folder.yaml", "pipe.yaml"):
        with pytest.raises(PipelineFileError, match=f"{name}: no such file"):
            read_pipeline_file(tmp_path / name)
