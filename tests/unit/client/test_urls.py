"""URLs and other strings that are no paths: what they are called, what is never shown."""

import base64
import re
from typing import Any

import cv2
import numpy as np
import pytest
from ensemble_answers import make_tensors

from paddlex_triton.client import create_pipeline
from paddlex_triton.client.download import download
from paddlex_triton.client.exceptions import InputError, InvalidParameterError, PaddleXTritonError
from paddlex_triton.client.inputs import PageReader
from paddlex_triton.client.pages import Page
from paddlex_triton.client.results import OCRResult
from paddlex_triton.client.transports import Endpoint
from paddlex_triton.client.urls import file_name, is_url, without_credentials
from paddlex_triton.limits import MAX_MESSAGE_CHARACTERS

PNG = cv2.imencode(".png", np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8))[1].tobytes()
BASE64 = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/x/%E9%A1%B5.png?a=b#c", "页.png"),
        ("https://host", ""),
        ("https://host/x/nul%00byte.png", "nul_byte.png"),
        ("https://host/name%0Awith%0Dnewline%1B.png", "name_with_newline_.png"),
        ("https://host/a%2Fb.png", "b.png"),
        (f"https://host/{'a' * 300}.png", f"{'a' * 196}.png"),
        (f"https://host/{'a' * 196}.png", f"{'a' * 196}.png"),
        (f"https://host/{'%E9%A1%B5' * 100}.png", f"{'页' * 65}.png"),
        (f"https://host/a.{'b' * 300}", f"a.{'b' * 198}"),
    ],
)
def test_names_that_files_can_have(url, name):
    assert file_name(url) == name


def test_urls():
    assert is_url("HTTPS://host/a.png")
    assert not is_url("http")


@pytest.mark.parametrize("name", ["nul%00byte", "n" * 300, "name%0Awith%0Anewline", "%E9%A1%B5" * 100])
def test_results_of_them_are_saved(tmp_path, name):
    page = Page(PNG, f"https://host/{name}.png")
    OCRResult.from_tensors(make_tensors(["a"]), page).save_all(tmp_path)
    saved = [path.name for path in tmp_path.iterdir()]
    assert len(saved) == 2
    assert not any(re.search(r"[\x00-\x1f]", one) for one in saved)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host/a.png", "http://host/a.png"),
        ("http://host:80/@user/a@b.png", "http://host:80/@user/a@b.png"),
        ("http://[::1]:80/a@b.png", "http://[::1]:80/a@b.png"),
        ("http://user:secret@host/a.png?b=c@d#e", "http://host/a.png?b=c@d#e"),
        ("http://user:secret@[::1]:80/a", "http://[::1]:80/a"),
        ("HTTP://secret@host/a.png", "HTTP://host/a.png"),
        ("http://user:se@cret@host/a.png", "http://host/a.png"),
        ("http://user:secret/secret@host/a.png", "http://host/a.png"),
        ("http://user:secret?secret#@host/a.png", "http://host/a.png"),
        ("grpc://user:secret@host:8001", "grpc://host:8001"),
        ("user:secret@host:8001", "host:8001"),
        ("", ""),
    ],
)
def test_users_and_passwords_are_left_out(url, shown):
    assert without_credentials(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@127.0.0.1:1/a.png",
        "http://user:secret/x@127.0.0.1:1/a.png",
        "http://user:secret@127.0.0.1:port/a.png",
        "http://user:secret@[bad/a.png",
    ],
)
def test_messages_without_them(url):
    with pytest.raises(InputError, match="cannot be fetched") as caught:
        download(url)
    assert "secret" not in str(caught.value)
    (error,) = PageReader([url]).outcomes()
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    "url",
    ["http://user:secret@host", "user:secret@host:1", "http://user:secret/x@host", "ftp://user:secret@host"],
)
def test_addresses_of_servers_without_them(url):
    for refuse in (
        lambda: Endpoint.parse(url),
        lambda: Endpoint.parse(url, "grpc"),
        lambda: create_pipeline("OCR", url=url, models={"text_detection": "x"}),
    ):
        with pytest.raises(InvalidParameterError) as caught:
            refuse()
        assert "secret" not in str(caught.value)
        assert "host" in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        f"data:image/png;base64,{BASE64}",
        f"data:;base64,{BASE64}",
        f"DATA:image/png;charset=utf-8;BASE64,{BASE64}",
        f"data:image/png;base64,{BASE64[:76]}\r\n{BASE64[76:]}",
        f"data:image/png;base64,{BASE64.replace('+', '%2B')}",
        "data:image/png," + "".join(f"%{byte:02x}" for byte in PNG),
    ],
)
def test_a_data_uri_is_read_as_a_file(uri):
    assert list(PageReader(uri)) == [Page(PNG)]
    assert [page.label for page in PageReader([PNG, {"img": uri}])] == ["input 1", "input 2"]


def test_a_broken_data_uri():
    with pytest.raises(InputError, match=r"^input 2: the base64 of the data URI is broken: ") as caught:
        list(PageReader([PNG, f"data:image/png;base64,{BASE64[:50]}?{BASE64[50:]}"]))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", [BASE64, BASE64[:60], "AAAA" * 100_000, f"{BASE64[:76]}\n{BASE64[76:]}"])
def test_base64_is_named(text):
    with pytest.raises(
        InputError, match=r"there is no such file; it looks like base64: give base64\.b64decode"
    ) as caught:
        list(PageReader(text))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["nowhere.png", "a" * 255, "some/folder/scan", f"{'a/' * 200}b.png"])
def test_other_strings_are_not(text):
    with pytest.raises(InputError, match=r"there is no such file$"):
        list(PageReader(text))


@pytest.mark.parametrize(("length", "whole"), [(300, True), (301, False)])
def test_long_names_are_shortened(length, whole):
    text = str(PaddleXTritonError("no", source=f"begin{'x' * (length - 8)}end"))
    assert text.startswith("begin")
    assert text.endswith("end: no")
    assert (" ... " not in text) is whole
    assert len(text) <= 310


@pytest.mark.parametrize(("length", "whole"), [(MAX_MESSAGE_CHARACTERS, True), (MAX_MESSAGE_CHARACTERS + 1, False)])
def test_long_messages_are_shortened(length, whole):
    text = str(PaddleXTritonError("x" * length))
    assert (text == "x" * length) is whole
    assert len(text) <= MAX_MESSAGE_CHARACTERS + 5


@pytest.mark.parametrize("long", ["x" * 100_000, "." + "x" * 100_000, "http://127.0.0.1:1/" + "x" * 10_000])
def test_no_message_repeats_a_long_string(long):
    unknown: dict[str, Any] = {long: 1}
    calls = (
        lambda: list(PageReader(long)),
        lambda: PageReader({long: PNG}),
        lambda: create_pipeline(long, url="localhost:1"),
        lambda: create_pipeline("OCR", url=f"ftp://{long}"),
        lambda: create_pipeline("OCR", url="localhost:1", preset=long),
        lambda: create_pipeline("OCR", url="localhost:1").predict(PNG, text_det_limit_type=long),
        lambda: create_pipeline("OCR", url="localhost:1").predict(PNG, **unknown),
    )
    for call in calls:
        with pytest.raises(PaddleXTritonError) as caught:
            call()
        assert len(str(caught.value)) < 2_000
