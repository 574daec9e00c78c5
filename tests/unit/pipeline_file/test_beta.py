"""Pipeline files of PaddleX 3's beta."""

from __future__ import annotations

from pathlib import Path

import pipeline_files
import pytest

from paddlex_triton.limits import MAX_INFERENCE_YML_BYTES
from paddlex_triton.pipeline_file import NetworkReference, PipelineFileError, read_pipeline_config
from paddlex_triton.pipelines import PIPELINES


def read(name, path=None, *value):
    """A shipped file with one key changed, or missing."""
    config = pipeline_files.beta(name)
    return read_pipeline_config(pipeline_files.changed(config, path, *value) if path else config, "my.yaml")


def test_pipelines_that_the_beta_had_not_are_refused_with_those_it_had():
    config = {"Global": {"pipeline_name": "doc_preprocessor"}, "Pipeline": {}}
    with pytest.raises(PipelineFileError, match="'doc_preprocessor'; allowed: OCR, seal_recognition, human_keypoint"):
        read_pipeline_config(config)


@pytest.mark.parametrize(
    ("name", "networks"),
    [
        ("OCR", {"text_detection": "PP-OCRv4_mobile_det", "text_recognition": "PP-OCRv4_mobile_rec"}),
        (
            "seal_recognition",
            {
                "layout_detection": "RT-DETR-H_layout_3cls",
                "seal_text_detection": "PP-OCRv4_server_seal_det",
                "text_recognition": "PP-OCRv4_server_rec",
            },
        ),
        (
            "human_keypoint_detection",
            {"human_detection": "PP-YOLOE-S_human", "keypoint_detection": "PP-TinyPose_256x192"},
        ),
    ],
)
def test_shipped_files(name, networks):
    file = read(name)
    assert file.spec is PIPELINES[name]
    assert file.models() == {**dict.fromkeys(file.spec.steps, ""), **networks}
    assert set(file.off) == file.spec.steps.keys() - networks.keys()
    # Lines are padded one by one unless the file says otherwise.
    together = {} if name == "human_keypoint_detection" else {"text_recognition_batch_size": 1}
    switches = {switch: step in networks for switch, step in file.spec.switches.items()}
    assert file.params == {**switches, **together}
    (remark,) = file.remarks
    assert remark.startswith("my.yaml: Global.input is 'page.png': ")


def test_names_of_earlier_versions():
    config = {
        "Global": {"pipeline_name": "OCR"},
        "Pipeline": {"det_model": "A", "rec_model": "B", "batch_size": 4, "device": "gpu:0"},
    }
    file = read_pipeline_config(config)
    assert {step: name for step, name in file.models().items() if name} == {
        "text_detection": "A",
        "text_recognition": "B",
    }
    assert file.params["text_recognition_batch_size"] == 4
    assert (file.device, file.remarks) == ("gpu:0", ())


def test_devices():
    config = pipeline_files.changed(pipeline_files.beta("seal_recognition"), "Pipeline.device", "gpu:0,1")
    config = pipeline_files.changed(config, "Pipeline.layout_device", "cpu")
    file = read_pipeline_config(pipeline_files.changed(config, "Pipeline.text_rec_device", "gpu:1"))
    assert file.device == "gpu:0,1"
    assert file.devices == {"layout_detection": "cpu", "text_recognition": "gpu:1"}


def test_a_path_is_a_folder_whether_it_is_there_or_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    choice = read("OCR", "Pipeline.text_rec_model", "./output/inference").networks["text_recognition"]
    assert choice == NetworkReference(None, Path("output/inference"))


