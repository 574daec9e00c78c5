"""The zoo: data that must hold together, and how names are looked up."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from paddlex_triton.export import zoo
from paddlex_triton.export.api import sources_of
from paddlex_triton.export.commands import export_command_for
from paddlex_triton.export.errors import SourceError, UsageError
from paddlex_triton.export.identify import family_for, name_for
from paddlex_triton.export.inference_yml import Normalization, parse_inference
from paddlex_triton.export.sources.shipped import NETWORKS
from paddlex_triton.export.zoo import (
    Zoo,
    find_network,
    load_zoo,
    networks_of,
    parse_zoo,
    require_sources,
    steps_without_network,
)
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
        # Of a network that flattens pages the name alone tells.
        assert settings.family == (None if entry.family == "image_unwarping" else entry.family)


@pytest.mark.parametrize("name", ["offline_seal_det", "offline_seal_layout"])
def test_networks_that_come_along(name):
    entry = find_network(name)
    weights = sources_of(entry)[0].fetch()
    assert weights.label == f"shipped:{name}"
    assert (name_for(weights, None), family_for(weights, None)) == (name, entry.family)


def test_networks_that_come_along_are_small():
    sizes = [path.stat().st_size for path in NETWORKS.rglob("*") if path.is_file()]
    assert 0 < sum(sizes) < 12e6


@pytest.mark.parametrize(
    ("pipeline", "preset"), [(spec.name, preset) for spec in PIPELINES.values() for preset in spec.presets]
)
def test_the_zoo_knows_what_presets_name(pipeline, preset):
    spec, names = PIPELINES[pipeline], networks_of(pipeline, preset)
    assert set(names) == set(spec.presets[preset].values())
    for role, name in spec.presets[preset].items():
        assert find_network(name).family in spec.roles[role].families


@pytest.mark.parametrize("spec", PIPELINES.values(), ids=PIPELINES)
def test_the_zoo_knows_the_networks_of_optional_steps(spec):
    for role, names in spec.when_exported.items():
        assert {find_network(name).family for name in names} <= set(spec.roles[role].families)


def test_presets_of_seals():
    server = ("PP-OCRv4_server_seal_det", "PP-OCRv4_server_rec")
    official, offline = ("PP-DocLayout-L", *server), networks_of("seal_recognition", "offline")
    assert offline == ("offline_seal_layout", "offline_seal_det", "PP-OCRv4_mobile_rec")
    assert networks_of("seal_recognition", "nopp") == official
    assert networks_of("seal_recognition", exported=official) == official
    assert networks_of("seal_recognition", exported=server) == networks_of("seal_recognition") == offline
    assert networks_of("seal_recognition", "seal_recognition-nopp-nolayout") == server
    assert set(networks_of("seal_recognition", "default")) == {*PAGE_PREPARATION, *official}


PAGE_PREPARATION = ("PP-LCNet_x1_0_doc_ori", "UVDoc")
OCR = ("PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec")
LARGE_LINES, SMALL_LINES = "PP-LCNet_x1_0_textline_ori", "PP-LCNet_x0_25_textline_ori"


@pytest.mark.parametrize(
    ("exported", "networks", "off"),
    [
        ((), (), ("doc_orientation_classify", "doc_unwarping", "textline_orientation")),
        (OCR, (), ("doc_orientation_classify", "doc_unwarping", "textline_orientation")),
        (("UVDoc",), ("UVDoc",), ("doc_orientation_classify", "textline_orientation")),
        ((SMALL_LINES,), (SMALL_LINES,), ("doc_orientation_classify", "doc_unwarping")),
        ((SMALL_LINES, LARGE_LINES), (LARGE_LINES,), ("doc_orientation_classify", "doc_unwarping")),
        ((*PAGE_PREPARATION, LARGE_LINES), (*PAGE_PREPARATION, LARGE_LINES), ()),
    ],
)
def test_optional_steps_come_with_their_networks(exported, networks, off):
    """Where no preset is named, and in no other place."""
    assert networks_of("OCR", exported=exported) == (*OCR, *networks)
    assert networks_of("OCR", "PP-OCRv4_mobile", exported) == OCR
    assert tuple(steps_without_network("ocr", exported)) == off


def test_optional_steps_of_the_fallback():
    offline = networks_of("seal_recognition", "offline")
    assert networks_of("seal_recognition", exported=PAGE_PREPARATION) == (*offline, *PAGE_PREPARATION)
    assert steps_without_network("seal_recognition", ("UVDoc",)) == {"doc_orientation_classify": PAGE_PREPARATION[:1]}
    assert steps_without_network("human_keypoint_detection") == {}
    with pytest.raises(UsageError, match="unknown pipeline 'x'"):
        steps_without_network("x")


def test_networks_that_can_be_fetched_are_taken(monkeypatch):
    """The first one that is there, else the first that can be had."""
    fetched = find_network("offline_seal_det").sources
    networks = dict(load_zoo().networks)
    for name in (LARGE_LINES, SMALL_LINES):
        networks[name] = networks[name].model_copy(update={"sources": fetched})
    monkeypatch.setattr(zoo, "load_zoo", lambda: Zoo(networks=networks))
    assert networks_of("OCR") == (*OCR, LARGE_LINES)
    assert networks_of("OCR", exported=[SMALL_LINES]) == (*OCR, SMALL_LINES)
    assert "textline_orientation" not in steps_without_network("OCR")


def test_networks_that_prepare_pages_are_described():
    entry = find_network(PAGE_PREPARATION[0])
    settings = parse_inference(entry.inference, entry.name)
    assert settings.classification is not None
    found = settings.classification
    assert (found.target_size, found.resize_short, found.labels) == ((224, 224), 256, ("0", "90", "180", "270"))
    assert (settings.normalization, settings.img_mode) == (Normalization(), "RGB")
    assert find_network("UVDoc").family == "image_unwarping"


@pytest.mark.parametrize("name", [SMALL_LINES, LARGE_LINES])
def test_classifiers_of_lines_are_described(name):
    settings = parse_inference(find_network(name).inference, name)
    assert settings.classification is not None
    found = settings.classification
    assert (found.target_size, found.resize_short, found.labels) == ((80, 160), None, ("0_degree", "180_degree"))
    assert settings.normalization == Normalization()


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


def test_archives_that_need_no_conversion_are_named_too():
    uvdoc, paddle = find_network("UVDoc"), find_network("PP-DocLayout-S")
    with pytest.raises(SourceError) as caught:
        require_sources([uvdoc, paddle])
    assert re.findall(r"/([\w-]+_infer)\.tar", str(caught.value)) == [
        "UVDoc_infer",
        "PP-DocLayout-S_infer",
        "UVDoc_onnx_infer",
    ]
    assert "(PaddleX has ONNX archives as well, which need no conversion: https://" in str(caught.value)


def test_official_archives_are_named_after_their_networks():
    brought = [entry for entry in load_zoo().networks.values() if not entry.sources]
    assert brought
    assert [str(entry.official).rsplit("/", 1)[1] for entry in brought] == [
        f"{entry.name}_infer.tar" for entry in brought
    ]
    of_onnx = {entry.name: entry.official_onnx for entry in brought if entry.official_onnx}
    assert set(of_onnx) == {*PAGE_PREPARATION, SMALL_LINES, LARGE_LINES}
    for name, archive in of_onnx.items():
        assert archive == str(find_network(name).official).replace("_infer.tar", "_onnx_infer.tar")


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
