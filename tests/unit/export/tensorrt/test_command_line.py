"""TensorRT on the command line: what is missing is said before anything is done; configurations; the plan to serve."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_command import call
from google.protobuf import text_format
from preparation_graphs import unwarping_folder
from rich.console import Console
from tensorrt_machine import Machine

from paddlex_triton import paths
from paddlex_triton.export.api import Options, export_directory
from paddlex_triton.export.commandline.plan_builds import export_with_plans
from paddlex_triton.export.commandline.request import ExportRequest
from paddlex_triton.export.errors import ExportError, PlanBuildError
from paddlex_triton.export.tensorrt.build import PlanOptions, make_plan
from paddlex_triton.export.tensorrt.trtexec import find_trtexec, read_answer, tensorrt_image, version_in
from paddlex_triton.network import NetworkInfo
from paddlex_triton.server.host.assemble import assemble
from paddlex_triton.server.host.errors import AssemblyError
from paddlex_triton.tensorrt_plans import PlanError, PlanInfo, find_plan, plans_in
from paddlex_triton.tensorrt_target import Target, architecture_of

pb: Any = importlib.import_module("tritonclient.grpc.model_config_pb2")
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def weights(kit, weights_folder) -> Path:
    return weights_folder(kit.detector(), kit.detector_yml())


@pytest.fixture
def repository(tmp_path) -> Path:
    return tmp_path / "repository"


def export(weights: Path, repository: Path, *more: str):
    return call("export", "--tensorrt", "--from-dir", str(weights), "--into", str(repository), *more)


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --help", "8.6.1"),
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v100300] [b26] # trtexec", "10.3.0"),
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v101303] [b9]", "10.13.3"),
        ("\n== NVIDIA ==\n&&&& RUNNING TensorRT.trtexec [TensorRT v110100] [b106]\n", "11.1.0"),
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v11.1.0.106] [b48] # x", "11.1.0"),
        ("trtexec: command not found", None),
        ("", None),
    ],
)
def test_version_of_tensorrt(output, version):
    assert version_in(output) == version


def test_targets():
    assert [architecture_of(text) for text in ("9.0", " 8.6\n", "12.0", "[N/A]", "")] == [
        "sm90",
        "sm86",
        "sm120",
        None,
        None,
    ]
    assert Target.parse("trt10.3.0-sm90") == Target("10.3.0", "sm90")
    assert str(Target("11.0.0", "sm120")) == "trt11.0.0-sm120"
    for text in ("10.3.0", "trt10.3-sm90", "trt10.3.0-sm90-fp16", "../x"):
        with pytest.raises(ValueError, match="such as trt10"):
            Target.parse(text)


def test_answers_of_trtexec():
    text = (
        '[\n  { "name" : "prob"\n  , "dimensions" : "1x2x2"\n  , "values" : [ 0.5, 1e-07, nan, -inf ]\n}\n'
        ', { "name" : "indices"\n  , "dimensions" : "1x2"\n  , "values" : [ 3, -1 ]\n}]\n'
    )
    found = read_answer(text, ["prob", "indices"])
    assert (found["prob"].dtype, found["prob"].shape) == (np.float32, (1, 2, 2))
    assert found["prob"][0, 0].tolist() == [0.5, np.float32(1e-7)]
    assert np.isnan(found["prob"][0, 1, 0])
    assert np.isinf(found["prob"][0, 1, 1])
    assert (found["indices"].dtype, found["indices"].tolist()) == (np.int32, [[3, -1]])


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '[{"name": "prob"}]', '[{"name": "prob", "dimensions": "1x3", "values": [1, 2]}]', "[3]"],
)
def test_answers_of_another_form(text):
    with pytest.raises(PlanBuildError, match="cannot be read"):
        read_answer(text, ["prob"])


@pytest.mark.parametrize("missing", ["trtexec", "nvidia-smi"])
def test_without_tensorrt_nothing_is_done(machine, weights, repository, monkeypatch, missing):
    """One message with the command of the container, and a status of its own."""
    machine.without(missing)
    monkeypatch.setenv("PATH", str(machine.trtexec.parent))
    done = export(weights, repository)
    assert done.exit_code == 3
    assert not repository.exists()
    assert done.stderr.count("error:") == 1
    wanted = "no trtexec here" if missing == "trtexec" else "no NVIDIA GPU here (nvidia-smi lists none)"
    assert wanted in done.stderr
    mount = f"{repository.parent}:{repository.parent}"
    assert f'--volume {mount} {tensorrt_image()} trtexec"' in done.stderr
    assert f'PADDLEX_TRITON_TRTEXEC="docker run --rm --init --gpus all --user {os.getuid()}:' in done.stderr


@pytest.mark.parametrize(
    ("version", "text"),
    [("v8601", "TensorRT is 8.6.1; 10.0 or later is needed"), ("?", "does not say TensorRT's version")],
)
def test_other_versions_are_refused(machine, weights, repository, version, text):
    machine.set(version=version)
    done = export(weights, repository)
    assert (done.exit_code, text in done.stderr) == (3, True), done.stderr
    assert not repository.exists()


def test_no_gpu_among_what_nvidia_smi_says(weights, repository, tmp_path, monkeypatch):
    Machine(tmp_path / "bin", monkeypatch, ())
    assert export(weights, repository).exit_code == 3


def test_image_is_of_the_release_that_is_served():
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    (tag,) = re.findall(r"ARG TRITON_IMAGE=nvcr\.io/nvidia/tritonserver:(\S+)", dockerfile)
    assert tensorrt_image().endswith(f":{tag}")


def test_exported_and_planned(machine, weights, repository):
    done = export(weights, repository)
    assert done.exit_code == 0, done.output
    first, second = done.stdout.splitlines()
    assert first.startswith("tiny_det: exported to")
    assert second.startswith("tiny_det: TensorRT plan for trt10.3.0-sm90 in FP32, ")
    again = export(weights, repository)
    assert "tiny_det: TensorRT plan there already and up to date" in again.stdout
    assert len(machine.calls("--onnx")) == 1


def test_words_of_a_command_instead_of_a_path(machine, weights, repository, monkeypatch, tmp_path):
    """As with `docker run ... trtexec`; a path with a blank works too."""
    shutil.copy(machine.trtexec, tmp_path / "the trtexec")
    machine.without("trtexec")
    monkeypatch.setenv("PADDLEX_TRITON_TRTEXEC", f"env A=b '{tmp_path / 'the trtexec'}'")
    assert export(weights, repository).exit_code == 0
    monkeypatch.setenv("PADDLEX_TRITON_TRTEXEC", str(tmp_path / "the trtexec"))
    assert export(weights, repository).exit_code == 0


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("no-such-command trtexec", "is 'no-such-command trtexec', and there is no command 'no-such-command'"),
        ("docker run 'half", 'is "docker run \'half", no command: No closing quotation'),
        ("''", "is \"''\", and there is no command ''"),
    ],
)
def test_words_that_are_no_command(machine, weights, repository, monkeypatch, words, text):
    """An error that was named is the reason, whatever else there is."""
    monkeypatch.setenv("PADDLEX_TRITON_TRTEXEC", words)
    done = export(weights, repository)
    assert (done.exit_code, f"PADDLEX_TRITON_TRTEXEC {text}" in done.stderr) == (3, True), done.stderr
    assert not repository.exists()


def test_blank_words_are_none(machine, weights, repository, monkeypatch):
    monkeypatch.setenv("PADDLEX_TRITON_TRTEXEC", "  ")
    assert export(weights, repository).exit_code == 0


def test_failure_is_said_in_one_line(machine, weights, repository):
    machine.set(fail="1")
    done = export(weights, repository)
    assert done.exit_code == 1
    assert "tiny_det: trtexec made no plan of fp32.onnx" in done.stderr
    assert "no TensorRT plan of tiny_det" in done.stderr
    assert "Traceback" not in done.output
    # The network itself is there.
    assert (repository / "tiny_det" / "1" / "model.onnx").is_file()


def test_dry_run_needs_no_tensorrt(machine, weights, repository, monkeypatch):
    machine.without("trtexec")
    monkeypatch.setenv("PATH", str(machine.trtexec.parent))
    done = export(weights, repository, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "would then make TensorRT plans" in done.stdout
    assert not repository.exists()


def config_of(folder: Path, flavour: str) -> Any:
    return text_format.Parse((folder / "configs" / f"{flavour}.pbtxt").read_text(), pb.ModelConfig())


def test_configuration_of_a_detector(weights, repository):
    config = config_of(export_directory(weights, repository), "tensorrt")
    assert (config.backend, config.platform) == ("tensorrt", "tensorrt_plan")
    assert (config.default_model_filename, config.max_batch_size) == ("model.plan", 1)
    assert not config.HasField("dynamic_batching")
    # Otherwise Triton's context of either profile takes the memory of the largest page.
    assert config.parameters["execution_context_allocation_strategy"].string_value == "ON_PROFILE_CHANGE"
    (group,) = config.instance_group
    assert (group.count, group.kind, list(group.profile)) == (1, pb.ModelInstanceGroup.KIND_GPU, ["0", "1"])
    assert not config.HasField("optimization")


def test_configuration_of_a_recogniser(kit, weights_folder, repository):
    folder = export_directory(weights_folder(kit.recognizer(), kit.recognizer_yml()), repository)
    config, other = config_of(folder, "tensorrt"), config_of(folder, "gpu")
    assert config.max_batch_size == NetworkInfo.load(folder / "network.json").max_batch_size == 32
    assert config.HasField("dynamic_batching")
    assert [list(value.dims) for value in config.input] == [list(value.dims) for value in other.input]
    assert list(config.instance_group[0].profile) == ["0", "1"]


def test_configuration_of_a_network_without_plan(tmp_path, repository):
    folder = export_directory(unwarping_folder(tmp_path / "flat"), repository)
    config, other = config_of(folder, "tensorrt"), config_of(folder, "gpu")
    assert config == other
    text = (folder / "configs" / "tensorrt.pbtxt").read_text()
    assert "# No TensorRT plan is made of this network" in text


def test_shapes_of_the_file_are_kept(kit, weights_folder, repository):
    shapes = {"x": [[1, 3, 32, 32], [1, 3, 736, 736], [1, 3, 4000, 4000]]}
    yml = kit.detector_yml() | {"Hpi": {"backend_configs": {"tensorrt": {"dynamic_shapes": shapes}}}}
    folder = export_directory(weights_folder(kit.detector(), yml), repository)
    assert NetworkInfo.load(folder / "network.json").dynamic_shapes == shapes


def test_older_descriptions_can_be_read(weights, repository):
    folder = export_directory(weights, repository)
    content = json.loads((folder / "network.json").read_text())
    del content["dynamic_shapes"]
    (folder / "network.json").write_text(json.dumps(content))
    assert NetworkInfo.load(folder / "network.json").dynamic_shapes is None


@pytest.fixture
def pipeline(machine, kit, weights_folder, repository, monkeypatch) -> dict[str, str]:
    """The two networks of OCR with their plans, and no other folder of networks."""
    monkeypatch.setattr(paths, "networks_repository", lambda: repository)
    export_directory(weights_folder(kit.detector(), kit.detector_yml()), repository)
    export_directory(weights_folder(kit.recognizer(), kit.recognizer_yml()), repository)
    return {"text_detection": "tiny_det", "text_recognition": "tiny_rec"}


def plan(repository: Path, *names: str) -> None:
    for name in names:
        make_plan(name, find_trtexec(repository), PlanOptions(repository))


@pytest.mark.parametrize("copy", [False, True])
def test_plans_are_served(pipeline, repository, tmp_path, copy):
    plan(repository, "tiny_det", "tiny_rec")
    assemble(tmp_path / "models", pipelines=["OCR"], models=pipeline, flavour="tensorrt", copy=copy)
    models = tmp_path / "models"
    for name in pipeline.values():
        (found,) = plans_in(repository / name)
        assert [path.name for path in (models / name / "1").iterdir()] == ["model.plan"]
        file = models / name / "1" / "model.plan"
        assert (file.is_symlink(), file.read_bytes()) == (not copy, found.file.read_bytes())
        assert stat.S_ISREG(file.stat().st_mode)
        config = text_format.Parse((models / name / "config.pbtxt").read_text(), pb.ModelConfig())
        for told in (models / name / "network.json", *models.glob(f"*/{name}.network.json")):
            assert NetworkInfo.load(told).max_batch_size == config.max_batch_size
    (told,) = models.glob("*/tiny_det.network.json")
    assert NetworkInfo.load(told).geometry["max_sides"] == [4000, 4000]
    assert "max_sides" not in NetworkInfo.load(repository / "tiny_det" / "network.json").geometry


def test_without_a_plan_the_command_is_said(pipeline, repository, tmp_path):
    plan(repository, "tiny_det")
    with pytest.raises(AssemblyError, match=r"tiny_rec has no TensorRT plan\. Run, .*export --tensorrt tiny_rec"):
        assemble(tmp_path / "models", pipelines=["OCR"], models=pipeline, flavour="tensorrt")
    assert not (tmp_path / "models").exists()


def test_plan_of_another_configuration(pipeline, repository, tmp_path):
    plan(repository, "tiny_det", "tiny_rec")
    path = repository / "tiny_det" / "configs" / "tensorrt.pbtxt"
    path.write_text(path.read_text().replace("max_batch_size: 1", "max_batch_size: 4"))
    with pytest.raises(AssemblyError, match="its TensorRT plan was made for another configuration"):
        assemble(tmp_path / "models", pipelines=["OCR"], models=pipeline, flavour="tensorrt")


def test_choice_among_plans(pipeline, machine, repository, tmp_path, monkeypatch):
    plan(repository, "tiny_det")
    machine.set(version="v110000")
    plan(repository, "tiny_det")
    folder = repository / "tiny_det"
    info = NetworkInfo.load(folder / "network.json")
    with pytest.raises(PlanError, match=r"for trt10\.3\.0-sm90, trt11\.0\.0-sm90; set PADDLEX_TRITON_TENSORRT"):
        find_plan(folder, info)
    monkeypatch.setenv("TRT_VERSION", "11.0.0.114")
    assert find_plan(folder, info).info.tensorrt == "11.0.0"
    monkeypatch.setenv("TRT_VERSION", "10.9.0.1")
    with pytest.raises(PlanError, match=r"none for what is here, sm90 and TensorRT 10\.9\.0\. Run, there: paddlex"):
        find_plan(folder, info)
    monkeypatch.setenv("PADDLEX_TRITON_TENSORRT", "trt10.3.0-sm90")
    assert find_plan(folder, info).info.tensorrt == "10.3.0"
    monkeypatch.setenv("PADDLEX_TRITON_TENSORRT", "trt10.3.0-sm80")
    with pytest.raises(PlanError, match=r"none for PADDLEX_TRITON_TENSORRT=trt10\.3\.0-sm80"):
        find_plan(folder, info)
    monkeypatch.setenv("PADDLEX_TRITON_TENSORRT", "sm80")
    with pytest.raises(PlanError, match="such as trt10"):
        find_plan(folder, info)


def test_plan_for_another_gpu_is_not_taken(pipeline, repository, tmp_path, monkeypatch):
    plan(repository, "tiny_det")
    Machine(tmp_path / "other", monkeypatch, ("8.6", "8.6"))
    info = NetworkInfo.load(repository / "tiny_det" / "network.json")
    with pytest.raises(PlanError, match=r"none for what is here, sm86\."):
        find_plan(repository / "tiny_det", info)
    monkeypatch.setenv("PATH", "")
    assert find_plan(repository / "tiny_det", info).info.architecture == "sm90"


def test_plans_of_earlier_exports_are_never_taken(pipeline, repository):
    plan(repository, "tiny_det")
    info = NetworkInfo.load(repository / "tiny_det" / "network.json").model_copy(update={"sha256": "f" * 64})
    with pytest.raises(PlanError, match=r"no TensorRT plan \(there are 1 of earlier exports\)"):
        find_plan(repository / "tiny_det", info)


@pytest.mark.parametrize("damage", ["no plan", "no json", "other json", "renamed"])
def test_half_plans_are_not_seen(pipeline, repository, damage):
    plan(repository, "tiny_det")
    (found,) = plans_in(repository / "tiny_det")
    if damage == "no plan":
        found.file.unlink()
    elif damage == "no json":
        (found.folder / "plan.json").unlink()
    elif damage == "other json":
        (found.folder / "plan.json").write_text("{}")
    else:
        found.folder.rename(found.folder.with_name("mine"))
    assert plans_in(repository / "tiny_det") == []


def test_plan_is_described(pipeline, repository):
    plan(repository, "tiny_rec")
    (found,) = plans_in(repository / "tiny_rec")
    content = json.loads((found.folder / "plan.json").read_text())
    assert content["reason"]
    assert content["gate"]["passed"] is True
    assert PlanInfo.model_validate(content).target == Target("10.3.0", "sm90")


class _FailingRun:
    """An export of everything in which one network failed."""

    def __init__(self, done: list[str], *, everything: bool) -> None:
        self.done, self.request, self.console = done, ExportRequest(everything=everything), Console()

    def run(self, options: Options) -> None:
        raise ExportError("1 of 2 networks are exported; failed: other")


@pytest.mark.parametrize("everything", [False, True])
def test_all_of_the_zoo_goes_on_after_a_failure(machine, weights, repository, everything):
    export_directory(weights, repository)
    run: Any = _FailingRun(["tiny_det"], everything=everything)
    with pytest.raises(ExportError, match="failed: other"):
        export_with_plans(run, Options(repository), find_trtexec(repository))
    assert len(plans_in(repository / "tiny_det")) == everything


def test_help_needs_nothing_heavy():
    code = "import sys, paddlex_triton.export.cli; print([name for name in ('numpy', 'onnx') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
