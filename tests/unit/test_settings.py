"""The JSON in which stages tell what they used."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from paddlex_triton import settings
from paddlex_triton.settings import (
    HumanDetectionSettings,
    LayoutDetectionSettings,
    StageSettings,
    TextDetectionSettings,
    TextRecognitionSettings,
    UsedNetwork,
)
from paddlex_triton.version import __version__

NETWORK = UsedNetwork(name="net", sha256="ab" * 32)
LAYOUT: dict[str, Any] = {
    "use_layout_detection": True,
    "page_size": [200, 120],
    "threshold": 0.5,
    "layout_nms": True,
    "layout_unclip_ratio": 1.0,
    "layout_merge_bboxes_mode": "large",
    "networks": {},
}


def test_a_document_is_one_object_with_the_networks_last():
    document = TextRecognitionSettings(
        networks={"text_recognition": NETWORK},
        score_thresh=0,
        return_word_box=False,
        use_textline_orientation=True,
        padding="tight",
    ).encode()
    assert list(json.loads(document).items()) == [
        ("stage", "text_recognition"),
        ("version", __version__),
        ("score_thresh", 0),
        ("return_word_box", False),
        ("use_textline_orientation", True),
        ("padding", "tight"),
        ("networks", {"text_recognition": {"name": "net", "sha256": "ab" * 32}}),
    ]


def test_a_server_without_a_word_of_padding_pads_as_paddlex():
    told = b'{"stage": "text_recognition", "version": "0.1.0", "networks": {}, "score_thresh": 0, '
    told += b'"return_word_box": false, "use_textline_orientation": false}'
    assert TextRecognitionSettings.model_validate_json(told).padding == "paddlex"


def test_stand_ins_say_what_they_stand_in_for():
    network = UsedNetwork(name="net", sha256="ab" * 32, instead_of="wanted", reason="не экспортирована")
    told = HumanDetectionSettings(networks={"human_detection": network}, page_size=(3, 2), threshold=0.5).encode()
    assert "не экспортирована".encode() in told
    assert HumanDetectionSettings.model_validate_json(told).networks["human_detection"] == network


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"threshold": 1, "page_size": [1, 2]},
        {"threshold": {"16": 0.3, "2": 1}, "layout_unclip_ratio": [1, 1.5], "layout_merge_bboxes_mode": {"1": "union"}},
        {"layout_unclip_ratio": {"16": [1.1, 1.2], "2": 2}},
        {"of_a_newer_server": {"a": [1, None]}},
        {"of_a_newer_server": None},
    ],
)
def test_what_was_written_is_read_as_it_was(values):
    document = {"stage": "layout_detection", "version": "9.9.9", **LAYOUT, **values}
    plain = LayoutDetectionSettings.model_validate_json(json.dumps(document)).to_plain()
    assert plain == document
    assert repr(plain["threshold"]) == repr(document["threshold"])


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"stage": "text_detection"}, "stage"),
        ({"page_size": 3}, "page_size"),
        ({"page_size": [3]}, "page_size"),
        ({"page_size": ["3", "3"]}, "page_size"),
        ({"threshold": "high"}, "threshold"),
        ({"use_layout_detection": 1}, "use_layout_detection"),
        ({"networks": {"layout_detection": {"name": "net"}}}, "networks"),
    ],
)
def test_other_types_are_refused(values, where):
    with pytest.raises(ValidationError) as caught:
        LayoutDetectionSettings.model_validate_json(json.dumps({**LAYOUT, **values}))
    assert {fault["loc"][0] for fault in caught.value.errors()} == {where}


def test_a_module_that_leaves_a_value_out_is_told():
    with pytest.raises(ValidationError, match="unclip_ratio"):
        TextDetectionSettings.model_validate({"networks": {}, "text_type": "general", "thresh": 0.3})


def test_every_stage_has_a_name_of_its_own():
    stages = [
        kind.model_fields["stage"].default
        for kind in vars(settings).values()
        if isinstance(kind, type) and issubclass(kind, StageSettings) and not kind.model_fields["stage"].is_required()
    ]
    assert len(set(stages)) == len(stages) == 7


@pytest.mark.parametrize("milliseconds", [0.0, 12.5, 123456.789])
def test_times_are_told_and_are_no_settings(milliseconds):
    plain = settings.DocPreprocessorSettings(networks={}, use_doc_orientation_classify=False, use_doc_unwarping=True)
    encoded = plain.encode()
    told = settings.DocPreprocessorSettings.add_time(encoded, milliseconds)
    read = settings.DocPreprocessorSettings.model_validate_json(told)
    assert read.milliseconds == milliseconds
    assert read.to_plain() == plain.to_plain()
    assert (
        settings.DocPreprocessorSettings.drop_time(told)
        == encoded
        == settings.DocPreprocessorSettings.drop_time(encoded)
    )
