"""Conversion for real: PaddlePaddle models become networks that answer as PaddlePaddle does.

The converter's environment is made once and kept in the product's home, about 250 MB of downloads and 1 GB on disk;
`PADDLEX_TRITON_CONVERTER_PYTHON` names another one.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import yaml
from hub_server import NOBODY, Fault, HubServer, tar_of
from paddle_ymls import YMLS

from paddlex_triton.export.api import Options, Outcome, run_export_directory, run_export_network
from paddlex_triton.export.errors import ConversionError
from paddlex_triton.export.limited_process import run_limited
from paddlex_triton.export.paddle.conversion_report import ConversionReport
from paddlex_triton.export.paddle.convert import convert_folder
from paddlex_triton.export.paddle.environment import WORKER, find_converter, worker_environment
from paddlex_triton.export.sources.hubs import HUBS
from paddlex_triton.network import Family, NetworkInfo

BUILDER = Path(__file__).resolve().parents[1] / "support" / "build_paddle_networks.py"

# Largest differences allowed between PaddlePaddle and ONNX Runtime, as a part of the output's range; ten times what was
# measured. UVDoc's kind fetches pixels from computed places: across an edge little becomes much.
DIFFERENCES = {
    "db_detection": 1e-5,
    "ctc_recognition": 5e-5,
    "dense_detection": 1e-5,
    "heatmap_keypoints": 1e-5,
    "image_classification": 1e-5,
    "image_unwarping": 0.02,
}


def silent(message: str) -> None:
    del message


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python that converts."""
    try:
        return find_converter(silent).python
    except ConversionError as error:
        if "No matching distribution" in str(error) or "Connection" in str(error):
            pytest.skip(f"no package index: {error}")
        raise


@pytest.fixture(scope="module")
def weights(python, tmp_path_factory) -> Path:
    """Folders of weights as PaddlePaddle writes them, one per family."""
    folder = tmp_path_factory.mktemp("weights")
    scratch = tmp_path_factory.mktemp("scratch")
    command = [python, "-I", BUILDER, folder]
    ended = run_limited(command, seconds=600, log=scratch / "log", environment=worker_environment(scratch))
    assert ended.succeeded, ended.output
    for name, yml in YMLS.items():
        (folder / name / "inference.yml").write_text(yaml.safe_dump(yml))
    return folder


@pytest.fixture(autouse=True)
def own_home(python, tmp_path, monkeypatch):
    """Nothing is taken from conversions before."""
    monkeypatch.setenv("PADDLEX_TRITON_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PADDLEX_TRITON_CONVERTER_PYTHON", str(python))


def export(folder: Path, tmp_path: Path, family: Family | None = None) -> tuple[Outcome, ConversionReport]:
    outcome = run_export_directory(folder, Options(into=tmp_path / "repository"), family=family)
    assert outcome.report.conversion is not None
    return outcome, outcome.report.conversion


@pytest.mark.parametrize("name", DIFFERENCES)
def test_every_family_is_exported(weights, tmp_path, name):
    outcome, conversion = export(weights / name, tmp_path)
    assert NetworkInfo.load(outcome.path / "network.json").family == name
    assert conversion.max_relative_difference <= DIFFERENCES[name]
    assert conversion.folded
    # Something was compared: values that differ from each other, boxes that were found.
    for case in conversion.cases:
        assert case.outputs[0].range > 0.5
        assert min(case.outputs[0].shape) > 0
    verification = outcome.report.verification
    assert verification.max_edit_difference <= 1e-6
    batches = {case.shape[0] for case in verification.cases}
    assert batches == ({1} if name == "image_unwarping" else {1, 3, max(batches)})


