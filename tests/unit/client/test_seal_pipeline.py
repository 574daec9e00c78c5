"""`create_pipeline("seal_recognition")`: parameters of several forms, presets, networks of the caller's choice."""

import json
import warnings

import numpy as np
import pytest

import paddlex_triton
from paddlex_triton.client import AsyncPipeline, embedded
from paddlex_triton.client import pipeline as pipeline_module
from paddlex_triton.client.exceptions import InvalidParameterError, UnsupportedError, error_from_response
from paddlex_triton.client.networks import Networks, PresetWatch, choose_networks
from paddlex_triton.client.results import SealRecognitionResult
from paddlex_triton.client.transports.mock import AsyncMockTransport, MockTransport
from paddlex_triton.errors import ErrorCode, format_message
from paddlex_triton.network_choice import NetworkChoice
from paddlex_triton.pipelines import PIPELINES, find_pipeline

SEAL = find_pipeline("seal_recognition")
ORDER = SEAL.positional
PREPARED = {"use_doc_orientation_classify": True, "use_doc_unwarping": True}
ON = {"use_layout_detection": True}
PLAIN = {"use_doc_orientation_classify": False, "use_doc_unwarping": False}


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
    assert request.outputs == SealRecognitionResult.outputs_for({})
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
        ("default", {}, {**PREPARED, "use_layout_detection": True}),
        # One step of page preparation that is off decides about the other: the server applies PaddleX's rule.
        ("default", {"use_doc_unwarping": False}, {"use_doc_unwarping": False, "use_layout_detection": True}),
        ("default", {"use_doc_unwarping": True}, {**PREPARED, "use_layout_detection": True}),
        ("default", {"use_doc_orientation_classify": None}, {**PREPARED, "use_layout_detection": True}),
        ("nopp", {"use_doc_unwarping": True}, {**PLAIN, "use_doc_unwarping": True, "use_layout_detection": True}),
        ("nopp", {}, {**PLAIN, "use_layout_detection": True}),
        ("nopp-nolayout", {}, {**PLAIN, "use_layout_detection": False}),
        ("seal_recognition-nopp-nolayout-lightweight", {}, {**PLAIN, "use_layout_detection": False}),
        ("nopp-nolayout", {"use_layout_detection": True}, {**PLAIN, "use_layout_detection": True}),
        ("nopp-nolayout", {"use_layout_detection": None}, {**PLAIN, "use_layout_detection": False}),
        ("nopp", {"layout_nms": False}, {**PLAIN, "use_layout_detection": True, "layout_nms": False}),
    ],
)
def test_a_preset_s_switches_are_defaults(on_mocks, numbered, url, preset, params, sent):
    with paddlex_triton.create_pipeline("seal_recognition", url=url, preset=preset) as pipeline:
        list(pipeline.predict(numbered(0), **params))
        list(pipeline.predict_outcomes(numbered(0), **params))
    (transport,) = on_mocks
    assert sent_params(transport) == [sent, sent]


def test_a_preset_without_optional_steps(on_mocks, numbered):
    with paddlex_triton.create_pipeline("OCR", url="host:8001", preset="PP-OCRv4_mobile") as pipeline:
        list(pipeline.predict(numbered(0)))
    assert sent_params(on_mocks[0]) == [{**PLAIN, "use_textline_orientation": False}]


def test_a_preset_without_switches(pipeline, numbered, person_tensors):
    spec = find_pipeline("human_keypoint_detection")
    assert choose_networks(spec, "PP-TinyPose_128x96", None, None).default_params(spec) == {}


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
        {**PLAIN, "use_layout_detection": False},
        {**PLAIN, "use_layout_detection": True, "layout_threshold": {"16": 0.5}},
    ]


@pytest.mark.parametrize("create", [paddlex_triton.create_pipeline, paddlex_triton.create_async_pipeline])
@pytest.mark.parametrize("url", [None, "host:8001"])
@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"preset": "nothing"}, UnsupportedError, "no preset 'nothing'; known: .*nopp-lightweight"),
        ({"preset": "seal_recognition-"}, UnsupportedError, "known: .*nopp-lightweight"),
        ({"preset": ""}, InvalidParameterError, "preset is ''; known: .*nopp-lightweight"),
        ({"preset": 3}, InvalidParameterError, "preset is 3; known"),
        ({"models": "PP-DocLayout-S"}, InvalidParameterError, "must map steps to names"),
        ({"models": {"layout_detection": None}}, InvalidParameterError, "must map steps to names"),
        (
            {"models": {"layout": "PP-DocLayout-S"}},
            InvalidParameterError,
            "models: no step 'layout' takes a network; known: doc_orientation_classify, .*_recognition$",
        ),
        ({"models": {"text_recognition": ["a", 3]}}, InvalidParameterError, "must map steps to names"),
        ({"models": {3: "a"}}, InvalidParameterError, "must map steps to names"),
        ({"models": {"text_recognition": {"a", "b"}}}, InvalidParameterError, "must map steps to names"),
        ({"models": {"text_recognition": []}}, InvalidParameterError, "cannot do without a network for text_recog"),
        (
            {"models": {"text_recognition": "a,../b"}},
            InvalidParameterError,
            r"models: '\.\./b' is no name of a network \(text_recognition\)",
        ),
        (
            {"models": {"text_recognition": ["a,b"]}},
            InvalidParameterError,
            r"'a,b' is no name of a network \(text_recognition",
        ),
        (
            {"models": {"text_recognition": ["a", ""]}},
            InvalidParameterError,
            r"'' is no name of a network \(text_recognition",
        ),
        ({"models": {"text_recognition": "a b"}}, InvalidParameterError, "begins with a letter or a digit"),
        ({"models": {"text_recognition": "x" * 129}}, InvalidParameterError, "at most 128 characters"),
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
        (None, {"layout_detection": ""}, {}),
        (None, {"layout_detection": ["x", "y"], "doc_unwarping": []}, {}),
        ("nopp", {"layout_detection": ""}, {**PLAIN, "use_layout_detection": False}),
        ("nopp-nolayout", {"layout_detection": "x"}, {**PLAIN, **ON}),
        ("nopp", {"doc_unwarping": "x,y"}, {**PLAIN, **ON, "use_doc_unwarping": True}),
    ],
)
def test_single_networks_turn_their_steps_on_and_off(preset, models, defaults):
    assert choose_networks(SEAL, preset, models, None).default_params(SEAL) == defaults


