"""`create_pipeline("seal_recognition")`: parameters of several forms, presets, networks of the caller's choice."""

import json
import warnings

import numpy as np
import pytest

import paddlex_triton
from paddlex_triton.client import AsyncPipeline, embedded
from paddlex_triton.client import pipeline as pipeline_module
from paddlex_triton.client.exceptions import InvalidParameterError, UnsupportedError
from paddlex_triton.client.networks import Networks, PresetWatch, choose_networks
from paddlex_triton.client.requests import POSITIONAL
from paddlex_triton.client.results import SealRecognitionResult
from paddlex_triton.client.transports.mock import AsyncMockTransport, MockTransport
from paddlex_triton.pipelines import find_pipeline

SEAL, OCR = find_pipeline("seal_recognition"), find_pipeline("OCR")
ORDER = POSITIONAL["seal_recognition"]


@pytest.fixture
def seals(pipeline, seal_tensors):
    """Makes pipelines on a mock transport."""
    return lambda **options: pipeline(lambda request: seal_tensors([["a"]]), name="seal_recognition", **options)


def sent_params(transport):
    return [json.loads(request.inputs["params"][0]) for request in transport.sent]


def test_it_answers(seals, numbered):
    pipeline, transport = seals()
    (result,) = pipeline.predict(numbered(0))
    assert isinstance(result, SealRecognitionResult)
    assert [seal["rec_texts"] for seal in result["seal_res_list"]] == [["a"]]
    (request,) = transport.sent
    assert request.model == "seal_recognition"
    assert request.outputs == SealRecognitionResult.OUTPUTS
    assert sent_params(transport) == [{}]


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        ({"layout_threshold": {16: 0.6, 2: 1}}, {"layout_threshold": {"16": 0.6, "2": 1}}),
        ({"layout_threshold": {"16": 0.6}}, {"layout_threshold": {"16": 0.6}}),
        ({"layout_threshold": {np.int64(16): np.float64(0.5)}}, {"layout_threshold": {"16": 0.5}}),
        ({"layout_threshold": {}}, {"layout_threshold": {}}),
        ({"layout_threshold": np.float64(0.25)}, {"layout_threshold": 0.25}),
        ({"layout_unclip_ratio": (1.1, 1.2)}, {"layout_unclip_ratio": [1.1, 1.2]}),
        ({"layout_unclip_ratio": [1.1, 2]}, {"layout_unclip_ratio": [1.1, 2]}),
        ({"layout_unclip_ratio": np.array([1.5, 2.5])}, {"layout_unclip_ratio": [1.5, 2.5]}),
        (
            {"layout_unclip_ratio": {16: (1.1, 1.2), 2: 1.5}},
            {"layout_unclip_ratio": {"16": [1.1, 1.2], "2": 1.5}},
        ),
        ({"layout_merge_bboxes_mode": {16: "small"}}, {"layout_merge_bboxes_mode": {"16": "small"}}),
        ({"layout_merge_bboxes_mode": "union", "layout_nms": np.bool_(False)}, None),
        ({"seal_rec_score_thresh": 0, "seal_det_limit_side_len": np.int32(960)}, None),
    ],
)
def test_parameters_of_several_forms(seals, numbered, params, sent):
    pipeline, transport = seals()
    list(pipeline.predict(numbered(0), **params))
    assert sent_params(transport) == [sent if sent is not None else params]


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"layout_threshold": {16: 1.5}}, "layout_threshold"),
        ({"layout_threshold": {-1: 0.5}}, "layout_threshold"),
        ({"layout_threshold": {"seal": 0.5}}, "layout_threshold"),
        ({"layout_threshold": {1.5: 0.5}}, "layout_threshold"),
        ({"layout_threshold": {(1, 2): 0.5}}, "plain values"),
        ({"layout_unclip_ratio": (1.1, 1.2, 1.3)}, "layout_unclip_ratio"),
        ({"layout_unclip_ratio": (1.1, 0)}, "layout_unclip_ratio"),
        ({"layout_merge_bboxes_mode": "biggest"}, "layout_merge_bboxes_mode"),
        ({"layout_nms": "False"}, "layout_nms"),
        ({"text_det_thresh": 0.5}, "unknown parameter 'text_det_thresh'"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_is_sent(seals, numbered, params, says):
    pipeline, transport = seals()
    with pytest.raises(InvalidParameterError, match=says):
        pipeline.predict(numbered(0), **params)
    assert transport.sent == []


def test_parameters_without_names(seals, numbered):
    pipeline, transport = seals()
    values = (False, False, True, None, 0.5, False, 1.5, "small", 640, "max", 0.25, 0.5, 0.75, 0.125)
    list(pipeline.predict(numbered(0), *values))
    assert sent_params(transport) == [
        {name: value for name, value in zip(ORDER, values, strict=True) if value is not None}
    ]
    with pytest.raises(TypeError, match="at most 14"):
        pipeline.predict(numbered(0), *values, 1)


@pytest.mark.parametrize("given", [{}, [], {"boxes": []}])
def test_regions_of_the_caller_s_are_not_supported(seals, numbered, given):
    pipeline, transport = seals()
    with pytest.raises(UnsupportedError, match="layout_det_res is not supported: regions are looked for on the server"):
        pipeline.predict(numbered(0), use_layout_detection=False, layout_det_res=given)
    list(pipeline.predict(numbered(0), layout_det_res=None))
    assert sent_params(transport) == [{}]


@pytest.fixture
def on_mocks(monkeypatch, seal_tensors, tensors):
    """`create_pipeline` on mock transports, which are returned as they are made."""
    made = []

    def open_transport(endpoint):
        def answer(request):
            return seal_tensors([["a"]]) if request.model == "seal_recognition" else tensors(["a"])

        made.append(MockTransport(answer, models=["seal_recognition", "ocr"]))
        return made[-1]

    monkeypatch.setattr(pipeline_module, "open_transport", open_transport)
    monkeypatch.setattr(embedded, "serves", lambda endpoint, spec: True)
    return made


@pytest.mark.parametrize("url", [None, "host:8001"])
@pytest.mark.parametrize(
    ("preset", "params", "sent"),
    [
        (None, {}, {}),
        ("nopp", {}, {"use_layout_detection": True}),
        ("nopp-nolayout", {}, {"use_layout_detection": False}),
        ("seal_recognition-nopp-nolayout-lightweight", {}, {"use_layout_detection": False}),
        ("nopp-nolayout", {"use_layout_detection": True}, {"use_layout_detection": True}),
        ("nopp-nolayout", {"use_layout_detection": None}, {"use_layout_detection": False}),
        ("nopp", {"layout_nms": False}, {"use_layout_detection": True, "layout_nms": False}),
    ],
)
def test_a_preset_s_switches_are_defaults(on_mocks, numbered, url, preset, params, sent):
    with paddlex_triton.create_pipeline("seal_recognition", url=url, preset=preset) as pipeline:
        list(pipeline.predict(numbered(0), **params))
        list(pipeline._predict_all(numbered(0), params))
    (transport,) = on_mocks
    assert sent_params(transport) == [sent, sent]


def test_a_preset_without_switches(on_mocks, numbered):
    with paddlex_triton.create_pipeline("OCR", url="host:8001", preset="PP-OCRv4_mobile") as pipeline:
        list(pipeline.predict(numbered(0)))
    assert sent_params(on_mocks[0]) == [{}]


async def test_presets_of_the_asyncio_twin(monkeypatch, seal_tensors, numbered):
    made = []

    def open_transport(endpoint):
        made.append(AsyncMockTransport(lambda request: seal_tensors([["a"]])))
        return made[-1]

    monkeypatch.setattr("paddlex_triton.client.async_pipeline.open_async_transport", open_transport)
    pipeline = paddlex_triton.create_async_pipeline("seal_recognition", url="host:8001", preset="nopp-nolayout")
    assert isinstance(pipeline, AsyncPipeline)
    async with pipeline:
        async for _ in pipeline.predict(numbered(0)):
            pass
        async for _ in pipeline.predict(numbered(0), use_layout_detection=True, layout_threshold={16: 0.5}):
            pass
        with pytest.raises(UnsupportedError, match="layout_det_res"):
            pipeline.predict(numbered(0), layout_det_res=[])
    assert sent_params(made[0]) == [
        {"use_layout_detection": False},
        {"use_layout_detection": True, "layout_threshold": {"16": 0.5}},
    ]


@pytest.mark.parametrize("create", [paddlex_triton.create_pipeline, paddlex_triton.create_async_pipeline])
@pytest.mark.parametrize("url", [None, "host:8001"])
@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"preset": "nothing"}, UnsupportedError, "no preset 'nothing'; known: .*nopp-lightweight"),
        ({"preset": "default"}, UnsupportedError, "not served yet"),
        ({"preset": "seal_recognition-"}, UnsupportedError, "known: .*nopp-lightweight"),
        ({"preset": ""}, InvalidParameterError, "preset is ''; known: .*nopp-lightweight"),
        ({"preset": 3}, InvalidParameterError, "preset is 3; known"),
        ({"models": "PP-DocLayout-S"}, InvalidParameterError, "must map roles to names"),
        ({"models": {"layout_detection": None}}, InvalidParameterError, "must map roles to names"),
        (
            {"models": {"layout": "PP-DocLayout-S"}},
            InvalidParameterError,
            "models names layout; pipeline seal_recognition has the roles layout_detection, seal_text_detection, text_",
        ),
        (
            {"models": {"text_recognition": ""}},
            InvalidParameterError,
            "cannot do without a network for text_recognition",
        ),
    ],
)
def test_wrong_choices_are_refused_at_once(create, url, options, error, says):
    with pytest.raises(error, match=says):
        create("seal_recognition", url=url, **options)


