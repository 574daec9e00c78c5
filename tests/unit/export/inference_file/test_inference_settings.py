"""PaddleX's inference.yml: what is read from it, and what is refused."""

from __future__ import annotations

import pytest

from paddlex_triton.export.errors import InferenceFileError
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.inference_file.inference_settings import (
    InferenceSettings,
    Normalization,
    parse_inference,
    read_inference_yml,
)


def test_detector(kit):
    settings = parse_inference(kit.detector_yml(mean=[0.1, 0.2, 0.3], std=[1, 2, 4]), "test")
    assert (settings.model_name, settings.family, settings.img_mode) == ("tiny_det", "db_detection", "BGR")
    assert settings.normalization == Normalization(mean=(0.1, 0.2, 0.3), std=(1, 2, 4), scale=1 / 255)
    assert settings.postprocess == {"name": "DBPostProcess", "thresh": 0.2, "unclip_ratio": 1.4}


def test_recognizer(kit):
    settings = parse_inference(kit.recognizer_yml(), "test")
    assert (settings.family, settings.image_shape) == ("ctc_recognition", (3, 48, 320))
    assert settings.characters == tuple(kit.characters)
    assert settings.postprocess == {"name": "CTCLabelDecode"}, "lists are left out"


def test_nothing_said_means_the_defaults():
    assert parse_inference({}, "test") == InferenceSettings()
    assert InferenceSettings().normalization.std == (0.229, 0.224, 0.225)


@pytest.mark.parametrize(
    ("written", "scale"), [("1./255.", 1 / 255), ("1.0/255", 1 / 255), ("0.5", 0.5), (2, 2.0), ("1e-2", 0.01)]
)
def test_scale_is_a_number_or_a_quotient(kit, written, scale):
    yml = kit.detector_yml()
    yml["PreProcess"]["transform_ops"][2]["NormalizeImage"]["scale"] = written
    assert parse_inference(yml, "test").normalization.scale == scale


@pytest.mark.parametrize(
    ("section", "value", "message"),
    [
        ("Global", ["x"], "Global is not a mapping"),
        ("PostProcess", "DBPostProcess", "PostProcess is not a mapping"),
        ("PreProcess", {"transform_ops": {"DecodeImage": {}}}, "transform_ops is not a list"),
        ("PreProcess", {"transform_ops": [{"DecodeImage": [1]}]}, "arguments of DecodeImage are not a mapping"),
        ("PreProcess", {"transform_ops": [{"DecodeImage": {"img_mode": "GRAY"}}]}, "img_mode: .*'BGR' or 'RGB'"),
        ("PreProcess", {"transform_ops": [{"NormalizeImage": {"scale": "__import__('os')"}}]}, "normalization.scale"),
        ("PreProcess", {"transform_ops": [{"NormalizeImage": {"scale": "1/0"}}]}, "normalization.scale"),
        ("PreProcess", {"transform_ops": [{"NormalizeImage": {"std": [0.1, 0, 0.1]}}]}, "a zero cannot be divided by"),
        ("PreProcess", {"transform_ops": [{"NormalizeImage": {"mean": [0.1, 0.2]}}]}, "normalization.mean"),
        ("PreProcess", {"transform_ops": [{"RecResizeImg": {"image_shape": [3, 48]}}]}, "image_shape"),
        ("PostProcess", {"character_dict": "abc"}, "character_dict is not a list"),
        ("PostProcess", {"character_dict": []}, "character_dict is not a list"),
        ("PostProcess", {"character_dict": ["a", 0]}, "entry 1 of PostProcess.character_dict is 0, not a string"),
        ("PostProcess", {"character_dict": [True]}, "entry 0 .* is True, not a string; YAML needs quotes"),
    ],
)
def test_what_is_not_as_paddlex_writes_it_is_refused(section, value, message):
    with pytest.raises(InferenceFileError, match=message):
        parse_inference({section: value}, "test")


@pytest.mark.parametrize(
    ("content", "message"), [(b"a: [", "is not YAML"), (b"- a", "not a mapping"), (b"\xff\xfe\xff", "is not YAML")]
)
def test_files_that_cannot_be_read(tmp_path, content, message):
    path = tmp_path / "inference.yml"
    path.write_bytes(content)
    with pytest.raises(InferenceFileError, match=message):
        read_inference_yml(path)


def test_missing_file(tmp_path):
    with pytest.raises(InferenceFileError, match="cannot be read: No such file"):
        read_inference_yml(tmp_path / "inference.yml")


@pytest.mark.parametrize(
    ("name", "marked"),
    [
        ("arabic_PP-OCRv3_mobile_rec", True),
        ("arabic_PP-OCRv5_mobile_rec", True),
        ("latin_PP-OCRv3_mobile_rec", False),
        (None, False),
    ],
)
def test_networks_that_read_from_right_to_left_are_marked(name, marked):
    settings = InferenceSettings(model_name=name, postprocess={"name": "CTCLabelDecode"})
    wanted = {"name": "CTCLabelDecode", **({"bidi": True} if marked else {})}
    assert FAMILIES["ctc_recognition"].postprocess(settings) == wanted
