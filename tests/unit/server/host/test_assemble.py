"""The directory to serve: complete, or refused with the command that helps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from module_networks import networks_in
from stand_in_networks import weights_of
from typer.testing import CliRunner

from paddlex_triton import paths
from paddlex_triton.checksums import sha256_of
from paddlex_triton.pipelines import PIPELINES
from paddlex_triton.processors import describe
from paddlex_triton.server.host.assemble import MARKER, Assembly, assemble
from paddlex_triton.server.host.cli import register
from paddlex_triton.server.host.errors import AssemblyError
from paddlex_triton.server.host.model_config import read_config, steps_of

NETWORKS = ("PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec")
SEAL_NETWORKS = ("PP-DocLayout-L", "PP-OCRv4_server_seal_det", "PP-OCRv4_server_rec")
OFFLINE_NETWORKS = ("offline_seal_layout", "PP-OCRv4_mobile_seal_det")
PEOPLE_NETWORKS = ("PP-YOLOE-S_human", "PP-TinyPose_128x96")
MODULES = ("ocr.doc_preprocessor", "text_detection", "text_recognition")


FAMILIES = {
    "det": "db_detection",
    "rec": "ctc_recognition",
    "ori": "image_classification",
    "orientation": "image_classification",
    "UVDoc": "image_unwarping",
}
_ANGLES = ["0", "90", "180", "270"]
LABELS = {
    "doc": _ANGLES,
    "image": _ANGLES,
    "textline": ["0_degree", "180_degree"],
    "colours": ["red", "green"],
}
PREPARATION_NETWORKS = ("PP-LCNet_x1_0_doc_ori", "UVDoc")
ANY_ORIENTATION = "text_image_orientation"


def family_of(name: str) -> str:
    return FAMILIES.get(name.rpartition("_")[2], "dense_detection")


def labels_of(name: str) -> list[str] | None:
    return next((labels for part, labels in LABELS.items() if f"{part}_" in name), None)


def write_network(repository: Path, name: str, *, flavours: tuple[str, ...] = ()) -> None:
    folder = repository / name
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(weights_of(name))
    (folder / "config.pbtxt").write_text(f'name: "{name}"\nbackend: "onnxruntime"\n')
    for flavour in flavours:
        (folder / "configs").mkdir(exist_ok=True)
        (folder / "configs" / f"{flavour}.pbtxt").write_text(f'name: "{name}" # {flavour}\n')
    provenance = {"source": "test", "file": "x", "source_sha256": "", "opset": 13, "ir_version": 8}
    info = {"name": name, "family": family_of(name), "max_batch_size": 4, "provenance": provenance}
    info |= {"sha256": sha256_of(weights_of(name)), "labels": labels_of(name)}
    (folder / "network.json").write_text(json.dumps(info))


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Networks that no other folder can stand in for."""
    folder = tmp_path / "networks"
    for name in NETWORKS:
        write_network(folder, name, flavours=("gpu",))
    monkeypatch.setattr(paths, "networks_repository", lambda: tmp_path / "nowhere")
    return folder


@pytest.mark.parametrize("pipelines", [[], ["OCR"], ["ocr"], ["OCR", "OCR"]])
@pytest.mark.parametrize("copy", [False, True])
def test_everything_the_pipeline_needs_and_nothing_else(repository, tmp_path, pipelines, copy):
    assembly = assemble(tmp_path / "models", pipelines=pipelines, networks=[repository], copy=copy)
    folders = {path.name for path in (tmp_path / "models").iterdir() if path.is_dir()}
    assert folders == {"ocr", *MODULES, *NETWORKS}
    assert assembly.networks == {name: sha256_of(weights_of(name)) for name in NETWORKS}
    left_out = {
        "seal_recognition": OFFLINE_NETWORKS,
        "human_keypoint_detection": PEOPLE_NETWORKS,
        "doc_preprocessor": (ANY_ORIENTATION,),
    }
    assert assembly.left_out == ({} if pipelines else left_out)
    assert assembly.stand_ins == {}
    for name in (*MODULES, *NETWORKS):
        version = tmp_path / "models" / name / "1"
        assert version.is_symlink() is not copy
        assert any(version.iterdir())
        assert not (tmp_path / "models" / name / "configs").exists()
    assert (tmp_path / "models" / "ocr" / "1").is_dir()
    assert (tmp_path / "models" / "text_detection" / "PP-OCRv4_mobile_det.network.json").is_file()


