"""Parameters: every refusal names the parameter and what is allowed."""

import json

import pytest
from pydantic import ValidationError

from paddlex_triton.errors import InvalidParameter
from paddlex_triton.limits import (
    MAX_CANDIDATES,
    MAX_DETECTION_SIDE,
    MAX_MESSAGE_CHARACTERS,
    MAX_PARAMS_BYTES,
    MAX_RECOGNITION_BATCH,
)
from paddlex_triton.params import KeypointParams, OCRParams, SealRecognitionParams, parse_params
from paddlex_triton.pipelines import PIPELINES


@pytest.mark.parametrize("raw", [None, b"", b"{}", b'{"text_det_thresh": null}'])
def test_nothing_given_is_paddlex_defaults(raw):
    params = parse_params(raw, OCRParams)
    assert (params.text_det_limit_side_len, params.text_det_limit_type, params.text_det_max_side_limit) == (
        64,
        "min",
        4000,
    )
    assert (params.text_det_thresh, params.text_det_box_thresh, params.text_det_unclip_ratio) == (
        0.3,
        0.6,
        1.5,
    )
    assert params.text_rec_score_thresh == 0.0
    assert params.use_textline_orientation is None


def test_numbers_stay_as_given():
    params = parse_params(b'{"text_det_thresh": 0, "text_det_box_thresh": 1.0}', OCRParams)
    assert type(params.text_det_thresh) is int
    assert params.text_det_box_thresh == 1.0


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"text_det_tresh": 0.3}', "unknown parameter 'text_det_tresh'; allowed: "),
        (b'{"text_det_thresh": "0.3"}', "text_det_thresh is '0.3'"),
        (b'{"text_det_thresh": true}', "text_det_thresh is True"),
        (b'{"text_det_thresh": 1.01}', "less than or equal to 1"),
        (b'{"text_det_thresh": NaN}', "text_det_thresh is nan"),
        (b'{"text_det_limit_side_len": 0}', "greater than or equal to 1"),
        (b'{"text_det_limit_side_len": 1.5}', "text_det_limit_side_len is 1.5"),
        (
            json.dumps({"text_det_limit_side_len": MAX_DETECTION_SIDE + 1}).encode(),
            f"less than or equal to {MAX_DETECTION_SIDE}",
        ),
        (b'{"text_det_limit_type": "median"}', "'min', 'max' or 'resize_long'"),
        (b'{"return_word_box": "yes"}', "return_word_box is 'yes'"),
        (b"[1]", "must be one JSON object, got list"),
        (b"{", "params is not JSON"),
        (b"\xff\xfe", "params is not JSON"),
        (b"[" * 60000, "params is not JSON"),
        (b'"' + b" " * MAX_PARAMS_BYTES, f"at most {MAX_PARAMS_BYTES}"),
    ],
)
def test_refusals_say_what_is_allowed(raw, expected):
    with pytest.raises(InvalidParameter) as refused:
        parse_params(raw, OCRParams)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)


def test_longest_params_are_read():
    raw = b'{"text_det_thresh": 0.5' + b" " * (MAX_PARAMS_BYTES - 24) + b"}"
    assert len(raw) == MAX_PARAMS_BYTES
    assert parse_params(raw, OCRParams).text_det_thresh == 0.5


def test_every_fault_is_named():
    with pytest.raises(InvalidParameter) as refused:
        parse_params(b'{"text_det_thresh": 2, "foo": 1}', OCRParams)
    assert "text_det_thresh" in str(refused.value)
    assert "'foo'" in str(refused.value)


@pytest.mark.parametrize("count", [1, 5, 6, 5000])
def test_a_message_stays_short_whatever_was_sent(count):
    raw = json.dumps({f"k{index}": 1 for index in range(count)})
    with pytest.raises(InvalidParameter) as refused:
        parse_params(raw, OCRParams)
    message = str(refused.value)
    assert len(message) < 1500
    assert ("and " in message and "more; allowed:" in message) is (count > 5)
    assert message.count("text_rec_score_thresh") == 1


def test_a_number_with_too_many_digits():
    with pytest.raises(InvalidParameter, match="too many digits"):
        parse_params(b'{"text_det_limit_side_len": ' + b"9" * 5000 + b"}", OCRParams)


