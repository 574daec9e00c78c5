"""Engines for CPUs: proved at export, timed there and by `measure`, the fastest chosen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from export_command import call

from paddlex_triton.export import engines
from paddlex_triton.export.api import export_directory
from paddlex_triton.export.engines import usual_input
from paddlex_triton.export.errors import VerificationError
from paddlex_triton.export.export_report import ExportReport
from paddlex_triton.export.measure import measure_network
from paddlex_triton.flavours import CPU, OPENVINO, fastest_on_cpu
from paddlex_triton.network import NetworkInfo, OnCpu
from paddlex_triton.processors import describe
from paddlex_triton.server.backends.paddlex_openvino.compiled import Compiled


@pytest.fixture
def repository(tmp_path) -> Path:
    return tmp_path / "repository"


@pytest.fixture
def other_answers(monkeypatch):
    """Make OpenVINO answer something else by so much."""

    def otherwise(by: float, *, only_kept: bool = False) -> None:
        run = Compiled.run

        def changed(self, feed):
            kept = tuple(sorted((name, array.shape) for name, array in feed.items())) in self._kept
            found = run(self, feed)
            return {name: array + (by if kept or not only_kept else 0) for name, array in found.items()}

        monkeypatch.setattr(Compiled, "run", changed)

    return otherwise


@pytest.fixture
def without_openvino(monkeypatch):
    monkeypatch.setattr(engines, "is_there", lambda flavour: flavour.package is None)


def measured(folder: Path) -> OnCpu:
    on_cpu = NetworkInfo.load(folder / "network.json").on_cpu
    assert on_cpu is not None
    return on_cpu


def export(kit, weights_folder, repository: Path) -> Path:
    return export_directory(weights_folder(kit.detector(), kit.detector_yml()), repository)


def test_both_engines_are_proved_and_timed(kit, weights_folder, repository):
    folder = export(kit, weights_folder, repository)
    proof = ExportReport.load(folder / "export.json").verification
    assert all(case.engines["openvino"] == pytest.approx(0, abs=1e-5) for case in proof.cases)
    on_cpu = measured(folder)
    assert on_cpu.processor == describe()
    assert on_cpu.refused == {}
    assert set(on_cpu.milliseconds) == {"cpu", "openvino"}
    assert all(time > 0 for time in on_cpu.milliseconds.values())


@pytest.mark.parametrize("only_kept", [False, True])
def test_an_engine_with_other_answers_is_refused(kit, weights_folder, repository, other_answers, only_kept):
    other_answers(0.01, only_kept=only_kept)
    folder = export(kit, weights_folder, repository)
    on_cpu = measured(folder)
    assert set(on_cpu.milliseconds) == {"cpu"}
    assert "its answer is 0.01 from the source's; 0.0001 is allowed" in on_cpu.refused["openvino"]
    assert fastest_on_cpu(NetworkInfo.load(folder / "network.json")) is CPU


def test_an_engine_that_does_not_run_is_refused(kit, weights_folder, repository, monkeypatch):
    def fail(self, feed):
        raise RuntimeError("no kernel")

    monkeypatch.setattr(Compiled, "run", fail)
    on_cpu = measured(export(kit, weights_folder, repository))
    assert on_cpu.refused["openvino"].startswith("it does not run on noise")


def test_an_engine_that_is_not_there_is_neither(kit, weights_folder, repository, without_openvino):
    folder = export(kit, weights_folder, repository)
    assert set(measured(folder).milliseconds) == {"cpu"}
    assert not ExportReport.load(folder / "export.json").proves("openvino")


def test_measuring_again_keeps_all_but_the_times(kit, weights_folder, repository):
    folder = export(kit, weights_folder, repository)
    before = json.loads((folder / "network.json").read_text())
    stale = {**before, "on_cpu": {"processor": "Another", "threads": 64, "milliseconds": {"cpu": 1.0}, "refused": {}}}
    (folder / "network.json").write_text(json.dumps(stale))
    info = measure_network(repository, "tiny_det")
    after = json.loads((folder / "network.json").read_text())
    assert info == NetworkInfo.load(folder / "network.json")
    assert {**after, "on_cpu": None} == {**before, "on_cpu": None}
    assert measured(folder).processor == describe()
    assert sorted(path.name for path in repository.parent.iterdir()) == ["repository", "weights"]


def test_what_was_not_proved_is_not_measured(kit, weights_folder, repository, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(engines, "is_there", lambda flavour: flavour.package is None)
        export(kit, weights_folder, repository)
    with pytest.raises(VerificationError, match=r"tiny_det was exported where openvino was not installed. Run: "):
        measure_network(repository, "tiny_det")


def test_what_another_version_exported_is_not_measured(kit, weights_folder, repository):
    folder = export(kit, weights_folder, repository)
    (folder / "export.json").write_text("{}")
    with pytest.raises(VerificationError, match=r"tiny_det was exported by another version. Run: "):
        measure_network(repository, "tiny_det")


def test_the_command_measures_and_shows(kit, weights_folder, repository):
    export(kit, weights_folder, repository)
    done = call("measure", "--into", str(repository))
    assert done.exit_code == 0, done.output
    assert f"ms a usual run on {describe()}" in done.stdout
    (line,) = [line.split() for line in done.stdout.splitlines() if line.startswith("tiny_det")]
    info = NetworkInfo.load(repository / "tiny_det" / "network.json")
    assert info.on_cpu is not None
    times = [f"{info.on_cpu.milliseconds[name]:.1f}" for name in ("cpu", "openvino")]
    assert line == ["tiny_det", *times, *fastest_on_cpu(info).title.split()]
    assert done.stdout.split("\n")[-2] in call("models", "--into", str(repository)).stdout


def test_the_table_says_what_was_measured_elsewhere_or_gives_other_answers(kit, weights_folder, repository):
    folder = export(kit, weights_folder, repository)
    info = json.loads((folder / "network.json").read_text())
    refused = {"openvino": "its answer is 0.1 from the source's"}
    info["on_cpu"] = {"processor": "Another", "threads": 4, "milliseconds": {"cpu": 3.0}, "refused": refused}
    (folder / "network.json").write_text(json.dumps(info))
    shown = call("models", "--into", str(repository)).stdout
    assert "measured on another processor: tiny_det" in shown
    (line,) = [line.split() for line in shown.splitlines() if line.startswith("tiny_det") and "3.0" in line]
    assert line == ["tiny_det", "3.0", "other", "answers", "ONNX", "Runtime"]


def test_networks_that_are_not_there_are_named(kit, weights_folder, repository):
    export(kit, weights_folder, repository)
    done = call("measure", "tiny_det", "other", "--into", str(repository))
    assert done.exit_code == 2
    assert f"not exported: other; in {repository} are tiny_det" in done.stderr


@pytest.mark.parametrize(
    ("family", "geometry", "shapes"),
    [
        ("db_detection", {}, {"x": (1, 736, 992, 3)}),
        ("image_unwarping", {}, {"x": (1, 736, 992, 3)}),
        ("ctc_recognition", {"image_shape": [3, 48, 320]}, {"x": (6, 48, 320, 3), "widths": (6, 1)}),
        ("heatmap_keypoints", {"target_size": [128, 96]}, {"x": (4, 128, 96, 3)}),
        ("image_classification", {"target_size": [80, 160]}, {"x": (1, 80, 160, 3)}),
        ("dense_detection", {"target_size": [640, 480]}, {"x": (1, 640, 480, 3)}),
        ("detr_detection", {"target_size": [640, 480]}, {"x": (1, 640, 480, 3), "scale_factor": (1, 2)}),
        ("nms_detection", {"target_size": [640, 480]}, {"x": (1, 640, 480, 3), "scale_factor": (1, 2)}),
    ],
)
def test_usual_inputs(family, geometry, shapes):
    provenance = {"source": "test", "file": "x", "source_sha256": "", "opset": 13, "ir_version": 8}
    described = {"name": "n", "family": family, "max_batch_size": 4, "sha256": "", "geometry": geometry}
    feeds = usual_input(NetworkInfo.model_validate({**described, "provenance": provenance}))
    assert {name: array.shape for name, array in feeds.items()} == shapes
    assert feeds["x"].dtype == np.uint8


def test_the_engines_here():
    assert engines.engines_here() == [CPU, OPENVINO]
