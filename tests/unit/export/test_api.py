"""Whole exports of tiny networks: files, network.json, what is up to date, what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import yaml

from paddlex_triton.export import api
from paddlex_triton.export.api import Options, export_directory, export_network, run_export_directory
from paddlex_triton.export.errors import (
    GraphError,
    InferenceFileError,
    InstallError,
    SourceError,
    UsageError,
    VerificationError,
)
from paddlex_triton.export.export_report import ExportReport
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings, parse_inference
from paddlex_triton.export.sources.weights import Weights
from paddlex_triton.limits import MAX_CANDIDATES
from paddlex_triton.network import NetworkInfo


def run(path: Path, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    return [np.asarray(value) for value in session.run(None, feeds)]


def test_detector(kit, weights_folder, tmp_path):
    path = export_directory(weights_folder(kit.detector(), kit.detector_yml()), tmp_path / "repository")
    assert path == tmp_path / "repository" / "tiny_det"
    files = sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())
    configs = ["config.pbtxt", *(f"configs/{flavour}.pbtxt" for flavour in ("gpu", "openvino", "tensorrt"))]
    assert files == ["1/model.onnx", *configs, "export.json", "network.json"]
    info = NetworkInfo.load(path / "network.json")
    assert (info.name, info.family, info.max_batch_size) == ("tiny_det", "db_detection", 4)
    assert info.sha256 == hashlib.sha256((path / "1" / "model.onnx").read_bytes()).hexdigest()
    assert info.postprocess == {"name": "DBPostProcess", "thresh": 0.2, "unclip_ratio": 1.4}
    assert (info.characters, info.geometry) == (None, {})
    assert (info.provenance.source, info.provenance.file) == ("dir:weights", "inference.onnx")
    report = ExportReport.load(path / "export.json")
    assert report.sha256 == info.sha256
    assert report.verification.max_edit_difference == 0
    assert str(tmp_path) not in (path / "network.json").read_text() + (path / "export.json").read_text()


def test_recognizer(kit, weights_folder, tmp_path):
    path = export_directory(weights_folder(kit.recognizer(), kit.recognizer_yml()), tmp_path / "repository")
    info = NetworkInfo.load(path / "network.json")
    assert info.characters == ["blank", *kit.characters, " "]
    assert info.geometry == {"image_shape": [3, 48, 320]}
    feeds = {"x": np.zeros((2, 48, 320, 3), np.uint8), "widths": np.array([[320], [9]], np.int32)}
    assert [value.shape for value in run(path, feeds)] == [(2, 40), (2, 40)]


def test_characters_from_the_onnx_file(kit, weights_folder, tmp_path):
    model = kit.recognizer()
    entry = model.metadata_props.add()
    entry.key, entry.value = "character", "\n".join(kit.characters)
    yml = kit.recognizer_yml()
    del yml["PostProcess"]["character_dict"]
    path = export_directory(weights_folder(model, yml), tmp_path / "repository")
    assert NetworkInfo.load(path / "network.json").characters == ["blank", *kit.characters, " "]


def test_own_constants_reach_the_graph(kit, weights_folder, tmp_path):
    """Settings of inference.yml win over the family's defaults."""
    model = kit.detector()
    paths = [
        export_directory(weights_folder(model, kit.detector_yml(name, **constants), name), tmp_path / "repository")
        for name, constants in {"default": {}, "own": {"mean": [0.5] * 3, "std": [0.5] * 3}}.items()
    ]
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    answers = [run(path, {"x": image})[0] for path in paths]
    assert not np.array_equal(answers[0], answers[1])


def test_second_export_does_nothing(kit, weights_folder, tmp_path):
    folder, options = weights_folder(kit.detector(), kit.detector_yml()), Options(into=tmp_path / "repository")
    first = run_export_directory(folder, options)
    stamp = (first.path / "network.json").stat().st_mtime_ns
    second = run_export_directory(folder, options)
    assert (first.installed, second.installed) == (True, False)
    assert (first.path / "network.json").stat().st_mtime_ns == stamp
    assert run_export_directory(folder, Options(into=tmp_path / "repository", force=True)).installed


