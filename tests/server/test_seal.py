"""The `seal_recognition` ensemble on a live server, on networks that find pink: fan-out, switches, refusals, bounds."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest
import seal_world
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from paddlex_triton import create_pipeline
from paddlex_triton.bench.batching import float_difference
from paddlex_triton.errors import ErrorCode, parse_message
from paddlex_triton.limits import MAX_DETECTION_SIDE, MAX_REGIONS, MAX_REGIONS_DETECTION_PIXELS
from paddlex_triton.server.host.launcher import EmbeddedServer

# One seal to a quarter of a page of 1000 x 800.
SEALS = [
    (250, 180, 150, "FIRST 12"),
    (750, 180, 150, "SECOND 3"),
    (250, 580, 150, "THIRD 45"),
    (750, 580, 150, "FOURTH 6"),
]


def encode(image: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def page_with(*which: int, width: int = 1000, height: int = 800) -> np.ndarray:
    return seal_world.draw_page(width, height, [SEALS[index] for index in which])


def texts_by_region(outputs: dict[str, np.ndarray]) -> list[list[str]]:
    texts = [text.decode() for text in outputs["texts"]]
    return [
        [text for text, region in zip(texts, outputs["region_ids"], strict=True) if region == index]
        for index in range(len(outputs["regions"]))
    ]


def settings_of(outputs: dict[str, np.ndarray], stage: str) -> dict[str, Any]:
    return json.loads(outputs[f"{stage}_settings"][0])


def refusal(ask: Any, *arguments: Any, **options: Any) -> tuple[Any, Any]:
    with pytest.raises(InferenceServerException) as refused:
        ask(*arguments, **options)
    return refused.value.status(), parse_message(refused.value.message())


@pytest.mark.parametrize("which", [(), (0,), (0, 3), (0, 1, 2, 3)], ids=["none", "one", "two", "four"])
def test_every_seal_of_a_page_is_read(ask_seal, which):
    outputs = ask_seal(encode(page_with(*which)), {"layout_merge_bboxes_mode": "union", "layout_threshold": 0.55})
    count = len(which)
    assert [label.decode() for label in outputs["layout_labels"]] == ["seal"] * count
    assert outputs["layout_class_ids"].tolist() == [1] * count
    assert outputs["layout_scores"].tolist() == pytest.approx([seal_world.SCORES[index] for index in which])
    assert outputs["regions"].tolist() == outputs["layout_boxes"].astype(int).tolist()
    found = texts_by_region(outputs)
    assert len(found) == count
    for texts, index in zip(found, which, strict=True):
        assert SEALS[index][3] in texts
    lines = len(outputs["texts"])
    assert outputs["offsets"].shape == (lines + 1,)
    assert outputs["points"].shape == (outputs["offsets"][-1], 2)
    assert outputs["region_ids"].tolist() == sorted(outputs["region_ids"].tolist())
    for name in ("scores", "poly_scores", "kept", "angles", "words"):
        assert outputs[name].shape == (lines,)
    assert outputs["kept"].all()


def test_a_detector_s_own_number_of_candidates_counts(ask_seal):
    page = encode(page_with(0))
    assert len(ask_seal(page)["texts"]) > 1
    assert len(ask_seal(page, {"seal_text_detection_model_name": seal_world.FEW})["texts"]) == 1


def test_polygons_are_relative_to_their_region(ask_seal):
    outputs = ask_seal(encode(page_with(3)))
    ((x1, y1, x2, y2),) = outputs["regions"].tolist()
    assert (x1, y1) == (468, 375)
    assert outputs["points"].min() >= 0
    assert (outputs["points"].max(axis=0) <= (x2 - x1, y2 - y1)).all()
    start, end = outputs["offsets"][[0, 1]]
    arc = outputs["points"][start:end] + np.array((x1, y1))
    # The upper line is the arc: its top is that of the band around the circle, grown a little.
    assert 0 <= (580 - 150 - 15) - arc[:, 1].min() <= 10


def test_without_layout_the_page_is_one_region(ask_seal):
    outputs = ask_seal(encode(page_with(0, 3)), {"use_layout_detection": False})
    assert outputs["regions"].tolist() == [[0, 0, 1000, 800]]
    assert outputs["layout_boxes"].shape == (0, 4)
    assert outputs["layout_labels"].shape == (0,)
    (texts,) = texts_by_region(outputs)
    assert {"FIRST 12", "FOURTH 6"} <= set(texts)
    assert settings_of(outputs, "layout_detection")["use_layout_detection"] is False
    assert settings_of(outputs, "layout_detection")["networks"] == {}


def test_without_layout_its_network_is_not_called(ask_seal, seal_triton, statistics):
    def calls() -> int:
        return statistics(seal_triton, seal_world.LAYOUT).execution_count

    before = calls()
    ask_seal(encode(page_with(0)), {"use_layout_detection": False})
    assert calls() == before
    ask_seal(encode(page_with(0)))
    assert calls() == before + 1


def test_settings_tell_what_was_used(ask_seal):
    outputs = ask_seal(encode(page_with(0)), {"layout_threshold": {"1": 0}, "seal_det_thresh": 0.3})
    layout = settings_of(outputs, "layout_detection")
    assert (layout["threshold"], layout["page_size"]) == ({"1": 0}, [1000, 800])
    assert layout["networks"]["layout_detection"]["name"] == seal_world.LAYOUT
    detection = settings_of(outputs, "seal_text_detection")
    assert (detection["thresh"], detection["text_type"], detection["max_side_limit"]) == (0.3, "seal", 4000)
    recognition = settings_of(outputs, "text_recognition")
    assert recognition["networks"]["text_recognition"]["name"] == "PP-OCRv4_mobile_rec"
    assert recognition["padding"] == "paddlex"


def test_seals_are_read_with_tight_padding_and_results_say_so(ask_seal):
    padded, tight = (
        ask_seal(encode(page_with(0))),
        ask_seal(encode(page_with(0)), {"text_recognition_padding": "tight"}),
    )
    assert settings_of(tight, "text_recognition")["padding"] == "tight"
    assert b"FIRST 12" in padded["texts"].tolist()
    assert b"FIRST 12" in tight["texts"].tolist()
    assert not np.array_equal(padded["scores"], tight["scores"])


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({}, 4),
        ({"layout_threshold": 0}, 4),
        ({"layout_threshold": 0.75}, 2),
        ({"layout_threshold": 1}, 0),
        ({"layout_threshold": {"1": 0.85}}, 1),
        ({"layout_threshold": {"0": 0.99}}, 4),
        ({"layout_nms": False}, 4),
        ({"layout_unclip_ratio": 3}, 4),
        ({"layout_unclip_ratio": [1.2, 0.5]}, 4),
    ],
)
def test_layout_parameters(ask_seal, params, count):
    outputs = ask_seal(encode(page_with(0, 1, 2, 3)), params)
    assert len(outputs["layout_boxes"]) == len(outputs["regions"]) == count


def test_falsy_values_are_taken_as_given(ask_seal):
    """Grown three times, quarters overlap so far that suppression would leave one of them."""
    grown = encode(page_with(0, 1, 2, 3))
    kept = ask_seal(grown, {"seal_rec_score_thresh": 0, "layout_nms": False, "layout_threshold": 0})
    assert len(kept["regions"]) == 4
    assert kept["kept"].all()
    assert settings_of(kept, "layout_detection")["layout_nms"] is False
    assert not ask_seal(grown, {"seal_rec_score_thresh": 1})["kept"].any()


@pytest.mark.parametrize(
    ("width", "height", "seal"),
    [(20, 20, (10, 8, 8, "1")), (300, 300, (150, 110, 100, "WHOLE 77")), (60, 1500, (30, 400, 28, "1"))],
    ids=["20 px", "the whole page", "a strip"],
)
@pytest.mark.parametrize("use_layout", [True, False])
def test_seals_of_any_size(ask_seal, width, height, seal, use_layout):
    page = seal_world.draw_page(width, height, [seal])
    outputs = ask_seal(encode(page), {"use_layout_detection": use_layout})
    assert len(outputs["regions"]) >= 1
    x1, y1, x2, y2 = outputs["regions"].T
    assert ((x1 >= 0) & (y1 >= 0) & (x2 <= width) & (y2 <= height)).all()
    if seal[3] == "WHOLE 77" and not use_layout:
        assert "WHOLE 77" in texts_by_region(outputs)[0]


def test_a_page_of_35_megapixels(ask_seal):
    page = seal_world.draw_page(5000, 7000, [(1200, 1500, 700, "LARGE 5"), (3800, 5600, 400, "SMALL 9")])
    outputs = ask_seal(encode(page, ".jpg"), {"layout_threshold": 0.55})
    texts = [text for region in texts_by_region(outputs) for text in region]
    assert {"LARGE 5", "SMALL 9"} <= set(texts)


def test_all_calls_of_a_page_are_under_way_together(ask_seal, seal_triton, statistics):
    """Four seals and their lines: the detections wait for each other in Triton's queue, not one after the other."""

    def queued(name: str) -> int:
        return statistics(seal_triton, name).inference_stats.queue.ns

    before = queued(seal_world.DETECTOR)
    ask_seal(encode(page_with(0, 1, 2, 3)))
    # One after the other none would wait longer than it takes to hand it on, a tenth of a millisecond.
    assert queued(seal_world.DETECTOR) - before > 1_000_000


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"layout_threshold": {"2": 0.5}}, ErrorCode.INVALID_PARAMETER, "layout_threshold names class 2"),
        ({"layout_threshold": 1.5}, ErrorCode.INVALID_PARAMETER, "allowed: a number from 0 to 1"),
        ({"layout_merge_bboxes_mode": "big"}, ErrorCode.INVALID_PARAMETER, "'large', 'small', 'union'"),
        ({"layout_unclip_ratio": 0}, ErrorCode.INVALID_PARAMETER, "layout_unclip_ratio is 0"),
        ({"seal_det_limit_side_len": MAX_DETECTION_SIDE + 1}, ErrorCode.INVALID_PARAMETER, str(MAX_DETECTION_SIDE)),
        ({"seal_det_limit_type": "big"}, ErrorCode.INVALID_PARAMETER, "seal_det_limit_type"),
        ({"layout_nms": "no"}, ErrorCode.INVALID_PARAMETER, "layout_nms is 'no'"),
        ({"use_doc_unwarping": True}, ErrorCode.UNSUPPORTED, "use_doc_unwarping"),
        ({"text_det_thresh": 0.3}, ErrorCode.INVALID_PARAMETER, "unknown parameter 'text_det_thresh'"),
        ({"no_such": 1}, ErrorCode.INVALID_PARAMETER, "layout_merge_bboxes_mode"),
    ],
)
def test_refusals_name_the_parameter_and_the_server_goes_on(ask_seal, params, code, words):
    _, message = refusal(ask_seal, encode(page_with(0)), params)
    assert message is not None
    assert message.code is code
    assert words in message.text
    assert len(ask_seal(encode(page_with(0)))["regions"]) == 1


