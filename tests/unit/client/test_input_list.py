"""Lists of inputs."""

import io
import os
import sys
from types import SimpleNamespace

import pytest

from paddlex_triton.client.exceptions import InputError
from paddlex_triton.client.input_list import read_input_list


@pytest.mark.parametrize(
    ("content", "inputs"),
    [
        (b"a.png\nb.png\n", ["a.png", "b.png"]),
        (b"a.png\r\n\r\n  \nb.png", ["a.png", "b.png"]),
        ("\ufeff页 1.png\n #2.png \n".encode(), ["页 1.png", " #2.png "]),
        (b"m_\xb7\xa2.png\nhttp://host/a,b.png\n", [os.fsdecode(b"m_\xb7\xa2.png"), "http://host/a,b.png"]),
        ("a\u2028b\x0c.png\n".encode(), ["a\u2028b\x0c.png"]),
    ],
)
@pytest.mark.parametrize("as_file", [True, False])
def test_a_line_is_an_input(tmp_path, monkeypatch, content, inputs, as_file):
    (tmp_path / "list.txt").write_bytes(content)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert read_input_list(str(tmp_path / "list.txt") if as_file else "-") == inputs


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the list of inputs is empty"),
        (b"\n \n", "the list of inputs is empty"),
        ("a.png\n".encode("utf-16"), "text in UTF-8 is needed, one path or URL a line"),
        (None, "cannot be read: No such file"),
    ],
)
def test_what_is_no_list(tmp_path, content, says):
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=says) as refused:
        read_input_list(str(path))
    assert refused.value.source == str(path)
