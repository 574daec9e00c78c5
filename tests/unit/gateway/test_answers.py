"""Every field that PaddleX's clients read, in the three generations of the API."""

import base64
import json

import cv2
import numpy as np
import pytest
from gateway_world import base64_of, picture

from paddlex_triton.client.pages import Page
from paddlex_triton.client.results import OCRResult

LINES = {"ocrResults": "list", "ocrResults.prunedResult": "dict"}
SIZES = {"dataInfo.width": "int", "dataInfo.height": "int", "dataInfo.type": "str"}
TEXTS = {"poly": "list", "text": "str", "score": "float"}
BETA = {"inferenceParams": {"maxLongSide": 960}}

# What is sent, and what an answer's `result` has, by type; lists are looked at through their first element.
FORMS = {
    "ocr": (
        "/ocr",
        "file",
        {"fileType": 1, "visualize": True},
        {**LINES, **SIZES, "ocrResults.ocrImage": "picture", "ocrResults.inputImage": "picture"},
    ),
    "ocr between": (
        "/ocr",
        "file",
        {"fileType": 1, **BETA},
        {
            **LINES,
            **SIZES,
            "ocrResults.texts": "list",
            **{f"ocrResults.texts.{key}": kind for key, kind in TEXTS.items()},
            "ocrResults.image": "picture",
        },
    ),
    "ocr of either": (
        "/ocr",
        "file",
        {"fileType": 1},
        {"ocrResults.texts.text": "str", "ocrResults.image": "picture", "ocrResults.ocrImage": "picture"},
    ),
    "ocr beta": (
        "/ocr",
        "image",
        BETA,
        {"texts": "list", **{f"texts.{key}": kind for key, kind in TEXTS.items()}, "image": "picture"},
    ),
    "seals": (
        "/seal-recognition",
        "file",
        {"fileType": 1},
        {
            **SIZES,
            "sealRecResults": "list",
            "sealRecResults.prunedResult": "dict",
            "sealRecResults.outputImages": "dict",
            "sealRecResults.outputImages.layout_det_res": "picture",
            "sealRecResults.outputImages.seal_res_region1": "picture",
            "sealRecResults.outputImages.seal_res_region2": "picture",
            "sealRecResults.inputImage": "picture",
        },
    ),
    "seals beta": (
        "/seal-recognition",
        "image",
        BETA,
        {
            "sealImpressions": "list",
            "sealImpressions.texts": "list",
            **{f"sealImpressions.texts.{key}": kind for key, kind in TEXTS.items()},
            "layoutImage": "picture",
        },
    ),
    "people": (
        "/human-keypoint-detection",
        "image",
        {"detThreshold": 0.4},
        {
            "persons": "list",
            "persons.bbox": "list",
            "persons.kpts": "list",
            "persons.detScore": "float",
            "persons.kptScore": "float",
            "image": "picture",
        },
    ),
    "preparation": (
        "/document-preprocessing",
        "file",
        {"fileType": 1},
        {
            **SIZES,
            "docPreprocessingResults": "list",
            "docPreprocessingResults.prunedResult": "dict",
            "docPreprocessingResults.outputImage": "picture",
            "docPreprocessingResults.inputImage": "picture",
        },
    ),
}
KINDS = {"list": list, "dict": dict, "int": int, "str": str, "float": float}


def find(value, path):
    for key in path.split("."):
        while isinstance(value, list):
            value = value[0]
        value = value[key]
    return value


def decoded(text):
    return cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize("form", FORMS)
async def test_fields_and_their_types(client, page, form):
    path, source, others, fields = FORMS[form]
    async with client() as gateway:
        response = await gateway.post(path, json={source: page, **others})
    answer = response.json()
    assert response.status_code == 200, answer
    assert list(answer) == ["logId", "result", "errorCode", "errorMsg"]
    assert (answer["errorCode"], answer["errorMsg"]) == (0, "Success")
    for name, kind in fields.items():
        value = find(answer["result"], name)
        if kind == "picture":
            assert decoded(value) is not None, name
        else:
            assert type(value) is KINDS[kind], name


async def test_current_answers_carry_nothing_of_older_ones(client, page):
    async with client() as gateway:
        answer = (await gateway.post("/ocr", json={"file": page, "fileType": 1, "visualize": False})).json()
    (found,) = answer["result"]["ocrResults"]
    assert list(found) == ["prunedResult"]