def call_module(client: Any, page: np.ndarray, **tensors: tuple[np.ndarray, str]) -> Any:
    inputs = []
    for name, (array, datatype) in {"page": (page, "UINT8"), **tensors}.items():
        tensor = grpcclient.InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array)
        inputs.append(tensor)
    return client.infer("seal_text_detection", inputs, client_timeout=60)


def boxes(count: int, *box: float) -> dict[str, tuple[np.ndarray, str]]:
    array = np.array([box] * count, np.float32).reshape(-1, 4)
    return {"boxes": (array, "FP32"), "labels": (np.array([b"Seal"] * count, dtype=object), "BYTES")}


def test_the_module_alone_reads_the_page_or_the_boxes(seal_triton):
    page = page_with(0)
    alone = call_module(seal_triton, page)
    assert alone.as_numpy("regions").tolist() == [[0, 0, 1000, 800]]
    assert call_module(seal_triton, page, **boxes(0)).as_numpy("regions").shape == (0, 4)
    one = call_module(seal_triton, page, **boxes(1, 10.9, 5.9, 480.2, 390.7))
    assert one.as_numpy("regions").tolist() == [[10, 5, 480, 390]]
    two = call_module(seal_triton, page, **boxes(2, 10.9, 5.9, 480.2, 390.7))
    assert np.array_equal(np.tile(one.as_numpy("points"), (2, 1)), two.as_numpy("points"))
    lines = len(one.as_numpy("region_ids"))
    assert two.as_numpy("region_ids").tolist() == [0] * lines + [1] * lines