def test_flavour_decides_the_configuration(repository, tmp_path):
    assemble(tmp_path / "models", networks=[repository], flavour="gpu")
    for name in NETWORKS:
        assert "# gpu" in (tmp_path / "models" / name / "config.pbtxt").read_text()
    assert read_config(tmp_path / "models" / "text_detection" / "config.pbtxt").max_batch_size == 4


@pytest.mark.parametrize("missing", [NETWORKS[:1], NETWORKS])
def test_missing_networks_are_named_with_the_command(repository, tmp_path, missing):
    for name in missing:
        (repository / name).rename(tmp_path / name)
    with pytest.raises(AssemblyError) as refused:
        assemble(tmp_path / "models", pipelines=["OCR"], networks=[repository])
    assert f"paddlex-triton export {' '.join(missing)}" in str(refused.value)
    assert not (tmp_path / "models").exists()


def test_with_no_pipeline_named_and_none_complete_everything_missing_is_named(repository, tmp_path):
    (repository / NETWORKS[0]).rename(tmp_path / "elsewhere")
    with pytest.raises(
        AssemblyError, match=f"not exported: {', '.join((NETWORKS[0], *OFFLINE_NETWORKS, *PEOPLE_NETWORKS))}"
    ):
        assemble(tmp_path / "models", networks=[repository])


@pytest.fixture
def seals(repository):
    others = ("PP-DocLayout-S", "PP-OCRv4_mobile_seal_det", "mine", "colours_ori", "bare_ori")
    for name in (*SEAL_NETWORKS, *others):
        write_network(repository, name)
    return repository


def test_networks_of_the_default_preset(seals, tmp_path):
    assembly = assemble(tmp_path / "models", pipelines=["seal_recognition"], networks=[seals])
    assert tuple(assembly.networks) == SEAL_NETWORKS
    assert networks_in(tmp_path / "models", "layout_detection") == {
        "seal_recognition": {"layout_detection": ("PP-DocLayout-L",)}
    }
    assert networks_in(tmp_path / "models", "text_recognition") == {
        "seal_recognition": {"text_recognition": ("PP-OCRv4_server_rec",)}
    }
    text = (tmp_path / "models" / "text_recognition" / "config.pbtxt").read_text()
    assert text.startswith("# Polygons on a page to texts.")


def stood_in(assembly: Assembly) -> dict[str, tuple[str, str, str]]:
    """Of the seal pipeline: step -> wanted, taken, why."""
    return {
        step: (found.instead_of, found.name, found.reason)
        for step, found in assembly.stand_ins["seal_recognition"].items()
    }


@pytest.mark.parametrize("pipelines", [[], ["seal_recognition"]])
def test_networks_that_come_along_where_official_ones_are_not_exported(repository, tmp_path, pipelines):
    for name in (*OFFLINE_NETWORKS, *SEAL_NETWORKS[1:]):
        write_network(repository, name)
    assembly = assemble(tmp_path / "models", pipelines=pipelines, networks=[repository])
    assert set(assembly.networks) - set(NETWORKS) == set(OFFLINE_NETWORKS)
    together = "it is used only together with PP-DocLayout-L, which is not exported"
    assert stood_in(assembly) == {
        "layout_detection": ("PP-DocLayout-L", "offline_seal_layout", "not exported"),
        "seal_text_detection": (SEAL_NETWORKS[1], OFFLINE_NETWORKS[1], together),
        "text_recognition": (SEAL_NETWORKS[2], NETWORKS[1], together),
    }
    networks = networks_in(tmp_path / "models", "text_recognition")
    assert networks["seal_recognition"] == {"text_recognition": ("PP-OCRv4_mobile_rec",)}


