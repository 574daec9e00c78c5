"""Conversion of PaddlePaddle models with a stand-in for the converter's Python."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import converter_stub
import onnx
import pytest

from paddlex_triton.export.api import Options, run_export_directory
from paddlex_triton.export.errors import ConversionError, UsageError
from paddlex_triton.export.export_report import ExportReport
from paddlex_triton.export.paddle import convert
from paddlex_triton.export.paddle.conversion_report import ConversionReport
from paddlex_triton.export.paddle.convert import convert_folder
from paddlex_triton.export.sources.directory import DirectorySource
from paddlex_triton.network import NetworkInfo

PROGRAM = {"base_code": {"magic": "pir", "version": 3}, "program": {"regions": []}}


@pytest.fixture
def stub(tmp_path, monkeypatch, kit):
    """A converter that writes the tiny detector, and what it was asked."""
    python, log, made = tmp_path / "python", tmp_path / "stub.log", tmp_path / "made.onnx"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {converter_stub.__file__} "$@"\n')
    python.chmod(0o755)
    made.write_bytes(kit.detector().SerializeToString())
    home = tmp_path / "home"
    variables = {"PADDLEX_TRITON_CONVERTER_PYTHON": python, "PADDLEX_TRITON_HOME": home}
    for name, value in (variables | {"STUB_LOG": log, "STUB_ONNX": made}).items():
        monkeypatch.setenv(name, str(value))

    def asked(action: str) -> list[dict]:
        lines = log.read_text().splitlines() if log.exists() else []
        return [entry for entry in map(json.loads, lines) if entry["action"] == action]

    return SimpleNamespace(asked=asked, made=made, store=home / "converted", python=python, log=log)


@pytest.fixture
def folder(tmp_path, kit):
    """A PaddlePaddle model, as far as anything but PaddlePaddle can tell."""
    path = tmp_path / "tuned"
    path.mkdir()
    (path / "inference.json").write_text(json.dumps(PROGRAM))
    (path / "inference.pdiparams").write_bytes(b"weights")
    (path / "inference.yml").write_text(json.dumps(kit.detector_yml()))
    return path


def run(folder: Path):
    return convert_folder(folder, progress=lambda message: None)


def test_converted_and_proved(stub, folder):
    phrases: list[str] = []
    converted = convert_folder(folder, progress=phrases.append)
    assert converted.model == stub.made.read_bytes()
    assert converted.converters == {"paddlepaddle": "3.2.2", "paddle2onnx": "2.1.0"}
    assert phrases == [
        "converting tuned/inference.json with paddle2onnx 2.1.0",
        "comparing tuned/inference.json with its ONNX file",
    ]
    report = converted.report
    assert (report.opset, report.patched_operators, report.folded) == (17, 0, True)
    assert report.max_difference <= 1e-6
    assert [case.name for case in report.cases] == ["noise", "noise", "picture"]
    assert [case.inputs["x"][0] for case in report.cases] == [1, 3, 1]
    assert all(output.range > 0.01 for case in report.cases for output in case.outputs)


def test_worker_is_kept_from_pip_and_from_peoples_settings(stub, folder, monkeypatch):
    monkeypatch.setenv("FLAGS_enable_pir_api", "0")
    monkeypatch.setenv("POLYGRAPHY_AUTOINSTALL_DEPS", "1")
    run(folder)
    for entry in (*stub.asked("convert"), *stub.asked("answer")):
        environment = entry["environment"]
        assert (environment["POLYGRAPHY_AUTOINSTALL_DEPS"], environment["PIP_NO_INDEX"]) == ("0", "1")
        assert "FLAGS_enable_pir_api" not in environment
        # What it leaves goes away with the job, and it never sees people's own files.
        assert str(stub.store) in environment["TMPDIR"]
        assert str(stub.store) in entry["job"]["model"]


def test_same_model_is_converted_once(stub, folder, tmp_path):
    first = run(folder)
    folder.rename(tmp_path / "elsewhere")
    second = run(tmp_path / "elsewhere")
    assert (first.model, first.report) == (second.model, second.report)
    assert len(stub.asked("convert")) == 1
    assert [path.name.startswith(".") for path in stub.store.iterdir()] == [False]


def test_other_weights_versions_or_damage_convert_again(stub, folder, monkeypatch):
    run(folder)
    (folder / "inference.pdiparams").write_bytes(b"trained on")
    run(folder)
    assert len(stub.asked("convert")) == 2
    monkeypatch.setenv("STUB_VERSIONS", '{"paddle2onnx": "2.2.0"}')
    assert run(folder).converters["paddle2onnx"] == "2.2.0"
    assert len(stub.asked("convert")) == 3
    for kept in stub.store.glob("*/model.onnx"):
        kept.write_bytes(b"damaged")
    run(folder)
    assert len(stub.asked("convert")) == 4


def test_what_a_killed_export_left_is_removed(stub, folder):
    left = stub.store / ".converting-abc"
    left.mkdir(parents=True)
    (left / "out.onnx").write_bytes(b"half")
    run(folder)
    assert not left.exists()


def test_two_at_once_convert_once(stub, folder):
    threads = [threading.Thread(target=run, args=(folder,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stub.asked("convert")) == 1


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (
            "convert aborts",
            r"tuned/inference.json is not converted to ONNX: it aborted; it said: Start export pd_op.mean",
        ),
        ("convert raises", r"it ended with status 1; it said: .*ValueError: scale is not right"),
        ("convert is killed", "it was killed, as happens where memory is short"),
        ("convert says garbage", r"is not converted to ONNX: it ended with status 0; it said nothing"),
        ("convert does nothing", r"is not converted to ONNX"),
        ("answer aborts", r"tuned/inference.json does not run in PaddlePaddle: it aborted"),
        ("answer says garbage", "does not run in PaddlePaddle"),
        ("versions aborts", r"PADDLEX_TRITON_CONVERTER_PYTHON: .*python does not run the converter: it aborted"),
        ("versions says garbage", "does not run the converter"),
    ],
)
def test_misbehaving_converter_is_one_message(stub, folder, monkeypatch, mode, message):
    monkeypatch.setenv("STUB_MODE", mode)
    with pytest.raises(ConversionError, match=message) as caught:
        run(folder)
    assert "chatter" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not stub.store.exists() or not list(stub.store.iterdir()), "nothing is kept"


@pytest.mark.parametrize("mode", ["convert hangs", "answer hangs"])
def test_hanging_converter_is_stopped_with_its_children(stub, folder, monkeypatch, mode):
    monkeypatch.setenv("STUB_MODE", mode)
    monkeypatch.setattr(convert, "WORKER_TIMEOUT", 5)
    with pytest.raises(ConversionError, match="it was stopped after 5 s"):
        run(folder)
    for pid in stub.log.with_suffix(".pids").read_text().split():
        assert ended(int(pid)), "nothing is left running"


def ended(pid: int) -> bool:
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/stat")
        if status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def test_other_answers_than_paddlepaddles_are_refused(stub, folder, monkeypatch):
    monkeypatch.setenv("STUB_OFFSET", "0.1")
    with pytest.raises(
        ConversionError, match=r"tuned/inference.json: on noise \(x \[1, 3, 320, 416\]\) output prob .* is 0.1"
    ):
        run(folder)
    monkeypatch.setenv("STUB_OFFSET", "0.001")
    with pytest.raises(ConversionError, match=r"on average 0.001 of its range .*; 0.0005 is allowed. Not installed"):
        run(folder)
    assert not list(stub.store.iterdir())


def test_versions_that_are_not_the_pinned_ones_are_named_where_they_fail(stub, folder, monkeypatch):
    monkeypatch.setenv("STUB_VERSIONS", '{"paddlepaddle": "3.3.1"}')
    run(folder)
    (folder / "inference.pdiparams").write_bytes(b"others")
    monkeypatch.setenv("STUB_MODE", "convert raises")
    with pytest.raises(
        ConversionError, match=r"has paddlepaddle 3.3.1; paddlepaddle 3.2.2 and paddle2onnx 2.1.0 is what"
    ):
        run(folder)


def test_missing_packages_are_named(stub, folder, monkeypatch):
    monkeypatch.setenv("STUB_VERSIONS", '{"paddlepaddle": null, "polygraphy": null}')
    with pytest.raises(ConversionError, match=r"has no paddlepaddle, polygraphy: .* -m pip install --no-deps -r"):
        run(folder)


def test_named_python_that_is_not_there(stub, folder, monkeypatch, tmp_path):
    monkeypatch.setenv("PADDLEX_TRITON_CONVERTER_PYTHON", str(tmp_path / "absent"))
    with pytest.raises(ConversionError, match="absent cannot be run: No such file"):
        run(folder)


def test_converter_that_writes_no_onnx(stub, folder):
    stub.made.write_bytes(b"garbage")
    with pytest.raises(ConversionError, match=r"tuned/inference.json: paddle2onnx wrote a file that cannot be used"):
        run(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "is not JSON"), (b"[]", "is not a PaddlePaddle program"), (b"{}", "base_code.magic")],
)
def test_graphs_that_are_none(stub, folder, content, message):
    (folder / "inference.json").write_bytes(content)
    with pytest.raises(ConversionError, match=message):
        run(folder)


def attribute(name: str, kind: str, value: float = 2.0) -> dict:
    return {"N": name, "AT": {"#": kind, "D": value}}


def scale_of(kind: str) -> dict:
    return {"N": "scale", "AT": {"#": "0.a_array", "D": [{"#": kind, "D": 2.0}, {"#": kind, "D": 2.0}]}}


def operators_with(kind: str) -> list[dict]:
    """Operators of an inference.json with numbers that PaddlePaddle 3.3 writes otherwise than 3.2, and others."""
    return [
        {"#": "p", "A": [0, 1, 1, "weight"], "O": {"%": 1}},
        {"#": "1.nearest_interp", "A": [scale_of(kind), attribute("out_h", "0.a_i32", -1)], "O": []},
        {"#": "1.bilinear_interp", "A": [{"N": "scale", "AT": {"#": "0.a_array", "D": []}}], "O": []},
        {"#": "1.softplus", "A": [attribute("beta", kind), attribute("threshold", kind)], "O": []},
        {
            "#": "1.if",
            "O": [],
            "regions": [{"ops": [{"#": "1.leaky_relu_", "A": [attribute("negative_slope", kind)]}]}],
        },
        {"#": "1.pad3d", "A": [attribute("pad_value", kind)], "O": []},
        # float64 in both.
        {"#": "1.full", "A": [attribute("value", "0.a_f64")], "O": []},
    ]


def test_numbers_of_paddlepaddle_3_3_are_patched_in_a_copy(stub, folder, monkeypatch):
    def program(kind: str) -> dict:
        return PROGRAM | {"program": {"regions": [{"blocks": [{"ops": operators_with(kind)}]}]}}

    (folder / "inference.json").write_text(json.dumps(program("0.a_f64")))
    seen: list[dict] = []
    original = convert.patch_dtypes

    def spy(content):
        patched = original(content)
        seen.append(content)
        return patched

    monkeypatch.setattr(convert, "patch_dtypes", spy)
    assert run(folder).report.patched_operators == 4
    assert seen == [program("0.a_f32")]
    assert original(seen[0]) == 0
    assert json.loads((folder / "inference.json").read_text()) == program("0.a_f64"), "people's own file is as it was"


def test_operators_that_are_not_supported_are_among_those_named(stub, folder, monkeypatch):
    operators = [
        {"#": "1.conv2d", "A": [{"AT": {"#": "0.a_f64", "D": 1}}], "O": [{"%": 1}]},
        {"#": "1.memcpy", "O": []},
    ]
    written = PROGRAM | {"program": {"regions": [{"blocks": [{"ops": operators}]}]}}
    (folder / "inference.json").write_text(json.dumps(written))
    monkeypatch.setenv("STUB_MODE", "convert refuses")
    with pytest.raises(ConversionError, match=r"unsupported operators.*; the model's operators are conv2d, memcpy$"):
        run(folder)


def test_older_form(stub, folder):
    (folder / "inference.json").unlink()
    (folder / "inference.pdmodel").write_bytes(b"program")
    assert run(folder).report.files == ["inference.pdmodel", "inference.pdiparams"]


def test_folder_is_exported(stub, folder, tmp_path):
    outcome = run_export_directory(folder, Options(into=tmp_path / "repository"))
    info = NetworkInfo.load(outcome.path / "network.json")
    lines = "".join(
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("inference.json", "inference.pdiparams")
    )
    assert info.provenance.source_sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert (info.provenance.source, info.provenance.file) == ("dir:tuned", "inference.json")
    assert info.provenance.converters["paddle2onnx"] == "2.1.0"
    report = ExportReport.load(outcome.path / "export.json")
    assert report.conversion is not None
    assert report.conversion.source_sha256 == info.provenance.source_sha256
    assert not run_export_directory(folder, Options(into=tmp_path / "repository")).installed
    assert run_export_directory(folder, Options(into=tmp_path / "repository", force=True)).installed
    assert len(stub.asked("convert")) == 1, "--force exports again what was converted"


def test_reports_from_before_are_read(stub, folder, tmp_path):
    path = run_export_directory(folder, Options(into=tmp_path / "repository")).path / "export.json"
    old = json.loads(path.read_text())
    del old["conversion"]
    path.write_text(json.dumps(old))
    assert ExportReport.load(path).conversion is None


@pytest.mark.parametrize(("age", "converts"), [(-10, False), (0, False), (10, True)])
def test_newer_one_of_onnx_and_paddlepaddle_is_taken(stub, folder, kit, age, converts):
    (folder / "inference.onnx").write_bytes(kit.detector(opset=13).SerializeToString())
    for path, moment in (("inference.onnx", 1000), ("inference.json", 900), ("inference.pdiparams", 1000 + age)):
        os.utime(folder / path, (moment, moment))
    weights = DirectorySource(folder).fetch()
    assert weights.file == ("inference.json" if converts else "inference.onnx")
    assert (weights.conversion is not None) == converts
    assert onnx.load_from_string(weights.model).opset_import[0].version == (17 if converts else 13)


@pytest.mark.parametrize("missing", ["inference.json", "inference.pdiparams"])
def test_half_a_model(stub, folder, missing):
    (folder / missing).unlink()
    with pytest.raises(UsageError, match=r"no PaddlePaddle model|half of a PaddlePaddle model"):
        DirectorySource(folder).fetch()
    with pytest.raises(ConversionError, match=r"holds no inference.json or inference.pdmodel with inference.pdiparams"):
        run(folder)


def test_reports_of_kept_conversions_are_read():
    """They were written under another name of one number."""
    values = {
        "files": ["inference.json"], "source_sha256": "a", "onnx_sha256": "b", "converters": {}, "opset": 17,
        "folded": True, "peak_mib": 1, "seconds": 1.0, "proof_seconds": 1.0, "tolerance": 1.0, "mean_tolerance": 1.0,
        "max_difference": 0.0, "max_relative_difference": 0.0, "cases": [],
    }  # fmt: skip
    read = [ConversionReport.model_validate({**values, key: 3}) for key in ("mended_operators", "patched_operators")]
    assert read[0] == read[1]
    assert read[0].patched_operators == 3
    assert ConversionReport.model_validate_json(read[0].model_dump_json()) == read[0]