async def test_pruned_results_are_the_clients(client, page, triton):
    async with client() as gateway:
        answer = (await gateway.post("/ocr", json={"file": page, "fileType": 1})).json()
    (found,) = answer["result"]["ocrResults"]
    tensors = triton.transport._sync._answer(triton.transport.sent[-1])
    wanted = OCRResult.from_tensors(tensors, Page(picture()))
    assert found["prunedResult"] == {
        key: value for key, value in wanted.json["res"].items() if key not in ("input_path", "page_index")
    }
    drawn = cv2.cvtColor(np.asarray(wanted.img["ocr_res_img"].convert("RGB")), cv2.COLOR_RGB2BGR)
    assert base64.b64decode(found["ocrImage"]) == cv2.imencode(".jpg", drawn)[1].tobytes()
    assert found["texts"] == [
        {"poly": polygon.tolist(), "text": text, "score": score}
        for polygon, text, score in zip(wanted["rec_polys"], wanted["rec_texts"], wanted["rec_scores"], strict=True)
    ]


@pytest.mark.parametrize(
    ("size", "shown"),
    [((2000, 2000), (2000, 2000)), ((2001, 100), (2000, 99)), ((100, 2001), (99, 2000)), ((4000, 3000), (2000, 1500))],
)
async def test_pictures_are_scaled_to_their_bound(client, size, shown):
    body = {"file": base64_of(picture(*size)), "fileType": 1, "visualize": True}
    async with client() as gateway:
        answer = (await gateway.post("/ocr", json=body)).json()
    assert decoded(find(answer["result"], "ocrResults.inputImage")).shape[1::-1] == shown
    assert find(answer["result"], "dataInfo") == {"width": size[0], "height": size[1], "type": "image"}


@pytest.mark.parametrize(
    ("path", "source", "body", "sent"),
    [
        ("/ocr", "file", {"textDetLimitSideLen": 960, "textDetLimitType": "max", "returnWordBox": True},
         {"text_det_limit_side_len": 960, "text_det_limit_type": "max", "return_word_box": True}),
        ("/ocr", "image", BETA, {"text_det_limit_side_len": 960, "text_det_limit_type": "max"}),
        ("/seal-recognition", "image", BETA, {"seal_det_limit_side_len": 960, "seal_det_limit_type": "max"}),
        ("/seal-recognition", "file", {"layoutThreshold": {"16": 0.3}, "layoutUnclipRatio": [1.1, 1.2]},
         {"layout_threshold": {"16": 0.3}, "layout_unclip_ratio": [1.1, 1.2]}),
        ("/human-keypoint-detection", "image", {"detThreshold": 0.25}, {"det_threshold": 0.25}),
        ("/ocr", "file", {"colour": "red", "textDetThresh": None}, {}),
    ],
)  # fmt: skip
async def test_fields_become_parameters(client, page, triton, path, source, body, sent):
    async with client() as gateway:
        response = await gateway.post(
            path, json={source: page, **body, **({"fileType": 1} if source == "file" else {})}
        )
    assert response.status_code == 200
    assert json.loads(triton.transport.sent[-1].inputs["params"][0]) == sent


async def test_ids_and_times(client, page, triton):
    async with client() as gateway:
        named = await gateway.post("/seal-recognition", json={"file": page, "fileType": 1, "logId": "scan-7"})
        strange = await gateway.post("/ocr", json={"file": page, "fileType": 1, "logId": "ид \n"})
        other = await gateway.post("/ocr", json={"file": page, "fileType": 1, "logId": ""})
    assert named.json()["logId"] == "scan-7"
    assert strange.json()["logId"] == "ид \n"
    assert len(other.json()["logId"]) == 36
    ids = [request.request_id for request in triton.transport.sent]
    assert ids[0] == "scan-7"
    assert len(ids[1]) == 36
    assert ids[2] == other.json()["logId"]
    timing = other.headers["server-timing"]
    assert "doc_preprocessor;dur=1.5, text_detection;dur=20.2" in timing
    assert timing.startswith("read;dur=")
    assert timing.split(", ")[-1].startswith("total;dur=")