@pytest.mark.parametrize(
    ("tensors", "code", "words"),
    [
        (boxes(1, 0, 0, 1001, 10), ErrorCode.INVALID_PARAMETER, "1001"),
        (boxes(1, 0, 0, float("nan"), 10), ErrorCode.INVALID_PARAMETER, "nan"),
        (boxes(MAX_REGIONS + 1, 0, 0, 10, 10), ErrorCode.INVALID_PARAMETER, str(MAX_REGIONS)),
        (boxes(240, 0, 0, 300, 300), ErrorCode.IMAGE_TOO_LARGE, str(MAX_REGIONS_DETECTION_PIXELS)),
        (
            {**boxes(1, 0, 0, 9, 9), "labels": (np.array([], dtype=object), "BYTES")},
            ErrorCode.INVALID_PARAMETER,
            "label",
        ),
    ],
    ids=["outside", "nan", "too many", "too much", "labels"],
)
def test_the_module_alone_refuses_bad_boxes(seal_triton, tensors, code, words):
    with pytest.raises(InferenceServerException) as refused:
        call_module(seal_triton, page_with(0), **tensors)
    message = parse_message(refused.value.message())
    assert message is not None
    assert (message.stage, message.code) == ("seal_text_detection", code)
    assert words in message.text


def test_answers_do_not_depend_on_company(ask_seal):
    pages = [encode(page_with(*which)) for which in ((0,), (1, 2), (), (0, 1, 2, 3))]
    alone = [ask_seal(page) for page in pages]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask_seal, pages * 2))
    for index, outputs in enumerate(together):
        expected = alone[index % len(pages)]
        assert float_difference(outputs, expected) == 0


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_the_client_reads_seals(seal_server, protocol, tmp_path):
    url = seal_server.grpc_url if protocol == "grpc" else seal_server.http_url
    with create_pipeline("seal_recognition", url=url, protocol=protocol) as pipeline:
        (result,) = pipeline.predict(page_with(0, 3), layout_threshold={1: 0.55})
        result.save_all(tmp_path)
    assert [seal["seal_region_id"] for seal in result["seal_res_list"]] == [1, 2]
    assert "FOURTH 6" in result["seal_res_list"][1]["rec_texts"]
    assert len(list(tmp_path.iterdir())) == 4


