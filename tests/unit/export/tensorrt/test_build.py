"""Making plans with a stand-in for trtexec that takes NVIDIA's options and computes with ONNX Runtime."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import disk_calls
import numpy as np
import onnx
import onnxruntime
import pytest
from detector_graphs import detector_yml, picodet, rt_detr
from keypoint_graphs import keypoint_yml, tiny_pose
from onnx import TensorProto, helper, numpy_helper
from preparation_graphs import doc_orientation_folder, unwarping_folder
from tensorrt_machine import Machine

from paddlex_triton.export.api import export_directory
from paddlex_triton.export.errors import InstallError, PlanBuildError
from paddlex_triton.export.shared_folders import locked
from paddlex_triton.export.tensorrt import trtexec
from paddlex_triton.export.tensorrt.build import PlanOptions, make_plan
from paddlex_triton.export.tensorrt.build_folder import build_folder_of, recover_killed_build
from paddlex_triton.export.tensorrt.trtexec import Trtexec, find_trtexec
from paddlex_triton.export.tensorrt.typed_graph import graph_for_tensorrt
from paddlex_triton.network import NetworkInfo
from paddlex_triton.tensorrt_plans import PlanInfo, plans_in


@pytest.fixture
def repository(tmp_path) -> Path:
    return tmp_path / "host" / "repository"


@pytest.fixture
def detector(kit, weights_folder, repository) -> str:
    return export_directory(weights_folder(kit.detector(), kit.detector_yml()), repository).name


@pytest.fixture
def recognizer(kit, weights_folder, repository) -> str:
    return export_directory(weights_folder(kit.recognizer(), kit.recognizer_yml()), repository).name


def trtexec_for(repository: Path) -> Trtexec:
    return find_trtexec(repository)


def made(name: str, repository: Path, **options) -> PlanInfo:
    outcome = make_plan(name, trtexec_for(repository), PlanOptions(repository, **options))
    assert outcome.plan is not None
    assert outcome.made
    return outcome.plan.info


def plan_names(repository: Path, name: str) -> list[str]:
    return sorted(path.name for path in (repository / name / "plans").iterdir())


def left_beside(repository: Path) -> list[str]:
    return sorted(path.name for path in repository.parent.iterdir() if path != repository)


def test_plan_of_a_detector(machine, all_pages, detector, repository):
    said: list[str] = []
    outcome = make_plan(detector, trtexec_for(repository), PlanOptions(repository, progress=said.append))
    assert outcome.plan is not None
    network = NetworkInfo.load(repository / detector / "network.json")
    info = outcome.plan.info
    assert outcome.plan.folder == repository / detector / "plans" / f"{network.sha256[:12]}-trt10.3.0-sm90-fp32"
    assert (info.precision, info.wanted, info.gate, info.max_batch_size) == ("fp32", "fp32", None, 1)
    assert info.max_sides == (4000, 4000)
    assert info.plan_bytes == outcome.plan.file.stat().st_size
    assert left_beside(repository) == []
    assert "tiny_det: building the FP32 plan for trt10.3.0-sm90, 0 min 0 s" in said
    (build,) = machine.calls("--onnx")
    assert "--stronglyTyped --noTF32 --profile=0 --minShapes=x:1x32x32x3 --optShapes=x:1x960x960x3" in build
    assert "--profile=1 --minShapes=x:1x32x32x3 --optShapes=x:1x1760x1248x3 --maxShapes=x:1x4000x4000x3" in build
    assert info.proof is not None
    assert info.proof.agrees
    assert len(machine.calls("--loadEngine")) == len(info.proof.cases) >= 2


@pytest.mark.parametrize("force", [False, True])
def test_up_to_date_plan_is_kept(machine, detector, repository, force):
    made(detector, repository)
    again = make_plan(detector, trtexec_for(repository), PlanOptions(repository, force=force))
    assert again.made is force
    assert len(machine.calls("--onnx")) == 1 + force
    assert len(plan_names(repository, detector)) == 1


@pytest.mark.parametrize("change", ["version", "gpu", "damage"])
def test_another_machine_or_a_damaged_plan_needs_its_own(machine, detector, repository, monkeypatch, tmp_path, change):
    first = made(detector, repository)
    if change == "version":
        machine.set(version="v110000")
    elif change == "gpu":
        Machine(tmp_path / "other", monkeypatch, ("8.6",)).set(capability="8.6")
    else:
        (plan,) = plans_in(repository / detector)
        plan.file.write_bytes(b"half")
    second = made(detector, repository)
    names = plan_names(repository, detector)
    assert len(names) == (1 if change == "damage" else 2)
    assert {first.folder_name, second.folder_name} == set(names)


def test_fp16_is_compared_and_kept(machine, recognizer, repository):
    picture = np.full((48, 400, 3), 200, np.uint8)
    info = made(recognizer, repository, images=[picture])
    assert info.gate is not None
    assert (info.precision, info.gate.passed, info.gate.why) == ("fp16", True, None)
    assert info.gate.worst is not None
    assert 0 < info.gate.worst <= info.gate.bound
    assert "image 0" in [case.name for case in info.gate.cases]
    assert max(case.shape[0] for case in info.gate.cases) == 32
    runs = machine.calls("--loadEngine")
    assert len(runs) == len(info.gate.cases)
    assert {run.split("--useProfile=")[1][0] for run in runs} == {"0", "1"}


def test_fp16_that_answers_otherwise_becomes_fp32(machine, recognizer, repository):
    machine.set(add="0.3")
    info = made(recognizer, repository)
    assert info.gate is not None
    assert (info.wanted, info.precision, info.gate.passed) == ("fp16", "fp32", False)
    assert "is allowed" in str(info.gate.why)
    assert [name.rsplit("-", 1)[1] for name in plan_names(repository, recognizer)] == ["fp32"]
    assert left_beside(repository) == []
    # It is up to date: FP16 is not tried at every run.
    assert not make_plan(recognizer, trtexec_for(repository), PlanOptions(repository)).made
    machine.set(add="0")
    forced = make_plan(recognizer, trtexec_for(repository), PlanOptions(repository, force=True))
    assert forced.plan is not None
    assert [name.rsplit("-", 1)[1] for name in plan_names(repository, recognizer)] == ["fp16"]


def test_pictures_ask_for_a_comparison_on_them(machine, recognizer, repository):
    """None of them is ignored since a plan is there already; without any the plan is kept."""
    white, grey = np.full((48, 400, 3), 255, np.uint8), np.full((48, 400, 3), 99, np.uint8)

    def make(*images: np.ndarray) -> bool:
        return make_plan(recognizer, trtexec_for(repository), PlanOptions(repository, images=images)).made

    assert [make(), make(), make(white), make(white), make(), make(grey)] == [True, False, True, False, False, True]
    assert len(plan_names(repository, recognizer)) == 1


def test_pictures_are_for_fp32_too(machine, detector, repository):
    made(detector, repository)
    options = PlanOptions(repository, images=[np.full((64, 64, 3), 255, np.uint8)])
    outcome = make_plan(detector, trtexec_for(repository), options)
    assert outcome.made
    assert outcome.plan is not None
    assert outcome.plan.info.proof is not None
    assert not make_plan(detector, trtexec_for(repository), options).made


@pytest.mark.parametrize("added", ["0.5", "nan"])
@pytest.mark.parametrize("wanted", ["fp32", "fp16"])
def test_plan_that_answers_otherwise_in_fp32_is_not_installed(machine, detector, recognizer, repository, wanted, added):
    """TensorRT has been seen to compute garbage in every precision."""
    machine.set(add=added, add_fp32=added)
    name = detector if wanted == "fp32" else recognizer
    with pytest.raises(
        PlanBuildError, match=r"the FP32 plan for trt10\.3\.0-sm90 does not answer as 1/model\.onnx does"
    ):
        made(name, repository)
    assert len(machine.calls("--onnx")) == (1 if wanted == "fp32" else 2)
    assert not (repository / name / "plans").exists()
    assert left_beside(repository) == []


@pytest.mark.parametrize("folder", ["a,b", "a:b", "it's"])
def test_path_that_inputs_cannot_be_given_from(machine, kit, weights_folder, tmp_path, folder):
    repository = tmp_path / folder / "repository"
    name = export_directory(weights_folder(kit.recognizer(), kit.recognizer_yml()), repository).name
    with pytest.raises(PlanBuildError, match=rf"whose path has {folder.strip('abits')} in it"):
        made(name, repository)
    assert machine.calls("--onnx") == []
    assert left_beside(repository) == []


FAMILIES = {
    "tiny_layout": lambda: (picodet(), detector_yml()),
    "tiny_detr": lambda: (rt_detr(), detector_yml("tiny_detr", arch="DETR", nms=False)),
    "tiny_pose": lambda: (tiny_pose(), keypoint_yml()),
}


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_family_is_built_and_run(machine, weights_folder, repository, name):
    """In FP32 or FP16, whatever the comparison says: trtexec takes the graph, the profiles and the inputs."""
    export_directory(weights_folder(*FAMILIES[name]()), repository)
    info = made(name, repository)
    assert info.wanted == ("fp16" if name == "tiny_layout" else "fp32")
    assert (info.gate is not None) == (info.wanted == "fp16")
    assert (info.proof is not None) == (info.precision == "fp32")


def test_classifiers(machine, tmp_path, repository):
    name = export_directory(doc_orientation_folder(tmp_path / "ori"), repository).name
    info = made(name, repository)
    assert info.gate is not None
    assert len(info.gate.cases) >= 2


def test_networks_on_onnx_runtime(machine, tmp_path, repository):
    name = export_directory(unwarping_folder(tmp_path / "flat"), repository).name
    outcome = make_plan(name, trtexec_for(repository), PlanOptions(repository))
    assert (outcome.plan, outcome.made) == (None, False)
    assert machine.calls("--onnx") == []


def test_failed_build_leaves_nothing(machine, detector, repository):
    machine.set(fail="1")
    with pytest.raises(PlanBuildError, match=r"made no plan .* Could not find any implementation"):
        made(detector, repository)
    assert not (repository / detector / "plans").exists()
    assert left_beside(repository) == []


def test_gpu_of_another_kind_is_noticed(machine, detector, repository):
    machine.set(capability="8.6")
    with pytest.raises(PlanBuildError, match=r"compute capability 8\.6, but .* sm90"):
        made(detector, repository)
    assert not (repository / detector / "plans").exists()


def test_damaged_or_missing_network(machine, detector, repository):
    (repository / detector / "1" / "model.onnx").write_bytes(b"other")
    with pytest.raises(InstallError, match="is not the file that was exported"):
        made(detector, repository)
    with pytest.raises(InstallError, match="no exported network"):
        made("absent", repository)


def test_new_export_of_the_same_graph_keeps_its_plans(machine, kit, weights_folder, detector, repository):
    before = made(detector, repository)
    yml = kit.detector_yml()
    yml["PostProcess"]["thresh"] = 0.4
    export_directory(weights_folder(kit.detector(), yml), repository)
    assert NetworkInfo.load(repository / detector / "network.json").postprocess["thresh"] == 0.4
    (plan,) = plans_in(repository / detector)
    assert plan.info == before
    assert not make_plan(detector, trtexec_for(repository), PlanOptions(repository)).made


def test_new_export_of_another_graph_drops_them(machine, kit, weights_folder, detector, repository):
    made(detector, repository)
    other = kit.detector_yml(mean=[0.4, 0.4, 0.4])
    export_directory(weights_folder(kit.detector(), other), repository, force=True)
    assert plans_in(repository / detector) == []
    made(detector, repository)
    assert len(plan_names(repository, detector)) == 1


def test_network_that_is_exported_anew_meanwhile(machine, kit, weights_folder, detector, repository):
    """The plan would be of another graph than the one that is there."""
    other = kit.detector_yml(mean=[0.4, 0.4, 0.4])

    def replace(message: str) -> None:
        if "building" in message:
            export_directory(weights_folder(kit.detector(), other, "other"), repository, force=True)

    with pytest.raises(InstallError, match="exported anew while its plan was made"):
        make_plan(detector, trtexec_for(repository), PlanOptions(repository, progress=replace))
    assert plans_in(repository / detector) == []
    assert left_beside(repository) == []


def test_graph_that_trtexec_is_given(kit, weights_folder, repository):
    folder = export_directory(weights_folder(kit.recognizer(), kit.recognizer_yml()), repository)
    content = (folder / "1" / "model.onnx").read_bytes()
    feeds = {
        "x": np.random.default_rng(0).integers(0, 256, (3, 48, 320, 3), np.uint8),
        "widths": np.array([[320], [100], [7]], np.int32),
    }
    wanted = onnxruntime.InferenceSession(content).run(["indices", "probs"], feeds)
    same = onnxruntime.InferenceSession(graph_for_tensorrt(content, "fp32")).run(["indices", "probs"], feeds)
    assert all(
        np.array_equal(np.asarray(first), np.asarray(second)) for first, second in zip(wanted, same, strict=True)
    )
    half = onnx.load_from_string(graph_for_tensorrt(content, "fp16"))
    onnx.checker.check_model(half, full_check=True)
    kinds = {weight.name: weight.data_type for weight in half.graph.initializer}
    assert kinds["source/w"] == TensorProto.FLOAT16
    own = [kind for name, kind in kinds.items() if name.startswith("paddlex_triton/")]
    assert TensorProto.FLOAT16 not in own
    assert [value.type.tensor_type.elem_type for value in half.graph.output] == [TensorProto.INT32, TensorProto.FLOAT]
    answer = onnxruntime.InferenceSession(half.SerializeToString()).run(["probs"], feeds)[0]
    assert 0 < np.abs(np.asarray(answer) - np.asarray(wanted[1])).max() < 0.01


def test_small_variances_stay_what_they_are():
    """FP16's least number is 6e-8: a smaller variance, in a node that holds it, would become another one.

    And what is computed in FP32 at a graph's end leaves it so: coordinates of a page need more than FP16's 11 bits.
    """
    values = {"gamma": [1.0, 1.0], "beta": [0.0, 0.0], "mean": [0.0, 0.0], "variance": [1e-9, 1e-8]}
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(value, np.float32)))
        for name, value in values.items()
    ]
    nodes.append(helper.make_node("Cast", ["x"], ["floats"], to=TensorProto.FLOAT, name="paddlex_triton/cast"))
    nodes.append(helper.make_node("BatchNormalization", ["floats", *values], ["y"], epsilon=1e-10))
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 2, 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 3])
    model = helper.make_model(helper.make_graph(nodes, "g", [x], [y]), opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    content = model.SerializeToString()
    feeds = {"x": np.arange(6, dtype=np.uint8).reshape(1, 2, 3)}
    wanted, got = (
        np.asarray(onnxruntime.InferenceSession(graph).run(None, feeds)[0])
        for graph in (content, graph_for_tensorrt(content, "fp16"))
    )
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got, wanted, rtol=1e-5)


BUILD = """
import sys
from pathlib import Path
from paddlex_triton.export.tensorrt.build import PlanOptions, make_plan
from paddlex_triton.export.tensorrt.trtexec import find_trtexec
repository = Path(sys.argv[1])
make_plan(sys.argv[2], find_trtexec(repository), PlanOptions(repository, force=True))
"""


@pytest.mark.parametrize("before", [False, True], ids=["first", "replacing"])
def test_killed_during_the_build(machine, detector, repository, before):
    """Nothing half is there, trtexec ends too, and the next run cleans up."""
    if before:
        made(detector, repository)
    names = plan_names(repository, detector) if before else []
    machine.set(sleep="600")
    process = subprocess.Popen([sys.executable, "-c", BUILD, str(repository), detector], stderr=subprocess.DEVNULL)
    place = build_folder_of(repository)
    deadline = time.monotonic() + 60
    while len(machine.calls("--onnx")) <= before and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [path.name for path in place.iterdir() if path.suffix == ".onnx"] == ["fp32.onnx"]
    assert (plan_names(repository, detector) if before else []) == names
    while _runs(str(place)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(str(place))
    machine.set(sleep="0")
    assert make_plan(detector, trtexec_for(repository), PlanOptions(repository, force=True)).made
    assert left_beside(repository) == []
    assert len(plans_in(repository / detector)) == 1


POLITE = """\
case "$*" in *--help*) echo "&&&& RUNNING TensorRT.trtexec [TensorRT v100300]"; exit;; esac
trap 'echo stopped > "$0.stopped"; exit 143' TERM
sleep 600 & wait
"""


def test_too_long_a_build_is_told_to_end(machine, detector, repository, monkeypatch):
    """Killed at once, Docker's client leaves its container behind, and the GPU busy."""
    machine.trtexec.write_text(f"#!/bin/sh\n{POLITE}")
    monkeypatch.setattr(trtexec, "_BUILDING_SECONDS", 1.0)
    with pytest.raises(PlanBuildError, match="it was stopped after 1 s"):
        made(detector, repository)
    assert machine.trtexec.with_name("trtexec.stopped").read_text() == "stopped\n"
    assert left_beside(repository) == []