@pytest.mark.parametrize(
    ("exported", "used"),
    [
        ([ANY_ORIENTATION], [ANY_ORIENTATION]),
        (["PP-LCNet_x1_0_doc_ori"], ["PP-LCNet_x1_0_doc_ori"]),
        (["PP-LCNet_x1_0_doc_ori", ANY_ORIENTATION], ["PP-LCNet_x1_0_doc_ori"]),
        (["PP-LCNet_x1_0_doc_ori", "UVDoc"], ["PP-LCNet_x1_0_doc_ori", "UVDoc"]),
        ([ANY_ORIENTATION, "UVDoc"], [ANY_ORIENTATION, "UVDoc"]),
    ],
)
def test_pages_are_prepared_by_the_best_networks_that_are_exported(repository, tmp_path, exported, used):
    for name in exported:
        write_network(repository, name)
    assembly = assemble(tmp_path / "models", pipelines=["doc_preprocessor"], networks=[repository])
    assert sorted(assembly.networks) == sorted(used)
    instead = {"doc_orientation_classify": "not exported"} if ANY_ORIENTATION in used else {}
    stand_ins = assembly.stand_ins.get("doc_preprocessor", {})
    assert {step: found.reason for step, found in stand_ins.items()} == instead


def test_a_failed_export_is_told_by_the_module_that_runs_on_another_network(repository, tmp_path):
    for name in (*OFFLINE_NETWORKS, ANY_ORIENTATION):
        write_network(repository, name)
    why = {"PP-DocLayout-L": "on noise the answer is 0.006 from that of the source", "PP-LCNet_x1_0_doc_ori": "no ONNX"}
    (repository / "failed.json").write_text(json.dumps(why))
    assembly = assemble(tmp_path / "models", networks=[repository])
    told = {pipeline: {step: found.reason for step, found in of.items()} for pipeline, of in assembly.stand_ins.items()}
    reasons = {name: f"its export failed: {reason}" for name, reason in why.items()}
    orientation = {"doc_orientation_classify": reasons["PP-LCNet_x1_0_doc_ori"]}
    others = {"seal_text_detection": "not exported", "text_recognition": "not exported"}
    assert told == {
        "OCR": orientation,
        "doc_preprocessor": orientation,
        "seal_recognition": {"layout_detection": reasons["PP-DocLayout-L"], **orientation, **others},
    }
    found = {path.parent.name: json.loads(path.read_text()) for path in (tmp_path / "models").glob("*/stand_ins.json")}
    assert {module: {name: list(of) for name, of in told.items()} for module, told in found.items()} == {
        "ocr.doc_preprocessor": {"OCR": ["doc_orientation_classify"]},
        "seal_recognition.doc_preprocessor": {"seal_recognition": ["doc_orientation_classify"]},
        "doc_preprocessor.doc_preprocessor": {"doc_preprocessor": ["doc_orientation_classify"]},
        "layout_detection": {"seal_recognition": ["layout_detection"]},
        "seal_text_detection": {"seal_recognition": ["seal_text_detection"]},
        "text_recognition": {"seal_recognition": ["text_recognition"]},
    }
    layout = found["layout_detection"]["seal_recognition"]["layout_detection"]
    assert layout == {
        "name": "offline_seal_layout",
        "instead_of": "PP-DocLayout-L",
        "reason": reasons["PP-DocLayout-L"],
    }


def test_single_networks_complete_the_default_preset_or_the_fallback(repository, tmp_path):
    for name in (*OFFLINE_NETWORKS, "mine"):
        write_network(repository, name)
    options = {"pipelines": ["seal_recognition"], "networks": [repository], "models": {"layout_detection": "mine"}}
    assembly = assemble(tmp_path / "fallback", **options)
    assert set(assembly.networks) == {"mine", "PP-OCRv4_mobile_seal_det", "PP-OCRv4_mobile_rec"}
    for name in SEAL_NETWORKS[1:]:
        write_network(repository, name)
    assembly = assemble(tmp_path / "default", **options)
    assert set(assembly.networks) == {"mine", *SEAL_NETWORKS[1:]}
    assert assembly.stand_ins == {}