@pytest.mark.parametrize("damage", ["settings", "model", "report", "version"])
def test_stale_exports_are_renewed(kit, weights_folder, tmp_path, monkeypatch, damage):
    folder, options = weights_folder(kit.detector(), kit.detector_yml()), Options(into=tmp_path / "repository")
    path = run_export_directory(folder, options).path
    if damage == "settings":
        (folder / "inference.yml").write_text(yaml.safe_dump(kit.detector_yml(mean=[0.5, 0.5, 0.5])))
    elif damage == "model":
        (path / "1" / "model.onnx").write_bytes(b"damaged")
    elif damage == "report":
        (path / "export.json").unlink()
    else:
        monkeypatch.setattr(api, "__version__", "99")
    assert run_export_directory(folder, options).installed
    assert not run_export_directory(folder, options).installed


def test_a_network_that_comes_along_gives_way_to_that_of_another_version(kit, tmp_path):
    def export(model, label: str):
        content = model.SerializeToString()
        settings = parse_inference(kit.detector_yml(), "test")
        weights = Weights(content, settings, label, "model.onnx", hashlib.sha256(content).hexdigest())
        return api._export(weights, "tiny_det", api.FAMILIES["db_detection"], Options(into=tmp_path / "repository"))

    assert export(kit.detector(), "shipped:tiny_det").installed
    assert export(kit.detector(opset=16), "shipped:tiny_det").installed
    assert not export(kit.detector(opset=16), "shipped:tiny_det").installed
    with pytest.raises(InstallError, match="--force replaces it by dir:tiny_det"):
        export(kit.detector(), "dir:tiny_det")


def test_other_weights_need_force(kit, weights_folder, tmp_path):
    repository = tmp_path / "repository"
    export_directory(weights_folder(kit.detector(), kit.detector_yml(), "first"), repository)
    other = weights_folder(kit.detector(opset=13), kit.detector_yml(), "second")
    with pytest.raises(
        InstallError, match=r"tiny_det is there, made from dir:first .*--force replaces it by dir:second"
    ):
        export_directory(other, repository)
    path = export_directory(other, repository, force=True)
    assert NetworkInfo.load(path / "network.json").provenance.source == "dir:second"


def test_name_and_family_given(kit, weights_folder, tmp_path):
    folder = weights_folder(kit.detector(), None)
    path = export_directory(folder, tmp_path / "repository", name="mine", family="db_detection")
    assert json.loads((path / "network.json").read_text())["name"] == path.name == "mine"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "has no Global.model_name; give a name with --name"),
        ({"name": "mine"}, r"has no PostProcess.name; give the family: --family db_detection\|ctc_recognition"),
        ({"name": "../up", "family": "db_detection"}, "'../up' cannot be a network's name"),
        ({"name": ".hidden", "family": "db_detection"}, "cannot be a network's name"),
        ({"name": "n" * 129, "family": "db_detection"}, "at most 128"),
    ],
)
def test_what_inference_yml_does_not_tell_must_be_given(kit, weights_folder, tmp_path, given, message):
    with pytest.raises(UsageError, match=message):
        export_directory(weights_folder(kit.detector(), None), tmp_path / "repository", **given)
    assert not (tmp_path / "repository").exists() or not list((tmp_path / "repository").iterdir())


def test_longest_name(kit, weights_folder, tmp_path):
    folder = weights_folder(kit.detector(), kit.detector_yml())
    assert export_directory(folder, tmp_path / "repository", name="n" * 128).name == "n" * 128