@pytest.mark.parametrize("at_work", [False, True])
def test_what_a_killed_build_left_is_put_right_without_another_build(machine, detector, repository, at_work):
    """Also the plan that it was about to replace; but nothing of a build that is under way."""
    made(detector, repository)
    (plan,) = plans_in(repository / detector)
    place = build_folder_of(repository)
    (place / "old" / detector).mkdir(parents=True)
    plan.folder.rename(place / "old" / detector / plan.folder.name)
    (place / "fp32.onnx").write_bytes(b"half")
    with locked(place) if at_work else contextlib.nullcontext():
        recover_killed_build(repository)
        assert (plans_in(repository / detector) == []) is at_work
        assert left_beside(repository) == ([place.name] if at_work else [])
    assert not make_plan(detector, trtexec_for(repository), PlanOptions(repository)).made
    assert left_beside(repository) == []


def _runs(words: str) -> bool:
    """Whether a process has these words on its command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if words.encode() in path.read_bytes() and path.parent.name != str(os.getpid()):
                return True
        except OSError:
            continue
    return False


# For every n: a process that is killed at the n-th call that changes the disk while a plan is installed.
KILLED_RUNS = (
    f"{disk_calls.IMPORT}\n"
    + """
import os, shutil
from pathlib import Path
from paddlex_triton.export.tensorrt import build_folder
from paddlex_triton.network import NetworkInfo