@pytest.mark.parametrize("spec", PIPELINES.values(), ids=PIPELINES)
def test_every_preset_can_be_chosen(spec):
    for name in spec.presets:
        assert choose_networks(spec, f"{spec.name}-{name}", None, None) == Networks(name)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("a", "a"),
        (["a"], "a"),
        ("a,b", "a,b"),
        (("a", "b"), "a,b"),
        (" b , a ,", "b,a"),
        (["b", "a", "b"], "b,a"),
        ("x" * 128, "x" * 128),
    ],
)
def test_several_networks_for_a_role(given, names):
    chosen = choose_networks(SEAL, None, {"text_recognition": given, "doc_unwarping": ""}, None)
    assert chosen == Networks(None, NetworkChoice({"doc_unwarping": "", "text_recognition": names}))


def settings_naming(**networks: str) -> dict[str, dict]:
    return {step: {"networks": {step: {"name": name}}} for step, name in networks.items()}


def test_other_networks_than_the_preset_s_are_told_once():
    watch = PresetWatch(SEAL, Networks("nopp-lightweight", NetworkChoice({"layout_detection": "mine"})))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.compare({"doc_preprocessor": {"networks": {}}})
        watch.compare(settings_naming(layout_detection="mine", text_recognition="PP-OCRv4_mobile_rec"))
    others = settings_naming(layout_detection="mine", text_recognition="PP-OCRv4_server_rec")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.compare(others, {"text_recognition"})
    with pytest.warns(UserWarning, match="text_recognition is PP-OCRv4_server_rec instead of PP-OCRv4_mobile_rec"):
        watch.compare(others)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.compare(others)
        PresetWatch(SEAL, Networks()).compare(others)


def test_the_first_of_several_networks_is_expected():
    watch = PresetWatch(
        SEAL, Networks("nopp", NetworkChoice({"layout_detection": "", "text_recognition": "mine,yours"}))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.compare(settings_naming(text_recognition="mine"))
        watch.compare(settings_naming(text_recognition="yours"), {"text_recognition"})
    with pytest.warns(UserWarning, match="text_recognition is yours instead of mine"):
        watch.compare(settings_naming(text_recognition="yours"))


def test_networks_that_a_request_chose_are_no_surprise(on_mocks, numbered):
    # The mocks answer with networks called layout, seal_det and rec.
    chosen = {"layout_detection_model_name": "layout", "seal_text_detection_model_name": "seal_det"}
    with paddlex_triton.create_pipeline("seal_recognition", url="server:8001", preset="nopp") as pipeline:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            list(pipeline.predict(numbered(0), **chosen, text_recognition_model_name="rec"))
        with pytest.warns(UserWarning, match="preset: text_recognition is rec instead of PP-OCRv4_server_rec"):
            list(pipeline.predict(numbered(0), **chosen, text_recognition_model_name=None))
    (transport,) = on_mocks
    defaults = {**PLAIN, "use_layout_detection": True}
    assert sent_params(transport) == [
        {**defaults, **chosen, "text_recognition_model_name": "rec"},
        {**defaults, **chosen},
    ]


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".a", "a b", 3, ["a"], "x" * 129])
def test_names_that_no_network_has(seals, numbered, name):
    pipeline, transport = seals()
    with pytest.raises(InvalidParameterError, match=r"text_recognition_model_name is .*name of a network"):
        pipeline.predict(numbered(0), text_recognition_model_name=name)
    assert transport.sent == []


def test_a_network_that_the_server_has_not(pipeline, numbered):
    says = "text_recognition_model_name is 'mine'; loaded: PP-OCRv4_server_rec"

    def refuse(request):
        message = format_message("text_recognition", ErrorCode.INVALID_PARAMETER, says)
        raise error_from_response(message, "INVALID_ARGUMENT", request.request_id)

    seals, _ = pipeline(refuse, name="seal_recognition")
    with pytest.raises(InvalidParameterError, match=says):
        list(seals.predict(numbered(0), text_recognition_model_name="mine"))


def test_a_pipeline_with_a_preset_looks_at_its_results(on_mocks, numbered):
    with (
        paddlex_triton.create_pipeline("seal_recognition", url="server:8001", preset="nopp") as pipeline,
        pytest.warns(UserWarning, match="layout_detection is layout instead of PP-DocLayout-L"),
    ):
        list(pipeline.predict(numbered(0)))