def test_a_preset_that_is_named_is_never_replaced(repository, tmp_path):
    for name in OFFLINE_NETWORKS:
        write_network(repository, name)
    with pytest.raises(AssemblyError, match=f"not exported: {', '.join(SEAL_NETWORKS)}"):
        presets = {"seal_recognition": "nopp"}
        assemble(tmp_path / "models", pipelines=["seal_recognition"], presets=presets, networks=[repository])


def test_the_command_says_what_it_serves_and_what_is_missing(repository, tmp_path):
    app = typer.Typer()
    register(app)

    def call() -> str:
        arguments = ["assemble", str(tmp_path / "models"), "--networks", str(repository)]
        done = CliRunner().invoke(app, arguments, env={"COLUMNS": "300", "TERM": "dumb"})
        assert done.exit_code == 0, done.output
        return done.stdout

    command = f"paddlex-triton export {' '.join(OFFLINE_NETWORKS)}"
    assert f"seal_recognition is left out: not exported are {', '.join(OFFLINE_NETWORKS)}. Run: {command}" in call()
    for name in OFFLINE_NETWORKS:
        write_network(repository, name)
    said = call()
    assert "OCR, seal_recognition (cpu) as ocr, seal_recognition, with PP-OCRv4_mobile_det" in said
    told = "layout_detection runs on offline_seal_layout instead of PP-DocLayout-L: not exported"
    assert f"seal_recognition: {told}\n" in said
    off = "use_doc_orientation_classify, use_doc_unwarping"
    assert f"OCR: no network for: {off}, use_textline_orientation\n" in said
    assert f"seal_recognition: on by default: use_layout_detection (offline_seal_layout); no network for: {off}" in said


def test_both_pipelines_share_the_recogniser_s_module(seals, tmp_path):
    assembly = assemble(tmp_path / "models", networks=[seals])
    assert assembly.pipelines == ("OCR", "seal_recognition")
    assert assembly.left_out == {
        "human_keypoint_detection": PEOPLE_NETWORKS,
        "doc_preprocessor": (ANY_ORIENTATION,),
    }
    assert networks_in(tmp_path / "models", "text_recognition") == {
        "OCR": {"text_recognition": ("PP-OCRv4_mobile_rec",)},
        "seal_recognition": {"text_recognition": ("PP-OCRv4_server_rec",)},
    }
    for name in ("PP-OCRv4_mobile_rec", "PP-OCRv4_server_rec"):
        assert (tmp_path / "models" / "text_recognition" / f"{name}.network.json").is_file()