def test_networks_cannot_be_chosen_of_a_named_server():
    with pytest.raises(InvalidParameterError, match=r"models is for the embedded server.*host:8001"):
        paddlex_triton.create_pipeline("seal_recognition", url="host:8001", models={"layout_detection": "x"})
    assert choose_networks(SEAL, None, {}, "host:8001") == Networks()


@pytest.mark.parametrize(
    ("preset", "models", "defaults"),
    [
        (None, None, {}),
        (None, {"text_recognition": "x"}, {}),
        (None, {"layout_detection": ""}, {"use_layout_detection": False}),
        ("nopp", {"layout_detection": ""}, {"use_layout_detection": False}),
        ("nopp-nolayout", {"layout_detection": "x"}, {"use_layout_detection": True}),
    ],
)
def test_single_networks_turn_their_steps_on_and_off(preset, models, defaults):
    assert choose_networks(SEAL, preset, models, None).default_params(SEAL) == defaults


def test_presets_that_can_be_chosen():
    assert OCR.served_presets == ["PP-OCRv4_mobile"]
    for name in SEAL.served_presets:
        assert choose_networks(SEAL, f"seal_recognition-{name}", None, None) == Networks(name)


def settings_naming(**networks: str) -> dict[str, dict]:
    return {role: {"networks": {role: {"name": name}}} for role, name in networks.items()}


def test_other_networks_than_the_preset_s_are_told_once():
    watch = PresetWatch(SEAL, Networks("nopp-lightweight", (("layout_detection", "mine"),)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.look_at({"doc_preprocessor": {"networks": {}}})
        watch.look_at(settings_naming(layout_detection="mine", text_recognition="PP-OCRv4_mobile_rec"))
    others = settings_naming(layout_detection="mine", text_recognition="PP-OCRv4_server_rec")
    with pytest.warns(UserWarning, match="text_recognition is PP-OCRv4_server_rec instead of PP-OCRv4_mobile_rec"):
        watch.look_at(others)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.look_at(others)
        PresetWatch(SEAL, Networks()).look_at(others)


def test_a_pipeline_with_a_preset_looks_at_its_results(on_mocks, numbered):
    with (
        paddlex_triton.create_pipeline("seal_recognition", url="server:8001", preset="nopp") as pipeline,
        pytest.warns(UserWarning, match="layout_detection is layout instead of PP-DocLayout-L"),
    ):
        list(pipeline.predict(numbered(0)))
