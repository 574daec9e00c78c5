"""The `ocr` ensemble on a live server: answers, refusals, isolation, batching."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image
from tritonclient.utils import InferenceServerException

from paddlex_triton.admin_api import key_headers
from paddlex_triton.errors import ErrorCode, parse_message
from paddlex_triton.limits import MAX_DETECTION_SIDE, MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS, MAX_PARAMS_BYTES

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLE_LINES = ("服务器部署说明", "文字识别流水线由三个模块组成", "每个网络都是一个独立的模型")
PARAMS = {"text_det_limit_side_len": 736, "text_det_limit_type": "min"}
TIGHT = {"text_recognition_padding": "tight"}


def encode(image: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def texts_of(outputs: dict[str, np.ndarray]) -> list[str]:
    return [text.decode() for text in outputs["texts"]]


def same_answers(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


def refusal(ask, *arguments: Any, **options: Any) -> tuple[Any, Any]:
    """Triton's status and the stage's message."""
    with pytest.raises(InferenceServerException) as refused:
        ask(*arguments, **options)
    return refused.value.status(), parse_message(refused.value.message())


def test_the_sample_page_is_read(ask, sample):
    outputs = ask(sample, PARAMS)
    texts = texts_of(outputs)
    for line in SAMPLE_LINES:
        assert line in texts
    count = len(texts)
    assert outputs["points"].shape == (4 * count, 2)
    assert outputs["offsets"].tolist() == list(range(0, 4 * count + 1, 4))
    assert all(outputs[name].shape == (count,) for name in ("scores", "poly_scores", "kept", "angles", "words"))
    assert outputs["kept"].all()
    assert outputs["angle"].tolist() == [-1]
    assert outputs["preprocessed_img"].shape == (0, 0, 3)


def test_settings_tell_what_was_used(ask, sample):
    outputs = ask(sample, {**PARAMS, "text_det_thresh": 0.25})
    settings = {stage: json.loads(outputs[f"{stage}_settings"][0]) for stage in ("text_detection", "text_recognition")}
    assert settings["text_detection"]["thresh"] == 0.25
    assert settings["text_detection"]["networks"]["text_detection"]["name"] == "PP-OCRv4_mobile_det"
    assert len(settings["text_recognition"]["networks"]["text_recognition"]["sha256"]) == 64


@pytest.mark.parametrize(("given", "padding"), [({}, "paddlex"), (TIGHT, "tight")])
def test_settings_tell_how_lines_were_padded(ask, sample, given, padding):
    outputs = ask(sample, {**PARAMS, **given})
    assert json.loads(outputs["text_recognition_settings"][0])["padding"] == padding


def test_tight_padding_reads_nearly_all_lines_alike(ask, sample):
    padded, tight = ask(sample, PARAMS), ask(sample, {**PARAMS, **TIGHT})
    assert np.array_equal(padded["points"], tight["points"])
    same = sum(one == other for one, other in zip(texts_of(padded), texts_of(tight), strict=True))
    assert same >= len(padded["texts"]) - 1
    # Scores show that the lines were not padded alike.
    assert not np.array_equal(padded["scores"], tight["scores"])
    again = ask(sample, {**PARAMS, **TIGHT, "text_recognition_batch_size": 1})
    assert same_answers({name: tight[name] for name in ("texts", "scores")}, again)


def test_tight_lines_have_their_words_where_padded_ones_have_them(ask, sample):
    padded, tight = (ask(sample, {**PARAMS, **given, "return_word_box": True}) for given in ({}, TIGHT))
    compared = 0
    for texts in zip(padded["words"], tight["words"], strict=True):
        one, other = map(json.loads, texts)
        if one["words"] == other["words"]:
            # A step of the recogniser is 8 columns wide, about 5 px of these lines; characters may be read one later.
            np.testing.assert_allclose(other["regions"], one["regions"], atol=12)
            compared += 1
    assert compared >= len(padded["words"]) - 1


def test_a_blank_page_with_tight_padding_is_an_empty_answer(ask):
    outputs = ask(encode(np.full((200, 300, 3), 255, np.uint8)), {**PARAMS, **TIGHT})
    assert outputs["texts"].shape == (0,)
    assert json.loads(outputs["text_recognition_settings"][0])["padding"] == "tight"


def test_score_threshold_marks_lines(ask, sample):
    everything = ask(sample, PARAMS)
    limit = float(np.median(everything["scores"]))
    outputs = ask(sample, {**PARAMS, "text_rec_score_thresh": limit})
    assert same_answers({"texts": everything["texts"]}, outputs)
    # Stored as float32; the threshold compares the full score.
    assert 0 < outputs["kept"].sum() < len(outputs["kept"])


def test_words_come_when_asked_for(ask, sample):
    plain = ask(sample, PARAMS)
    outputs = ask(sample, {**PARAMS, "return_word_box": True})
    assert same_answers({"texts": plain["texts"], "scores": plain["scores"], "points": plain["points"]}, outputs)
    assert json.loads(outputs["text_recognition_settings"][0])["return_word_box"] is True
    quads = outputs["points"].reshape(-1, 4, 2)
    for text, words, quad in zip(texts_of(outputs), outputs["words"], quads, strict=True):
        read = json.loads(words)
        assert "".join(read["words"]) == text
        assert len(read["regions"]) == len(read["words"])
        middles = np.array(read["regions"]).mean(axis=1)
        assert (np.diff(middles[:, 0]) >= 0).all()
        assert (quad.min(axis=0) <= middles).all()
        assert (middles <= quad.max(axis=0)).all()


def test_lines_below_the_threshold_have_no_words(ask, sample):
    limit = float(np.median(ask(sample, PARAMS)["scores"]))
    outputs = ask(sample, {**PARAMS, "text_rec_score_thresh": limit, "return_word_box": True})
    assert [bool(words) for words in outputs["words"]] == outputs["kept"].tolist()


def test_the_prepared_page_comes_back_when_asked_for(ask, sample):
    page = cv2.imdecode(np.frombuffer(sample, np.uint8), cv2.IMREAD_COLOR)
    outputs = ask(sample, {**PARAMS, "return_preprocessed_img": True})
    assert np.array_equal(outputs["preprocessed_img"], page)


@pytest.mark.parametrize(
    "image",
    [
        np.full((200, 300, 3), 255, np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.full((1, 2000, 3), 7, np.uint8),
        np.full((2000, 1, 3), 7, np.uint8),
        np.zeros((31, 33, 3), np.uint8),
    ],
    ids=lambda image: f"{image.shape[1]}x{image.shape[0]}",
)
def test_nothing_to_read_is_an_empty_answer(ask, image):
    outputs = ask(encode(image), PARAMS)
    assert outputs["offsets"].tolist() == [0]
    assert outputs["points"].shape == (0, 2)
    for name in ("texts", "scores", "poly_scores", "kept", "angles", "words"):
        assert outputs[name].shape == (0,)


def legal_kinds() -> dict[str, bytes]:
    page = cv2.imread(str(ROOT / "samples" / "page.png"))
    rgb = Image.fromarray(page[..., ::-1])
    kinds = {"jpeg": encode(page, ".jpg"), "bmp": encode(page, ".bmp"), "webp": encode(page, ".webp")}
    kinds |= {"tiff": encode(page, ".tiff"), "png16": encode(page.astype(np.uint16) * 257)}
    for name, image, options in (
        ("cmyk", rgb.convert("CMYK"), {"quality": 95}),
        ("grey", rgb.convert("L"), {}),
        ("progressive", rgb, {"progressive": True, "quality": 95}),
    ):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", **options)
        kinds[name] = buffer.getvalue()
    return kinds


@pytest.mark.parametrize("kind", ["jpeg", "bmp", "webp", "tiff", "png16", "cmyk", "grey", "progressive"])
def test_every_legal_kind_of_image_is_read(ask, kind):
    texts = texts_of(ask(legal_kinds()[kind], PARAMS))
    assert "每个网络都是一个独立的模型" in texts


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + encode(np.zeros((1, 1, 3), np.uint8))[33:]


def hostile_images() -> dict[str, tuple[bytes, ErrorCode, str]]:
    jpeg = encode(cv2.imread(str(ROOT / "samples" / "page.png")), ".jpg")
    png = (ROOT / "samples" / "page.png").read_bytes()
    return {
        "empty": (b"", ErrorCode.INVALID_IMAGE, "0 bytes"),
        "text": (b"hello, I am a text file\n", ErrorCode.INVALID_IMAGE, "text"),
        "noise": (bytes(range(256)), ErrorCode.INVALID_IMAGE, "not an image"),
        "pdf": (b"%PDF-1.7\n", ErrorCode.INVALID_IMAGE, "PDF"),
        "truncated jpeg": (jpeg[: len(jpeg) // 2], ErrorCode.INVALID_IMAGE, "truncated"),
        "truncated png": (png[: len(png) // 2], ErrorCode.INVALID_IMAGE, "PNG"),
        "30000x30000": (png_header(30000, 30000), ErrorCode.IMAGE_TOO_LARGE, str(MAX_IMAGE_PIXELS)),
        "too many bytes": (
            png + bytes(MAX_IMAGE_BYTES + 1 - len(png)),
            ErrorCode.IMAGE_TOO_LARGE,
            str(MAX_IMAGE_BYTES),
        ),
    }


@pytest.mark.parametrize(
    "kind",
    ["empty", "text", "noise", "pdf", "truncated jpeg", "truncated png", "30000x30000", "too many bytes"],
)
def test_bad_images_are_refused_and_the_next_request_is_served(ask, sample, metrics, kind):
    image, code, words = hostile_images()[kind]
    before = metrics("paddlex_errors_total", stage="doc_preprocessor", code=code.value)
    status, message = refusal(ask, image, PARAMS)
    assert status == "StatusCode.INVALID_ARGUMENT"
    assert (message.stage, message.code) == ("doc_preprocessor", code)
    assert words in message.text
    assert "/" not in message.text.replace("x/", ""), "a path"
    assert texts_of(ask(sample, PARAMS))
    assert metrics("paddlex_errors_total", stage="doc_preprocessor", code=code.value) == before + 1


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (b"{not json", "not JSON"),
        (b"\xff\xff", "not JSON"),
        (b"[]", "one JSON object, got list"),
        ({f"k{index}": 1 for index in range(5000)}, "and 4995 more; allowed: "),
        ({"text_det_tresh": 0.3}, "unknown parameter 'text_det_tresh'; allowed: "),
        ({"text_det_thresh": "0.3"}, "text_det_thresh is '0.3'"),
        ({"text_det_limit_side_len": 736.5}, "text_det_limit_side_len is 736.5"),
        ({"text_det_limit_side_len": MAX_DETECTION_SIDE + 1}, f"less than or equal to {MAX_DETECTION_SIDE}"),
        ({"text_det_limit_type": "middle"}, "'min', 'max' or 'resize_long'"),
        ({"text_recognition_padding": "loose"}, "text_recognition_padding is 'loose'; input should be 'paddlex' or"),
        (b'{"text_det_thresh": 0.3' + b" " * MAX_PARAMS_BYTES + b"}", f"at most {MAX_PARAMS_BYTES}"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_bad_parameters_are_refused_and_the_next_request_is_served(ask, sample, params, words):
    status, message = refusal(ask, sample, params)
    assert status == "StatusCode.INVALID_ARGUMENT"
    assert message.code is ErrorCode.INVALID_PARAMETER
    assert words in message.text
    assert texts_of(ask(sample, PARAMS))


@pytest.mark.parametrize(
    ("option", "stage"),
    [
        ("use_doc_orientation_classify", "doc_preprocessor"),
        ("use_doc_unwarping", "doc_preprocessor"),
        ("use_textline_orientation", "text_recognition"),
    ],
)
def test_what_is_not_there_is_said_so_and_can_be_switched_off(ask, sample, option, stage):
    status, message = refusal(ask, sample, {**PARAMS, option: True})
    assert status == "StatusCode.UNIMPLEMENTED"
    assert (message.stage, message.code) == (stage, ErrorCode.UNSUPPORTED)
    assert texts_of(ask(sample, {**PARAMS, option: False}))


def test_http_status_of_a_refusal(server):
    header = json.dumps(
        {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 9}}]}
    ).encode()
    answer = httpx.post(
        f"{server.http_url}/v2/models/ocr/infer",
        content=header + struct.pack("<I", 5) + b"hello",
        headers={"Inference-Header-Content-Length": str(len(header))},
        trust_env=False,
    )
    assert answer.status_code == 400
    message = parse_message(answer.json()["error"])
    assert message is not None
    assert message.code is ErrorCode.INVALID_IMAGE


def test_an_expired_request_says_which_stage_saw_it(ask, sample):
    status, message = refusal(ask, sample, PARAMS, timeout=1)
    assert status == "StatusCode.UNAVAILABLE"
    assert message.code is ErrorCode.DEADLINE_EXCEEDED
    assert texts_of(ask(sample, PARAMS, timeout=60_000_000))


def test_pages_together_and_one_after_the_other(ask, sample):
    other = encode(cv2.imread(str(ROOT / "samples" / "page.png"))[100:420, :700])
    alone = [ask(image, PARAMS) for image in (sample, other)]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            together = list(pool.map(lambda image: ask(image, PARAMS), (sample, other)))
            for one, both in zip(alone, together, strict=True):
                assert texts_of(one) == texts_of(both)
                assert np.array_equal(one["points"], both["points"])
                np.testing.assert_allclose(one["scores"], both["scores"], atol=1e-5)


def test_bad_pages_do_not_disturb_good_ones_in_flight(ask, sample):
    good = texts_of(ask(sample, PARAMS))

    def send(index: int) -> list[str] | None:
        try:
            return texts_of(ask(b"junk" if index % 2 else sample, PARAMS))
        except InferenceServerException:
            return None

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(16)))
    assert answers == [None if index % 2 else good for index in range(16)]


def test_the_recognisers_runs_are_as_large_as_they_may_be_and_answers_the_same_under_load(
    ask, triton, statistics, count_runs
):
    # Fourteen lines of one width, of which 1920 columns hold four: on a CPU no run is larger.
    line = cv2.imread(str(ROOT / "samples" / "page.png"))[430:490, 540:800]
    image = encode(np.tile(line, (7, 2, 1)))
    alone = texts_of(ask(image, PARAMS))
    assert len(alone) == 14
    before = statistics(triton, "PP-OCRv4_mobile_rec")
    with ThreadPoolExecutor(8) as pool:
        answers = [texts_of(outputs) for outputs in pool.map(lambda _: ask(image, PARAMS), range(16))]
    rows, runs = count_runs(triton, "PP-OCRv4_mobile_rec", before, 16 * len(alone))
    assert answers == [alone] * 16
    assert rows == 16 * len(alone)
    assert runs == 16 * 4


def test_only_what_was_asked_for_is_served(server, triton):
    headers = key_headers(server.admin_key, grpc=True)
    names = {model.name for model in triton.get_model_repository_index(headers=headers).models}
    assert names == {
        "ocr", "ocr.doc_preprocessor", "text_detection", "text_recognition",
        "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec",
    }  # fmt: skip
    assert httpx.get(f"{server.http_url}/v2/health/ready", trust_env=False).status_code == 200
    answer = httpx.post(f"{server.http_url}/v2/models/seal_recognition/infer", json={"inputs": []}, trust_env=False)
    assert answer.status_code == 404


def test_metrics_count_pages_and_lines(ask, sample, metrics):
    names = ("paddlex_pages_total", "paddlex_items_total", "paddlex_network_rows_total", "paddlex_network_slots_total")
    before = [metrics(name, stage="text_recognition") for name in names]
    lines = len(texts_of(ask(sample, PARAMS)))
    pages, items, rows, slots = (
        metrics(name, stage="text_recognition") - start for name, start in zip(names, before, strict=True)
    )
    assert (pages, items, rows) == (1, lines, lines)
    assert slots >= rows


def test_curl_alone_reads_an_image(server):
    script = ROOT / "scripts" / "infer_with_curl"
    answer = subprocess.run(
        ["bash", script, ROOT / "samples" / "page.png", server.http_url], capture_output=True, check=True, timeout=120
    )
    head, _, _ = answer.stdout.partition(b"}]}")
    assert b'"model_name":"ocr"' in head
    assert "服务器部署说明" in answer.stdout.decode(errors="replace")


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("page", lambda array: array[:0], "a page is [H, W, 3] with pixels"),
        ("offsets", lambda array: array + 1, "offsets"),
        ("regions", lambda array: array + 5000, "leaves the page"),
        ("region_ids", lambda array: array + 1, "there are 1"),
        ("region_ids", lambda array: array[:-1], "one per polygon"),
    ],
)
def test_a_module_called_on_its_own_checks_its_inputs(triton, name, change, words):
    import tritonclient.grpc as grpcclient

    arrays = {
        "page": np.full((40, 100, 3), 255, np.uint8),
        "regions": np.array([[0, 0, 100, 40]], np.int32),
        "points": np.array([[5, 5], [95, 5], [95, 35], [5, 35]], np.int32),
        "offsets": np.array([0, 4], np.int32),
        "region_ids": np.array([0], np.int32),
    }

    def call() -> Any:
        tensors = []
        for key, array in arrays.items():
            tensor = grpcclient.InferInput(key, list(array.shape), {"u": "UINT8", "i": "INT32"}[array.dtype.kind])
            tensor.set_data_from_numpy(array)
            tensors.append(tensor)
        return triton.infer("text_recognition", tensors, client_timeout=60)

    assert len(call().as_numpy("texts")) == 1
    arrays[name] = change(arrays[name])
    with pytest.raises(InferenceServerException) as refused:
        call()
    message = parse_message(refused.value.message())
    assert message is not None
    assert (message.stage, message.code) == ("text_recognition", ErrorCode.INVALID_PARAMETER)
    assert words in message.text