@pytest.mark.parametrize("raw", [None, b"{}", b'{"layout_threshold": null}'])
def test_seal_defaults_are_paddlex_s(raw):
    params = parse_params(raw, SealRecognitionParams)
    layout = (params.layout_threshold, params.layout_nms, params.layout_unclip_ratio, params.layout_merge_bboxes_mode)
    assert layout == (0.5, True, 1.0, "large")
    assert (params.seal_det_limit_side_len, params.seal_det_limit_type) == (736, "min")
    assert (params.seal_det_thresh, params.seal_det_box_thresh, params.seal_det_unclip_ratio) == (0.2, 0.6, 0.5)
    assert params.seal_rec_score_thresh == params.rec_score_thresh == 0
    assert type(params.seal_rec_score_thresh) is int
    assert params.use_layout_detection is None


@pytest.mark.parametrize(
    ("raw", "name", "value"),
    [
        ('{"layout_threshold": 0}', "layout_threshold", 0),
        ('{"layout_threshold": {"16": 0.3, "2": 1}}', "layout_threshold", {16: 0.3, 2: 1}),
        ('{"layout_threshold": {}}', "layout_threshold", {}),
        ('{"layout_nms": false}', "layout_nms", False),
        ('{"use_layout_detection": false}', "use_layout_detection", False),
        ('{"layout_unclip_ratio": 2}', "layout_unclip_ratio", 2),
        ('{"layout_unclip_ratio": [1.1, 2]}', "layout_unclip_ratio", (1.1, 2)),
        ('{"layout_unclip_ratio": {"16": [1.1, 2], "0": 3}}', "layout_unclip_ratio", {16: (1.1, 2), 0: 3}),
        ('{"layout_merge_bboxes_mode": {"16": "small"}}', "layout_merge_bboxes_mode", {16: "small"}),
    ],
)
def test_forms_of_layout_parameters(raw, name, value):
    assert getattr(parse_params(raw, SealRecognitionParams), name) == value


@pytest.mark.parametrize("threshold", [{16: 0.3}, {"16": 0.3}])
def test_class_ids_of_python_and_of_json(threshold):
    assert SealRecognitionParams.model_validate({"layout_threshold": threshold}).layout_threshold == {16: 0.3}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('{"layout_threshold": 1.01}', "layout_threshold is 1.01; allowed: a number from 0 to 1, or an object"),
        ('{"layout_threshold": true}', "layout_threshold is True; allowed: a number"),
        ('{"layout_threshold": {"seal": 0.5}}', "layout_threshold is {'seal': 0.5}; allowed: a number"),
        ('{"layout_threshold": {"-1": 0.5}}', "layout_threshold is {'-1': 0.5}"),
        ('{"layout_threshold": {"016": 0.5}}', "layout_threshold is {'016': 0.5}"),
        ('{"layout_threshold": {"16": 2}}', "layout_threshold is {'16': 2}"),
        ('{"layout_unclip_ratio": 0}', "layout_unclip_ratio is 0; allowed: a factor above 0 and up to 10, a pair"),
        ('{"layout_unclip_ratio": 10.1}', "layout_unclip_ratio is 10.1"),
        ('{"layout_unclip_ratio": [1]}', "layout_unclip_ratio is [1]"),
        ('{"layout_unclip_ratio": [1, 2, 3]}', "layout_unclip_ratio is [1, 2, 3]"),
        (
            '{"layout_merge_bboxes_mode": "big"}',
            "layout_merge_bboxes_mode is 'big'; allowed: 'large', 'small'",
        ),
        ('{"layout_nms": 0}', "layout_nms is 0"),
        ('{"text_det_thresh": 0.3}', "unknown parameter 'text_det_thresh'; allowed: "),
    ],
)
def test_refusals_of_layout_parameters(raw, expected):
    with pytest.raises(InvalidParameter) as refused:
        parse_params(raw, SealRecognitionParams)
    assert expected in str(refused.value)
    assert "function-" not in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (None, None),
        ("{}", None),
        ('{"det_threshold": null}', None),
        ('{"det_threshold": 0}', 0),
        ('{"det_threshold": 0.99}', 0.99),
        ('{"det_threshold": 1}', 1),
    ],
)
def test_the_threshold_of_people(raw, value):
    assert parse_params(raw, KeypointParams).det_threshold == value