def test_contradictions_are_refused(kit, weights_folder, tmp_path):
    folder = weights_folder(kit.detector(), kit.detector_yml())
    with pytest.raises(UsageError, match=r"inference.yml says db_detection, --family says ctc_recognition"):
        export_directory(folder, tmp_path / "repository", family="ctc_recognition")
    unknown = kit.detector_yml() | {"PostProcess": {"name": "PicoDetPostProcess"}}
    with pytest.raises(UsageError, match=r"does not tell it \(PostProcess.name is 'PicoDetPostProcess'\)"):
        export_directory(weights_folder(kit.detector(), unknown, "unknown"), tmp_path / "repository")
    with pytest.raises(GraphError, match="11 classes, but the dictionary gives 10"):
        export_directory(
            weights_folder(kit.recognizer(classes=11), kit.recognizer_yml(), "classes"), tmp_path / "repository"
        )
    no_characters = kit.recognizer_yml()
    del no_characters["PostProcess"]["character_dict"]
    with pytest.raises(InferenceFileError, match=r"no characters: inference.yml has no PostProcess.character_dict"):
        export_directory(weights_folder(kit.recognizer(), no_characters, "characters"), tmp_path / "repository")


def test_what_fails_its_proof_is_not_installed(kit, weights_folder, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise VerificationError("apart")

    monkeypatch.setattr(api, "verify", refuse)
    with pytest.raises(VerificationError):
        export_directory(weights_folder(kit.detector(), kit.detector_yml()), tmp_path / "repository")
    assert not (tmp_path / "repository").exists()


def test_sources_are_tried_in_turn(kit, tmp_path, monkeypatch):
    class Absent:
        label = "first"

        def fetch(self):
            raise SourceError("the first is not there")

    class Present:
        label = "second"

        def fetch(self):
            return Weights(kit.detector().SerializeToString(), InferenceSettings(), "second", "net.onnx", "0" * 64)

    monkeypatch.setattr(api, "sources_of", lambda entry, options: [Absent(), Present()])
    path = export_network("PP-OCRv4_mobile_det", tmp_path)
    assert NetworkInfo.load(path / "network.json").provenance.source == "second"
    monkeypatch.setattr(api, "sources_of", lambda entry, options: [Absent(), Absent()])
    with pytest.raises(SourceError, match="the first is not there; the first is not there"):
        export_network("PP-OCRv4_mobile_det", tmp_path)


def test_own_weights_stay_though_their_report_is_of_another_version(kit, weights_folder, tmp_path):
    name = "PP-OCRv4_mobile_det"
    path = export_directory(weights_folder(kit.detector(), kit.detector_yml(name), "mine"), tmp_path / "repository")
    (path / "export.json").write_text("{}")
    with pytest.raises(InstallError, match=f"{name} is there, made from dir:mine; --force replaces it by"):
        export_network(name, tmp_path / "repository")
    other = weights_folder(kit.detector(opset=13), kit.detector_yml(name), "others")
    with pytest.raises(
        InstallError, match=f"{name} is there, made from dir:mine .*; --force replaces it by dir:others"
    ):
        export_directory(other, tmp_path / "repository")
    # The same weights are exported anew.
    export_directory(tmp_path / "mine", tmp_path / "repository")
    assert ExportReport.load(path / "export.json").name == name


@pytest.mark.parametrize(
    ("candidates", "served"),
    [(1, True), (MAX_CANDIDATES, True), (MAX_CANDIDATES + 1, False), (0, False), ("all", False)],
)
def test_candidates_of_a_text_detector(kit, weights_folder, tmp_path, candidates, served):
    yml = kit.detector_yml()
    yml["PostProcess"]["max_candidates"] = candidates
    folder = weights_folder(kit.detector(), yml)
    if served:
        path = export_directory(folder, tmp_path / "repository")
        assert NetworkInfo.load(path / "network.json").postprocess["max_candidates"] == candidates
        return
    with pytest.raises(InferenceFileError, match=f"max_candidates is {candidates!r}; 1 to {MAX_CANDIDATES} is what"):
        export_directory(folder, tmp_path / "repository")