base, source, before = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "True"

def install(repository, text):
    info = NetworkInfo.load(repository / "net" / "network.json")
    with build_folder.locked_build_folder(repository) as place:
        made = place / (info.sha256[:12] + "-trt10.3.0-sm90-fp32")
        made.mkdir()
        for name in ("model.plan", "plan.json"):
            (made / name).write_text(text)
        build_folder.install_plan(made, repository, info)

for step in range(500):
    repository = base / str(step) / "repository"
    shutil.copytree(source, repository)
    if before:
        install(repository, "old")
    child = os.fork()
    if child == 0:
        kill_at(step)
        install(repository, "new")
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
"""
)


@pytest.mark.parametrize("before", [False, True], ids=["first", "replacing"])
def test_killed_at_every_step_of_the_installation(tmp_path, before):
    source, base = tmp_path / "source", tmp_path / "runs"
    base.mkdir()
    (source / "net").mkdir(parents=True)
    provenance = {"source": "test", "file": "x", "source_sha256": "", "opset": 17, "ir_version": 8}
    info = {"name": "net", "family": "db_detection", "max_batch_size": 4, "sha256": "ab" * 32, "provenance": provenance}
    (source / "net" / "network.json").write_text(json.dumps(info))
    command = [sys.executable, "-c", KILLED_RUNS, str(base), str(source), str(before)]
    subprocess.run(command, check=True, timeout=300)
    runs = sorted(base.iterdir(), key=lambda path: int(path.name))
    assert len(runs) > 8
    seen = set()
    for run in runs:
        repository = run / "repository"
        _install_nothing(repository)
        assert [path.name for path in run.iterdir()] == ["repository"]
        seen.add(_plan_of(repository))
    # Whole or not at all, and the old one wherever the new one did not get there.
    assert seen == {"old" if before else None, "new"}


def _install_nothing(repository: Path) -> None:
    from paddlex_triton.export.tensorrt.build_folder import locked_build_folder

    with locked_build_folder(repository):
        pass


def _plan_of(repository: Path) -> str | None:
    plans = repository / "net" / "plans"
    folders = list(plans.iterdir()) if plans.exists() else []
    assert len(folders) <= 1
    texts = {path.read_text() for folder in folders for path in folder.iterdir()}
    assert [len(list(folder.iterdir())) for folder in folders] in ([], [2])
    assert len(texts) == len(folders)
    return texts.pop() if texts else None