def test_a_layout_network_of_the_detr_family(tiny_networks, seal_models, tmp_path, ask_seal):
    """The same answer as that of the network that the other tests run on, whose rows are the same."""
    models = {**seal_models, "layout_detection": seal_world.DETR_LAYOUT}
    options = {"models": models, "networks": [tiny_networks], "log_file": tmp_path / "triton.log"}
    page = page_with(0, 3)
    expected = ask_seal(encode(page))
    with (
        EmbeddedServer(["seal_recognition"], **options) as server,
        create_pipeline("seal_recognition", url=server.grpc_url) as pipeline,
    ):
        (result,) = pipeline.predict(page)
        (nothing,) = pipeline.predict(page_with())
    boxes = [box["coordinate"] for box in result["layout_det_res"]["boxes"]]
    assert boxes == expected["layout_boxes"].tolist()
    assert [len(seal["rec_texts"]) for seal in result["seal_res_list"]] == np.bincount(expected["region_ids"]).tolist()
    assert nothing["seal_res_list"] == nothing["layout_det_res"]["boxes"] == []


def test_the_preset_without_layout_serves_without_its_network(tiny_networks, tmp_path):
    models = {"seal_text_detection": seal_world.DETECTOR, "text_recognition": "PP-OCRv4_mobile_rec"}
    preset = "nopp-nolayout-lightweight"
    with (
        EmbeddedServer(
            ["seal_recognition"],
            presets={"seal_recognition": preset},
            models=models,
            networks=[tiny_networks],
            log_file=tmp_path / "triton.log",
        ) as server,
        create_pipeline("seal_recognition", url=server.grpc_url) as pipeline,
    ):
        assert server.assembly is not None
        assert set(server.assembly.networks) == {seal_world.DETECTOR, "PP-OCRv4_mobile_rec"}
        (result,) = pipeline.predict(page_with(0, 3))
        assert result["model_settings"]["use_layout_detection"] is False
        assert {"FIRST 12", "FOURTH 6"} <= set(result["seal_res_list"][0]["rec_texts"])
        with pytest.raises(
            Exception, match="use_layout_detection is true, but this server has no network for layout_detection"
        ):
            list(pipeline.predict(page_with(0), use_layout_detection=True))
        started = time.monotonic()
        assert list(pipeline.predict(page_with(), use_layout_detection=False))
        assert time.monotonic() - started < 30