@pytest.mark.parametrize(
    ("presets", "models", "wanted"),
    [
        (
            {"seal_recognition": "nopp-nolayout-lightweight"},
            {},
            {"PP-OCRv4_mobile_seal_det", "PP-OCRv4_mobile_rec"},
        ),
        ({"seal_recognition": "nopp-lightweightlayout"}, {}, {"PP-DocLayout-S", *SEAL_NETWORKS[1:]}),
        ({}, {"layout_detection": "mine"}, {"mine", *SEAL_NETWORKS[1:]}),
        ({}, {"layout_detection": ""}, set(SEAL_NETWORKS[1:])),
        (
            {"seal_recognition": "nopp-nolayout"},
            {"layout_detection": "mine", "text_recognition": "PP-OCRv4_mobile_rec"},
            {"mine", "PP-OCRv4_server_seal_det", "PP-OCRv4_mobile_rec"},
        ),
    ],
)
def test_presets_and_single_networks(seals, tmp_path, presets, models, wanted):
    assembly = assemble(
        tmp_path / "models", pipelines=["seal_recognition"], presets=presets, models=models, networks=[seals]
    )
    assert set(assembly.networks) == wanted
    folders = {path.name for path in (tmp_path / "models").iterdir() if path.is_dir()}
    assert folders == {"seal_recognition", *PIPELINES["seal_recognition"].models, *wanted}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"presets": {"seal_recognition": "x"}}, "no preset 'x'; known: default, nopp, nopp-nolayout"),
        ({"presets": {"seal_recognition": "default"}}, "not exported: PP-LCNet_x1_0_doc_ori, UVDoc"),
        ({"presets": {"OCR": "PP-OCRv4_mobile"}}, "a preset is given for OCR, which is not among the pipelines"),
        ({"presets": {"ORC": "nopp"}}, "unknown pipeline 'ORC'"),
        (
            {"models": {"layout": "mine"}},
            "no step 'layout' takes a network; known: doc_orientation_classify, doc_unwarp",
        ),
        ({"models": {"text_recognition": ""}}, "seal_recognition cannot do without a network for text_recognition"),
        ({"models": {"layout_detection": "nowhere"}}, "not exported: nowhere"),
        (
            {"models": {"layout_detection": "PP-OCRv4_mobile_rec"}},
            "layout_detection takes a network of family dense_detection or detr_detection or nms_detection; "
            "PP-OCRv4_mobile_rec is ctc_recognition",
        ),
        ({"models": {"text_recognition": "mine"}}, "text_recognition takes a network of family ctc_recognition"),
        ({"models": {"seal_text_detection": "mine"}}, "seal_text_detection takes a network of family db_detection"),
        ({"models": {"layout_detection": "../mine"}}, "'../mine' is no name of a network"),
        ({"models": {"layout_detection": "mine,nowhere"}}, "not exported: nowhere"),
        ({"models": {"layout_detection": "mine,PP-OCRv4_mobile_rec"}}, "PP-OCRv4_mobile_rec is ctc_recognition"),
        (
            {"models": {"doc_orientation_classify": "colours_ori"}},
            "doc_orientation_classify cannot use colours_ori: its labels are red, green; 0, 90, 180, 270 are needed",
        ),
        ({"models": {"doc_orientation_classify": "bare_ori"}}, "cannot use bare_ori: its labels are missing"),
    ],
)
def test_selections_that_are_refused(seals, tmp_path, options, expected):
    with pytest.raises(AssemblyError) as refused:
        assemble(tmp_path / "models", pipelines=["seal_recognition"], networks=[seals], **options)
    assert expected in str(refused.value)
    assert not (tmp_path / "models").exists()


def test_optional_steps_are_on_where_their_networks_are_exported(seals, tmp_path):
    off = {"use_doc_orientation_classify": (), "use_doc_unwarping": ()}
    assembly = assemble(tmp_path / "models", networks=[seals])
    assert assembly.switches["OCR"] == {**off, "use_textline_orientation": ()}
    assert assembly.switches["seal_recognition"] == {**off, "use_layout_detection": ("PP-DocLayout-L",)}
    for name in (*PREPARATION_NETWORKS, "PP-LCNet_x0_25_textline_ori"):
        write_network(seals, name)
    assembly = assemble(tmp_path / "models", networks=[seals])
    on = dict(zip(off, ((name,) for name in PREPARATION_NETWORKS), strict=True))
    assert assembly.switches["OCR"] == {**on, "use_textline_orientation": ("PP-LCNet_x0_25_textline_ori",)}
    assert assembly.switches["seal_recognition"] == {**on, "use_layout_detection": ("PP-DocLayout-L",)}
    both = {"doc_orientation_classify": PREPARATION_NETWORKS[:1], "doc_unwarping": PREPARATION_NETWORKS[1:]}
    for pipeline, ensemble in (("OCR", "ocr"), ("seal_recognition", "seal_recognition")):
        assert networks_in(tmp_path / "models", f"{ensemble}.doc_preprocessor") == {pipeline: both}
    write_network(seals, "PP-LCNet_x1_0_textline_ori")
    assembly = assemble(tmp_path / "models", networks=[seals])
    assert assembly.switches["OCR"]["use_textline_orientation"] == ("PP-LCNet_x1_0_textline_ori",)


def test_optional_steps_are_on_beside_the_fallback_too(repository, tmp_path):
    for name in (*OFFLINE_NETWORKS, "UVDoc"):
        write_network(repository, name)
    assembly = assemble(tmp_path / "models", pipelines=["seal_recognition"], networks=[repository])
    assert assembly.stand_ins
    assert assembly.switches["seal_recognition"]["use_doc_unwarping"] == ("UVDoc",)


