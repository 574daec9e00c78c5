"""What is wrong with a request is said in PaddleX's form, and in its words where it has some."""

import json

import httpx
import pytest
from gateway_world import base64_of, picture

from paddlex_triton.client import exceptions
from paddlex_triton.client.transports.mock import AsyncMockTransport
from paddlex_triton.gateway import reading
from paddlex_triton.limits import MAX_IMAGE_PIXELS

PDF = b"%PDF-1.4 nothing"
NO_IMAGE = base64_of(b"hello world")


def faults(answer):
    return [(fault["type"], fault["loc"]) for fault in json.loads(answer["errorMsg"])]


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/ocr", {"file": NO_IMAGE}, "File type cannot be determined"),
        ("/ocr", {"file": "http://example.com/a.txt"}, "Unsupported file type"),
        ("/ocr", {"file": "http://example.com/a"}, "Unsupported file type"),
        ("/ocr", {"file": "%%%", "fileType": 1}, "Invalid input file"),
        ("/ocr", {"file": "a", "fileType": 1}, "Invalid input file"),
        ("/ocr", {"file": "", "fileType": 1}, "Invalid input file"),
        ("/ocr", {"file": NO_IMAGE, "fileType": 1}, "Invalid input file"),
        ("/ocr", {"file": NO_IMAGE, "fileType": 0}, "Invalid input file"),
        ("/seal-recognition", {"file": base64_of(PDF), "fileType": 1}, "Invalid input file"),
        ("/seal-recognition", {"file": base64_of(PDF), "fileType": 0}, "Invalid input file"),
        ("/document-preprocessing", {"file": base64_of(picture()), "fileType": 0}, "Invalid input file"),
        ("/ocr", {"file": "http://example.com/a.png"}, "URLs are not taken by this server: send the file in base64"),
        ("/ocr", {"image": NO_IMAGE}, "Invalid input file"),
    ],
)
async def test_files_that_cannot_be_read(client, path, body, says):
    async with client() as gateway:
        response = await gateway.post(path, json=body)
    assert (response.status_code, response.json()["errorCode"], response.json()["errorMsg"]) == (422, 422, says)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"fileType": 1}, [("missing", "body.file")]),
        ({"file": "x", "fileType": 2}, [("literal_error", "body.fileType")]),
        ({"file": 1, "fileType": 1}, [("string_type", "body.file")]),
        (
            {"file": "x", "useTextlineOrientation": "perhaps", "textDetThresh": "high"},
            [("bool_parsing", "body.useTextlineOrientation"), ("float_parsing", "body.textDetThresh")],
        ),
        ({"image": "x", "inferenceParams": {"maxLongSide": 0}}, [("greater_than", "body.inferenceParams.maxLongSide")]),
        ({"file": "x", "inferenceParams": 5}, [("model_type", "body.inferenceParams")]),
        ([1], [("model_attributes_type", "body")]),
    ],
)
async def test_bodies_of_a_wrong_shape(client, body, found):
    async with client() as gateway:
        response = await gateway.post("/ocr", json=body)
    assert response.status_code == 422
    assert faults(response.json()) == found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", [("missing", "body")]),
        (b'{"file": ', [("json_invalid", "body[9]")]),
        (b'{"file": "\xff"}', [("json_invalid", "body[10]")]),
        (b"[" * 100_000, [("json_invalid", "body[0]")]),
        (b'{"textDetThresh": ' + b"9" * 5000 + b"}", [("json_invalid", "body[0]")]),
    ],
)
async def test_bodies_that_are_no_json(client, content, found):
    async with client() as gateway:
        response = await gateway.post("/ocr", content=content)
    assert response.status_code == 422
    assert faults(response.json()) == found


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/seal-recognition", {"sealDetLimitType": "middle"}, "sealDetLimitType is 'middle'"),
        ("/seal-recognition", {"layoutMergeBboxesMode": "most"}, "layoutMergeBboxesMode is 'most'"),
        ("/ocr", {"textDetThresh": 1.5}, "textDetThresh is 1.5"),
        ("/ocr", {"textDetLimitSideLen": 0}, "textDetLimitSideLen is 0"),
        ("/ocr", {"textDetMaxSideLimit": 8001}, "textDetMaxSideLimit is 8001"),
        ("/ocr", {"textDetLimitType": "\ud800"}, "textDetLimitType is"),
    ],
)
async def test_values_that_are_not_allowed_are_named_as_the_caller_wrote_them(client, page, path, body, says):
    async with client() as gateway:
        response = await gateway.post(path, content=json.dumps({"file": page, "fileType": 1, **body}))
    assert response.status_code == 422
    assert response.json()["errorMsg"].startswith(says)
    assert "_" not in response.json()["errorMsg"].split(";")[0]


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (exceptions.InvalidImageError("damaged"), 422, "Invalid input file"),
        (exceptions.ImageTooLargeError("the image has 5 pixels"), 422, "the image has 5 pixels"),
        (exceptions.InvalidParameterError("text_det_thresh is 2"), 422, "textDetThresh is 2"),
        (exceptions.UnsupportedError("use_doc_unwarping is true, but"), 422, "useDocUnwarping is true, but"),
        (exceptions.PipelineNotLoadedError("no model"), 404, "this pipeline is not loaded on this server"),
        (exceptions.DeadlineExceededError("late"), 504, "the answer was not ready in time"),
        (exceptions.ServerBusyError("full"), 503, "too many requests wait"),
        (exceptions.ServerUnavailableError("10.0.0.1:8001"), 503, "the inference server does not answer"),
        (exceptions.ServerError("/secret/path"), 500, "Internal server error"),
        (KeyError("/secret/path"), 500, "Internal server error"),
    ],
)
async def test_what_the_server_says(client, page, triton, error, status, says, caplog):
    def fail(request):
        raise error

    triton.transport = AsyncMockTransport(fail)
    async with client() as gateway:
        response = await gateway.post("/ocr", json={"file": page, "fileType": 1, "logId": "mine"})
    assert response.status_code == status
    assert response.json() == {"logId": "mine", "errorCode": status, "errorMsg": says}
    assert ("retry-after" in response.headers) == (status == 503)
    assert ("Traceback" in caplog.text) == (status == 500)


async def test_people_on_what_is_no_image(client):
    async with client() as gateway:
        response = await gateway.post("/human-keypoint-detection", json={"image": NO_IMAGE})
    assert (response.status_code, response.json()["errorMsg"]) == (422, "Invalid input file")


async def test_pixels_beyond_the_limit(client, monkeypatch):
    monkeypatch.setattr(reading, "read_size", lambda data, image_format: (MAX_IMAGE_PIXELS + 1, 1))
    async with client() as gateway:
        response = await gateway.post("/ocr", json={"file": base64_of(picture()), "fileType": 1})
    assert response.status_code == 422
    assert response.json()["errorMsg"] == (
        f"Image pixel count {MAX_IMAGE_PIXELS + 1} (width={MAX_IMAGE_PIXELS + 1}, height=1) exceeds maximum allowed "
        f"{MAX_IMAGE_PIXELS}."
    )


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/ocr", 405), ("POST", "/nothing", 404)])
async def test_other_paths_and_methods(client, method, path, status):
    async with client() as gateway:
        response = await gateway.request(method, path)
    assert response.status_code == status
    assert response.json()["errorCode"] == status
    assert set(response.json()) == {"logId", "errorCode", "errorMsg"}


async def test_a_data_url_is_taken(client, page):
    async with client() as gateway:
        response = await gateway.post("/ocr", json={"file": f"data:image/png;base64,{page}", "fileType": 1})
    assert response.status_code == httpx.codes.OK