@pytest.mark.parametrize("value", ["1.01", "-0.01", "true", '"0.5"', "[0.5]", '{"0": 0.5}', "NaN"])
def test_refused_thresholds_of_people(value):
    with pytest.raises(InvalidParameter, match=r"det_threshold is .*; allowed: a number from 0 to 1$"):
        parse_params(f'{{"det_threshold": {value}}}', KeypointParams)


@pytest.mark.parametrize("name", ["use_doc_unwarping", "return_preprocessed_img", "layout_threshold", "threshold"])
def test_people_have_no_parameters_of_documents(name):
    with pytest.raises(
        InvalidParameter, match=f"unknown parameter '{name}'; allowed: det_threshold, human_det.*, keypoint_\\w+$"
    ):
        parse_params(f'{{"{name}": null}}', KeypointParams)


def test_a_class_that_is_named_twice_is_refused():
    with pytest.raises(ValidationError, match="a class is named twice"):
        SealRecognitionParams.model_validate({"layout_threshold": {16: 0.3, "16": 0.4}})


def test_other_encodings_than_utf_8_are_refused():
    with pytest.raises(InvalidParameter, match="it is not UTF-8"):
        parse_params('{"layout_nms": true}'.encode("utf-16"), SealRecognitionParams)


@pytest.mark.parametrize("schema", [spec.params for spec in PIPELINES.values()])
def test_an_unknown_name_is_answered_with_those_of_the_pipeline(schema):
    with pytest.raises(InvalidParameter) as refused:
        parse_params('{"no_such": 1}', schema)
    assert str(refused.value).partition("allowed: ")[2].split(", ") == list(schema.model_fields)
    assert len(str(refused.value)) < MAX_MESSAGE_CHARACTERS - 100


@pytest.mark.parametrize(
    ("value", "allowed"), [(0, False), (1, True), (MAX_CANDIDATES, True), (MAX_CANDIDATES + 1, False), (2.0, False)]
)
def test_how_many_lines_are_turned_together(value, allowed):
    raw = json.dumps({"textline_orientation_batch_size": value})
    if allowed:
        assert parse_params(raw, OCRParams).textline_orientation_batch_size == value
    else:
        with pytest.raises(InvalidParameter, match="textline_orientation_batch_size is "):
            parse_params(raw, OCRParams)


@pytest.mark.parametrize("schema", [OCRParams, SealRecognitionParams])
@pytest.mark.parametrize("turning", [None, True, False])
@pytest.mark.parametrize("flattening", [None, True, False])
def test_one_step_of_preparation_switched_off_and_none_on_is_both_off(schema, turning, flattening):
    params = schema(use_doc_orientation_classify=turning, use_doc_unwarping=flattening)
    assert params.leaves_pages_as_they_are is (False in (turning, flattening) and True not in (turning, flattening))


@pytest.mark.parametrize(("schema", "default"), [(OCRParams, 6), (SealRecognitionParams, 1)])
def test_lines_that_are_padded_together(schema, default):
    def size_of(raw):
        return parse_params(raw, schema).text_recognition_batch_size

    assert size_of(b"{}") == size_of(b'{"text_recognition_batch_size": null}') == default
    for size in (1, MAX_RECOGNITION_BATCH):
        assert size_of(json.dumps({"text_recognition_batch_size": size})) == size
    for size in (0, MAX_RECOGNITION_BATCH + 1, 2.5, True):
        with pytest.raises(InvalidParameter, match="text_recognition_batch_size is "):
            size_of(json.dumps({"text_recognition_batch_size": size}))


@pytest.mark.parametrize("schema", [OCRParams, SealRecognitionParams])
def test_padding(schema):
    def padding_of(raw):
        return parse_params(raw, schema).text_recognition_padding

    assert padding_of(b"{}") == padding_of(b'{"text_recognition_padding": null}') == "paddlex"
    assert padding_of(b'{"text_recognition_padding": "tight"}') == "tight"
    for value in ("Tight", "", 32, True, ["tight"]):
        with pytest.raises(InvalidParameter) as refused:
            padding_of(json.dumps({"text_recognition_padding": value}))
        assert str(refused.value).startswith(f"text_recognition_padding is {value!r}; ")
        assert "'paddlex' or 'tight'" in str(refused.value)