def test_whole_path_from_a_hub(weights, tmp_path, monkeypatch):
    """A real archive with a real PaddlePaddle model, from a hub on this machine to an installed network."""
    name = "PP-OCRv5_server_det"
    files = {file.name: file.read_bytes() for file in (weights / "db_detection").iterdir()}
    yml = YMLS["db_detection"] | {"Global": {"model_name": name}}
    files["inference.yml"] = yaml.safe_dump(yml).encode()
    archive = f"/paddlex/official_inference_model/paddle3.0.0/{name}_infer.tar"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("PADDLE_PDX_MODEL_SOURCE", raising=False)
    with HubServer().running() as hub:
        for each in HUBS:
            monkeypatch.setenv(each.variables[0], hub.url if each.name == "bos" else NOBODY)
        hub.files[archive] = tar_of(files)
        # Breaks off half way, and is continued.
        hub.faults[archive] = [Fault(breaks_after=len(hub.files[archive]) // 2)]
        outcome = run_export_network(name, Options(into=tmp_path / "repository"))
        assert [asked.range is not None for asked in hub.asked if asked.path == archive] == [False, True]
    info = NetworkInfo.load(outcome.path / "network.json")
    assert (info.family, info.provenance.source) == ("db_detection", f"official:bos/{name}")
    assert outcome.report.conversion is not None
    assert outcome.report.conversion.max_relative_difference <= DIFFERENCES["db_detection"]


def test_detector_that_keeps_its_nms(weights, tmp_path):
    outcome, _ = export(weights / "dense_detection", tmp_path, "nms_detection")
    assert NetworkInfo.load(outcome.path / "network.json").family == "nms_detection"


def test_scales_as_paddlepaddle_3_3_writes_them(weights, tmp_path):
    newer = tmp_path / "newer"
    shutil.copytree(weights / "db_detection", newer)
    text = (newer / "inference.json").read_text()
    program = json.loads(text)
    assert turn_scales(program) == 2
    (newer / "inference.json").write_text(json.dumps(program))
    converted = convert_folder(newer, progress=silent)
    assert converted.report.patched_operators == 1
    assert converted.model == convert_folder(weights / "db_detection", progress=silent).model


def turn_scales(value) -> int:
    """Write the numbers of scales as float64."""
    if isinstance(value, list):
        return sum(turn_scales(inner) for inner in value)
    if not isinstance(value, dict):
        return 0
    turned = 0
    if value.get("N") == "scale" and value["AT"]["#"] == "0.a_array":
        for number in value["AT"]["D"]:
            number["#"] = "0.a_f64"
            turned += 1
    return turned + sum(turn_scales(inner) for inner in value.values())


def test_abort_of_the_converter_names_the_operator(weights, tmp_path):
    with pytest.raises(
        ConversionError, match=r"it aborted; it said: .*pd_op.mean.*Can not get input 'axis\(dim\)' value"
    ):
        convert_folder(weights / "unconvertible", progress=silent)
    assert not list((tmp_path / "home" / "converted").iterdir())


def test_real_text_detector(shared, python, tmp_path):
    """PP-OCRv3's detector, in the older form, on a real page: the served network against PaddlePaddle."""
    folder = tmp_path / "ch_PP-OCRv3_det"
    shutil.copytree(shared / "models" / "ch_PP-OCRv3_det_paddle", folder)
    folder.chmod(0o755)
    (folder / "inference.yml").write_text(yaml.safe_dump(YMLS["db_detection"]))
    outcome, conversion = export(folder, tmp_path)
    assert conversion.files == ["inference.pdmodel", "inference.pdiparams"]
    assert conversion.max_difference <= 3e-4
    assert outcome.report.verification.max_edit_difference <= 1e-6
    page = cv2.imread(str(shared / "images" / "ocr" / "general_ocr_002_boardingpass.jpg"))
    assert page is not None
    resized = np.asarray(cv2.resize(page, (960, 640)))[None]
    session = onnxruntime.InferenceSession(outcome.path / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    (served,) = (np.asarray(value) for value in session.run(["prob"], {"x": resized}))
    wanted = paddle_answer(python, folder, tmp_path, resized)
    assert (wanted > 0.6).mean() > 0.01, "the page shows text"
    assert np.abs(wanted - served).max() <= 3e-4


def paddle_answer(python: Path, folder: Path, tmp_path: Path, page: np.ndarray) -> np.ndarray:
    """PaddlePaddle's map of a page, uint8 [1,H,W,3], normalised here: float32 [1,H,W]."""
    mean, std = (
        np.array(YMLS["db_detection"]["PreProcess"]["transform_ops"][2]["NormalizeImage"][key])
        for key in ("mean", "std")
    )
    planes = ((page / 255 - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
    np.savez(tmp_path / "feeds.npz", x=planes)
    job = {
        "action": "answer",
        "model": str(folder / "inference.pdmodel"),
        "parameters": str(folder / "inference.pdiparams"),
        "cases": [[str(tmp_path / "feeds.npz"), str(tmp_path / "answer.npz")]],
    }
    (tmp_path / "job.json").write_text(json.dumps(job))
    command = [python, "-I", WORKER, tmp_path / "job.json", tmp_path / "result.json"]
    ended = run_limited(command, seconds=300, log=tmp_path / "log", environment=worker_environment(tmp_path))
    assert ended.succeeded, ended.output
    return np.load(tmp_path / "answer.npz")["0"][:, 0]