def test_a_folder_that_is_there_is_meant_before_a_network_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read("OCR", "Pipeline.text_rec_model", "mine").networks["text_recognition"] == NetworkReference("mine")
    (tmp_path / "mine").mkdir()
    file = read("OCR", "Pipeline.text_rec_model", "mine")
    assert file.networks["text_recognition"] == NetworkReference(None, Path("mine"))
    (tmp_path / "mine" / "inference.yml").write_text("Global:\n  model_name: PP-OCRv4_mobile_rec\n")
    assert file.models()["text_recognition"] == "PP-OCRv4_mobile_rec"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "FileNotFoundError"),
        ("", "TypeError"),
        ("a: 1", "KeyError"),
        ("Global: {}", "KeyError"),
        ("Global: 1", "TypeError"),
        ("{", "ParserError"),
        ("Global: {model_name: ../x}", "which is no name"),
        ("Global: {model_name: 3}", "which is no name"),
        ("!!python/object:os.system x", "ConstructorError"),
    ],
)
def test_a_folder_that_does_not_tell_its_name(tmp_path, content, says):
    if content is not None:
        (tmp_path / "inference.yml").write_text(content)
    file = read("OCR", "Pipeline.text_rec_model", str(tmp_path))
    with pytest.raises(PipelineFileError) as refused:
        file.models()
    assert str(refused.value).startswith("my.yaml: ")
    assert says in str(refused.value)


def test_a_networks_own_file_up_to_the_limit(tmp_path):
    text = "Global: {model_name: mine} #"
    path = tmp_path / "inference.yml"
    path.write_text(text + "x" * (MAX_INFERENCE_YML_BYTES - len(text)))
    file = read("OCR", "Pipeline.text_rec_model", str(tmp_path))
    assert file.models()["text_recognition"] == "mine"
    path.write_text(path.read_text() + "x")
    with pytest.raises(PipelineFileError, match=f"more than {MAX_INFERENCE_YML_BYTES} bytes"):
        file.models()


@pytest.mark.parametrize(
    ("name", "path", "value", "says"),
    [
        ("OCR", "Global.pipeline_name", "PP-ChatOCRv3-doc", "Global.pipeline_name is 'PP-ChatOCRv3-doc'; allowed: OCR"),
        ("OCR", "Pipeline.det_model", "A", "Pipeline.text_det_model and Pipeline.det_model are the same step"),
        ("OCR", "Pipeline.text_rec_model", 3, "Pipeline.text_rec_model is 3; allowed: a text"),
        ("OCR", "Pipeline.text_rec_batch_size", 33, "Pipeline.text_rec_batch_size is 33; input should be less"),
        ("OCR", "Pipeline.device", ["gpu"], "Pipeline.device is ['gpu']; allowed: a device"),
        ("OCR", "Pipeline.text_det_device", 0, "Pipeline.text_det_device is 0; allowed: a device"),
        ("seal_recognition", "Pipeline.layout_model", None, "Pipeline.layout_model is None; allowed: a value"),
        ("OCR", "Pipeline", None, "Pipeline is missing; it names the networks"),
    ],
)
def test_refusals(name, path, value, says):
    with pytest.raises(PipelineFileError) as refused:
        read(name, path, value)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("Global", "Global is missing; it tells the pipeline's name"),
        ("Global.pipeline_name", "Global.pipeline_name is missing"),
        ("Pipeline.layout_model", "Pipeline.layout_model is missing"),
    ],
)
def test_what_must_be_there(path, says):
    with pytest.raises(PipelineFileError) as refused:
        read("seal_recognition", path)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Pipeline.layout_batch_size", 2),
        ("Pipeline.text_det_batch_size", 2),
        ("Pipeline.use_hpip", True),
        ("Pipeline.kernel_option", {"run_mode": "paddle"}),
        ("Pipeline.table_model", "SLANet"),
        ("Global.output", "here"),
        ("SubModules", {"LayoutDetection": {}}),
    ],
)
def test_what_has_no_meaning_is_remarked_on(path, value):
    file = read("seal_recognition", path, value)
    assert [remark for remark in file.remarks if remark.startswith(f"my.yaml: {path} is ")]
    assert len(file.remarks) == 2
