"""What callers gave, as messages show it."""

import pickle
import warnings

import cv2
import numpy as np
import pytest

import paddlex_triton.exceptions
from paddlex_triton.client import exceptions
from paddlex_triton.client.exceptions import InputError, PaddleXTritonError
from paddlex_triton.client.inputs import PageReader
from paddlex_triton.client.report import RunReport
from paddlex_triton.client.wording import MAX_NAME_CHARACTERS, shown_name, shown_text, without_secrets
from paddlex_triton.limits import MAX_MESSAGE_CHARACTERS


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("发票 é.png", "发票 é.png"),
        ("a\nb\r\x1b[31mc\x00.png", r"a\nb\r\x1b[31mc\x00.png"),
        ("a\x9b31m\u202egnp.exe\u2028", r"a\x9b31m\u202egnp.exe\u2028"),
        ("https://user:word@host/a.png?id=7", "https://host/a.png?id=7"),
        ("page 3 of https://user:word@host/a.pdf", "page 3 of https://host/a.pdf"),
        (
            "https://host/a.png?X-Amz-Signature=12ab&X-Amz-Expires=5&X-Amz-Credential=AK%2F1#top",
            "https://host/a.png?X-Amz-Signature=...&X-Amz-Expires=5&X-Amz-Credential=...#top",
        ),
        ("https://host/a?sv=1&sig=a%3D&access_token=eyJ", "https://host/a?sv=1&sig=...&access_token=..."),
        ("C:\\scans\\key=7.png", "C:\\scans\\key=7.png"),
    ],
)
def test_names(name, shown):
    assert shown_name(name) == shown


def test_bounds():
    assert shown_name("n" * MAX_NAME_CHARACTERS) == "n" * MAX_NAME_CHARACTERS
    assert len(shown_name("n" * (MAX_NAME_CHARACTERS + 1))) < MAX_NAME_CHARACTERS + 10
    assert shown_text("line\nline\t\x1b", 100) == "line\nline\t\\x1b"
    assert len(shown_text("m" * 9999, MAX_MESSAGE_CHARACTERS)) < MAX_MESSAGE_CHARACTERS + 10


def test_texts_without_urls_are_left_alone():
    assert without_secrets("a@b?token=c") == "a@b?token=c"


def test_errors_and_reports():
    error = InputError("the server said \x1b[31mno", source="https://u:p@host/a\n.png?token=c")
    assert str(error) == "https://host/a\\n.png?token=...: the server said \\x1b[31mno"
    report = RunReport()
    report.refuse(error)
    lines = list(report.lines())
    assert not any("token=c" in line or "u:p" in line for line in lines)


def test_warnings_are_one_line(tmp_path):
    path = tmp_path / "a\n\x1b[31mb.png"
    path.write_bytes(cv2.imencode(".png", np.zeros((8, 8, 4), np.uint8))[1].tobytes())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(list(PageReader(path))) == 1
    (warning,) = caught
    assert "a\\n\\x1b[31mb.png: parts of it are transparent" in str(warning.message)
    assert str(warning.message).isprintable()


def test_exceptions_are_where_the_documentation_says():
    assert paddlex_triton.exceptions.InputError is InputError
    assert issubclass(paddlex_triton.exceptions.PaddleXTritonError, PaddleXTritonError)
    names = {name for name, kind in vars(exceptions).items() if isinstance(kind, type)}
    assert names <= vars(paddlex_triton.exceptions).keys()


def test_exceptions_come_back_from_other_processes():
    error = pickle.loads(pickle.dumps(InputError("no", source="a.png", request_id="7")))
    assert (str(error), error.source) == ("a.png: no (request 7)", "a.png")