def test_a_preset_that_is_named_leaves_other_steps_off_in_its_own_pipeline_alone(seals, tmp_path):
    for name in PREPARATION_NETWORKS:
        write_network(seals, name)
    assemble(tmp_path / "models", presets={"seal_recognition": "nopp"}, networks=[seals])
    both = {"doc_orientation_classify": PREPARATION_NETWORKS[:1], "doc_unwarping": PREPARATION_NETWORKS[1:]}
    assert networks_in(tmp_path / "models", "ocr.doc_preprocessor") == {"OCR": both}
    assert networks_in(tmp_path / "models", "seal_recognition.doc_preprocessor") == {"seal_recognition": {}}
    options = {"pipelines": ["seal_recognition"], "networks": [seals], "presets": {"seal_recognition": "default"}}
    assembly = assemble(tmp_path / "models", **options)
    assert set(assembly.networks) == {*SEAL_NETWORKS, *PREPARATION_NETWORKS}


def test_several_networks_in_a_step_s_place(seals, tmp_path):
    models = {"text_recognition": "PP-OCRv4_server_rec, PP-OCRv4_mobile_rec,PP-OCRv4_server_rec"}
    assembly = assemble(tmp_path / "models", pipelines=["OCR"], models=models, networks=[seals])
    assert set(assembly.networks) == {"PP-OCRv4_mobile_det", "PP-OCRv4_server_rec", "PP-OCRv4_mobile_rec"}
    both = ("PP-OCRv4_server_rec", "PP-OCRv4_mobile_rec")
    assert networks_in(tmp_path / "models", "text_recognition") == {"OCR": {"text_recognition": both}}
    for name in both:
        assert (tmp_path / "models" / "text_recognition" / f"{name}.network.json").is_file()


@pytest.mark.parametrize(("name", "fits"), [("x_textline_ori", True), ("x_doc_ori", False)])
def test_lines_are_told_apart_by_two_classes(seals, tmp_path, name, fits):
    write_network(seals, name)
    options = {"pipelines": ["OCR"], "models": {"textline_orientation": name}, "networks": [seals]}
    if fits:
        assert assemble(tmp_path / "models", **options).switches["OCR"]["use_textline_orientation"] == (name,)
        return
    with pytest.raises(AssemblyError, match=f"textline_orientation cannot use {name}: .* two are needed"):
        assemble(tmp_path / "models", **options)


def test_missing_flavour_is_named(repository, tmp_path):
    with pytest.raises(AssemblyError, match=r"no 'tensorrt' flavour: .*tensorrt\.pbtxt is missing"):
        assemble(tmp_path / "models", networks=[repository], flavour="tensorrt")
    assert not (tmp_path / "models").exists()


def test_unknown_pipeline(repository, tmp_path):
    with pytest.raises(AssemblyError, match="unknown pipeline 'ORC'; known: OCR"):
        assemble(tmp_path / "models", pipelines=["ORC"], networks=[repository])


def test_an_earlier_assembly_is_replaced(repository, tmp_path):
    assemble(tmp_path / "models", networks=[repository])
    (tmp_path / "models" / "stray").mkdir()
    assemble(tmp_path / "models", networks=[repository])
    assert not (tmp_path / "models" / "stray").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_lies_behind_the_links_survives_a_replacement(repository, tmp_path):
    assemble(tmp_path / "models", networks=[repository])
    assemble(tmp_path / "models", networks=[repository])
    assert (repository / NETWORKS[0] / "1" / "model.onnx").is_file()
    assert (paths.modules_repository() / "text_detection" / "1" / "model.py").is_file()


