"""The zoo: data that must hold together, and how names are looked up."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from paddlex_triton.export.api import sources_of
from paddlex_triton.export.commands import export_command_for
from paddlex_triton.export.errors import SourceError, UsageError
from paddlex_triton.export.identify import family_for, name_for
from paddlex_triton.export.inference_yml import Normalization, parse_inference
from paddlex_triton.export.sources.shipped import NETWORKS
from paddlex_triton.export.zoo import find_network, load_zoo, networks_of, parse_zoo, require_sources
from paddlex_triton.pipelines import PIPELINES

ENTRY = """
networks:
  net:
    family: db_detection
    summary: a network
    sources: [{{kind: wheel, requirement: {requirement}, file: a/net.onnx, sha256: {sha256}}}]
"""
GOOD = {"requirement": "pkg==1.0", "sha256": "ab" * 32}


def test_every_entry_can_be_used():
    for name, entry in load_zoo().networks.items():
        if any(source.kind == "shipped" for source in entry.sources):
            # Their inference.yml comes along.
            assert entry.inference == {}
            continue
        settings = parse_inference(entry.inference, name)
        assert settings.model_name == entry.name == name
        assert settings.family == entry.family


@pytest.mark.parametrize("name", ["offline_seal_det", "offline_seal_layout"])
def test_networks_that_come_along(name):
    entry = find_network(name)
    weights = sources_of(entry)[0].fetch()
    assert weights.label == f"shipped:{name}"
    assert (name_for(weights, None), family_for(weights, None)) == (name, entry.family)


def test_networks_that_come_along_are_small():
    sizes = [path.stat().st_size for path in NETWORKS.rglob("*") if path.is_file()]
    assert 0 < sum(sizes) < 12e6


SERVED = [
    (spec.name, preset)
    for spec in PIPELINES.values()
    for preset, networks in spec.presets.items()
    if set(networks) <= set(spec.roles)
]


@pytest.mark.parametrize(("pipeline", "preset"), SERVED)
def test_the_zoo_knows_what_presets_name(pipeline, preset):
    names = networks_of(pipeline, preset)
    assert names
    assert [find_network(name).name for name in names] == list(names)


def test_presets_of_seals():
    server = ("PP-OCRv4_server_seal_det", "PP-OCRv4_server_rec")
    official, offline = ("PP-DocLayout-L", *server), networks_of("seal_recognition", "offline")
    assert offline == ("offline_seal_layout", "offline_seal_det", "PP-OCRv4_mobile_rec")
    assert networks_of("seal_recognition", "nopp") == official
    assert networks_of("seal_recognition", exported=official) == official
    assert networks_of("seal_recognition", exported=server) == networks_of("seal_recognition") == offline
    assert networks_of("seal_recognition", "seal_recognition-nopp-nolayout") == server
    with pytest.raises(UsageError, match=r"'default' has steps that are not served yet: .* are: nopp, "):
        networks_of("seal_recognition", "default")


def test_layout_networks_are_described():
    for name, family, size in (("PP-DocLayout-L", "detr_detection", 640), ("PP-DocLayout-S", "dense_detection", 480)):
        entry = find_network(name)
        detection = parse_inference(entry.inference, name).detection
        assert detection is not None
        assert (entry.family, detection.target_size) == (family, (size, size))
        assert (len(detection.labels), detection.labels[16]) == (23, "seal")


@pytest.mark.parametrize("letter", "SL")
def test_human_detectors_are_described(letter):
    name = f"PP-YOLOE-{letter}_human"
    entry = find_network(name)
    detection = parse_inference(entry.inference, name).detection
    assert detection is not None
    assert detection.nms is not None
    assert (entry.family, detection.target_size, detection.labels) == ("dense_detection", (640, 640), ("pedestrian",))
    thresholds = {"score_threshold": 0.01, "nms_threshold": 0.6, "nms_top_k": 1000, "keep_top_k": 100}
    assert (detection.draw_threshold, detection.nms.thresholds) == (0.5, thresholds)


@pytest.mark.parametrize("size", [(128, 96), (256, 192)])
def test_keypoint_networks_are_described(size):
    name = f"PP-TinyPose_{size[0]}x{size[1]}"
    entry = find_network(name)
    settings = parse_inference(entry.inference, name)
    assert settings.keypoint is not None
    assert (entry.family, settings.keypoint.target_size, settings.img_mode) == ("heatmap_keypoints", size, "RGB")
    assert settings.normalization == Normalization()


def test_networks_without_a_source():
    fetched, brought = find_network("PP-OCRv4_mobile_det"), find_network("PP-DocLayout-S")
    require_sources([])
    require_sources([fetched])
    with pytest.raises(SourceError, match=r"source that it can fetch PP-DocLayout-S from.*--from-dir DIR --name NAME"):
        require_sources([fetched, brought])
    with pytest.raises(SourceError, match="fetch PP-DocLayout-S or PP-DocLayout-L from") as caught:
        require_sources([brought, fetched, find_network("PP-DocLayout-L")])
    # Where PaddleX itself has them from, one archive each.
    assert re.findall(r"https://\S+/(\S+)_infer\.tar", str(caught.value)) == ["PP-DocLayout-S", "PP-DocLayout-L"]


def test_official_archives_are_named_after_their_networks():
    brought = [entry for entry in load_zoo().networks.values() if not entry.sources]
    assert brought
    assert [str(entry.official).rsplit("/", 1)[1] for entry in brought] == [
        f"{entry.name}_infer.tar" for entry in brought
    ]


def test_network_that_is_nowhere_is_refused():
    with pytest.raises(ValidationError, match="net has neither sources nor an official archive"):
        parse_zoo("networks: {net: {family: db_detection, summary: a network, sources: []}}")


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
        ({"requirement": "pkg==1.0, folder: a"}, "folder"),
        ({"requirement": "pkg==1.0, kind: other"}, "kind"),
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
    assert export_command_for("PP-DocLayout-L") == "paddlex-triton export --from-dir DIR --name PP-DocLayout-L"
    both = "paddlex-triton export PP-OCRv4_mobile_rec && paddlex-triton export --from-dir DIR --name PP-DocLayout-L"
    assert export_command_for("PP-DocLayout-L", "PP-OCRv4_mobile_rec") == both
    assert export_command_for("mine") == "paddlex-triton export --from-dir DIR --name mine"
    assert export_command_for("a b") == "paddlex-triton export --from-dir DIR --name 'a b'"