def test_somebody_elses_folder_is_left_alone(repository, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.txt").write_text("mine")
    with pytest.raises(AssemblyError, match="not made by `assemble`"):
        assemble(tmp_path / "models", networks=[repository])
    assert (tmp_path / "models" / "mine.txt").read_text() == "mine"


def test_an_empty_folder_is_taken(repository, tmp_path):
    (tmp_path / "models").mkdir()
    assemble(tmp_path / "models", networks=[repository])
    assert (tmp_path / "models" / MARKER).is_file()


def test_a_broken_description_is_refused(repository, tmp_path):
    (repository / NETWORKS[0] / "network.json").write_text("{")
    with pytest.raises(AssemblyError, match=r"network\.json"):
        assemble(tmp_path / "models", networks=[repository])


@pytest.mark.parametrize("spec", PIPELINES.values(), ids=lambda spec: spec.name)
def test_ensembles_chain_the_modules_of_the_pipeline(spec):
    config = read_config(paths.ensembles_repository() / spec.ensemble / "config.pbtxt")
    assert config.name == spec.ensemble
    assert config.max_batch_size == 0
    assert tuple(steps_of(config)) == spec.models


@pytest.mark.parametrize(("megapixels", "pixels"), [(12, "12000000"), (0.5, "500000"), (178.95697, "178956970")])
def test_modules_are_told_the_largest_page(repository, tmp_path, megapixels, pixels):
    assemble(tmp_path / "models", pipelines=["OCR"], max_megapixels=megapixels, networks=[repository])
    for module in MODULES:
        parameters = read_config(tmp_path / "models" / module / "config.pbtxt").parameters
        assert parameters["max_image_pixels"].string_value == pixels


@pytest.mark.parametrize("megapixels", [-1, 0, 178.95698, float("inf"), float("nan")])
def test_a_page_cannot_be_larger_than_possible(repository, tmp_path, megapixels):
    with pytest.raises(AssemblyError, match=r"megapixels a page; up to 178\.95 are possible"):
        assemble(tmp_path / "models", pipelines=["OCR"], max_megapixels=megapixels, networks=[repository])


@pytest.mark.parametrize(("processor", "told"), [("Another", True), (describe(), False)])
def test_networks_that_were_timed_elsewhere_are_named(repository, tmp_path, processor, told):
    file = repository / NETWORKS[0] / "network.json"
    on_cpu = {"processor": processor, "threads": 2, "milliseconds": {"cpu": 1.0}}
    file.write_text(json.dumps({**json.loads(file.read_text()), "on_cpu": on_cpu}))
    assembly = assemble(tmp_path / "models", pipelines=["OCR"], networks=[repository])
    remark = f"timed on another processor: {NETWORKS[0]}. Here: paddlex-triton measure {NETWORKS[0]}"
    assert (remark in assembly.remarks) is told
    assert assembly.flavours == dict.fromkeys(NETWORKS, "cpu")


@pytest.mark.parametrize(("times", "flavour"), [((2.0, 1.0), "openvino"), ((1.0, 2.0), "cpu")])
def test_each_network_gets_the_engine_that_was_faster(repository, tmp_path, times, flavour):
    for name in NETWORKS:
        file = repository / name / "network.json"
        milliseconds = dict(zip(("cpu", "openvino"), times, strict=True))
        on_cpu = {"processor": describe(), "threads": 2, "milliseconds": milliseconds}
        file.write_text(json.dumps({**json.loads(file.read_text()), "on_cpu": on_cpu}))
        (repository / name / "configs" / "openvino.pbtxt").write_text('backend: "paddlex_openvino"\n')
    assembly = assemble(tmp_path / "models", pipelines=["OCR"], networks=[repository])
    assert assembly.flavours == dict.fromkeys(NETWORKS, flavour)
    for name in NETWORKS:
        wanted = "paddlex_openvino" if flavour == "openvino" else "onnxruntime"
        assert read_config(tmp_path / "models" / name / "config.pbtxt").backend == wanted
    told = json.loads((tmp_path / "models" / "text_recognition" / f"{NETWORKS[1]}.network.json").read_text())
    assert told["geometry"]["max_columns"] == 1920
    for named in ("cpu", "openvino"):
        assembly = assemble(tmp_path / "models", pipelines=["OCR"], networks=[repository], flavour=named)
        assert set(assembly.flavours.values()) == {named}
