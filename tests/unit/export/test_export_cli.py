"""The command line: grammar, exit codes, one clear message and no traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from preparation_graphs import doc_orientation_folder, textline_orientation_folder, unwarping_folder
from typer.testing import CliRunner

from paddlex_triton.export.cli import register

app = typer.Typer()
register(app)


def call(*arguments: str):
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "TERM": "dumb"})


def test_folder_is_exported_and_listed(kit, weights_folder, tmp_path):
    folder, repository = weights_folder(kit.detector(), kit.detector_yml()), str(tmp_path / "repository")
    done = call("export", "--from-dir", str(folder), "--into", repository)
    assert done.exit_code == 0, done.output
    assert "tiny_det: exported to" in done.stdout
    assert "largest difference from the source 0.0e+00" in done.stdout
    again = call("export", "--from-dir", str(folder), "--into", repository)
    assert (again.exit_code, "there already and up to date" in again.stdout) == (0, True)
    listed = call("models", "--into", repository)
    assert listed.exit_code == 0
    lines = {name: line for line in listed.stdout.splitlines() for name in line.split() if "_" in name}
    assert "yes" in lines["tiny_det"]
    assert "no" in lines["PP-OCRv4_mobile_rec"]
    assert "wheel:rapidocr-onnxruntime==1.4.4" in lines["PP-OCRv4_mobile_rec"]


def test_dry_run_does_nothing(tmp_path):
    done = call("export", "--pipeline", "OCR", "--into", str(tmp_path / "repository"), "--dry-run")
    assert done.exit_code == 0
    assert done.stdout.count("would export PP-OCRv4_mobile_") == 2
    assert not list(tmp_path.iterdir())


def test_steps_that_stay_off_are_said(tmp_path):
    """A pipeline goes on without the networks of its optional steps; which they are is said in one line."""
    repository = str(tmp_path / "repository")
    command = ("export", "--pipeline", "OCR", "--into", repository, "--dry-run")
    first, *plans = call(*command).stdout.splitlines()
    assert first == (
        "OCR: doc_orientation_classify, doc_unwarping, textline_orientation stay off, as this version has no source "
        "for PP-LCNet_x1_0_doc_ori, UVDoc, PP-LCNet_x1_0_textline_ori or PP-LCNet_x0_25_textline_ori. Official weights "
        "are exported with --from-dir"
    )
    assert len(plans) == 2
    for write in (doc_orientation_folder, textline_orientation_folder):
        done = call("export", "--from-dir", str(write(tmp_path / write.__name__)), "--into", repository)
        assert done.exit_code == 0, done.output
    first, *plans = call(*command).stdout.splitlines()
    assert first.startswith("OCR: doc_unwarping stays off, as this version has no source for UVDoc.")
    assert [line.split(":")[0] for line in plans[2:]] == ["PP-LCNet_x1_0_doc_ori", "PP-LCNet_x0_25_textline_ori"]
    done = call("export", "--from-dir", str(unwarping_folder(tmp_path / "uvdoc")), "--into", repository)
    assert done.exit_code == 0, done.output
    planned = call(*command).stdout
    assert " off, as this version" not in planned
    assert len(planned.splitlines()) == 5
    named = call(*command, "--preset", "PP-OCRv4_mobile").stdout
    assert len(named.splitlines()) == 2


def test_page_preparation_is_a_preset_like_others(tmp_path):
    command = (
        "export",
        "--pipeline",
        "seal_recognition",
        "--preset",
        "default",
        "--into",
        str(tmp_path / "repository"),
    )
    planned = call(*command, "--dry-run")
    assert planned.exit_code == 0
    lines = {line.split()[2]: line for line in planned.stdout.splitlines()}
    assert list(lines)[:2] == ["PP-LCNet_x1_0_doc_ori", "UVDoc"]
    assert len(lines) == 5
    assert "(image_unwarping): unpack https://" in lines["UVDoc"]
    assert "/UVDoc_onnx_infer.tar, or convert the weights in https://" in lines["UVDoc"]
    done = call(*command)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "no source that it can fetch PP-LCNet_x1_0_doc_ori or UVDoc or PP-DocLayout-L" in done.stderr
    assert not list(tmp_path.iterdir())


def test_networks_that_come_along_where_a_pipeline_s_own_cannot_be_fetched(tmp_path):
    planned = call("export", "--pipeline", "seal_recognition", "--into", str(tmp_path / "repository"), "--dry-run")
    assert planned.exit_code == 0
    first, second, *plans = planned.stdout.splitlines()
    assert first.startswith("seal_recognition: this version has no source for PP-DocLayout-L, PP-OCRv4_server_seal_det")
    assert "taking preset offline" in first
    assert second.startswith("seal_recognition: doc_orientation_classify, doc_unwarping stay off, as this version has")
    assert [line.split(" (")[0] for line in plans] == [
        f"would export {name}" for name in ("offline_seal_layout", "offline_seal_det", "PP-OCRv4_mobile_rec")
    ]


def test_what_cannot_be_fetched_is_said_before_anything_is_done(tmp_path):
    repository = str(tmp_path / "repository")
    command = ("export", "--pipeline", "seal_recognition", "--preset", "nopp-lightweight", "--into", repository)
    planned = call(*command, "--dry-run")
    assert planned.exit_code == 0
    assert [line.split(" (")[0] for line in planned.stdout.splitlines()] == [
        "cannot fetch PP-DocLayout-L",
        "cannot fetch PP-OCRv4_mobile_seal_det",
        "would export PP-OCRv4_mobile_rec",
    ]
    assert planned.stdout.count("paddlex-triton export --from-dir DIR --name PP-") == 2
    done = call(*command)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "no source that it can fetch PP-DocLayout-L or PP-OCRv4_mobile_seal_det from" in done.stderr
    assert done.stderr.count("_infer.tar") == 2
    assert "`paddlex-triton export --from-dir DIR --name NAME`" in done.stderr
    assert call("export", "PP-DocLayout-S", "--into", repository).exit_code == 1
    assert not list(tmp_path.iterdir())


def test_keypoint_pipeline_says_where_its_networks_are(tmp_path):
    done = call("export", "--pipeline", "human_keypoint_detection", "--into", str(tmp_path / "repository"))
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    for name in ("PP-YOLOE-S_human", "PP-TinyPose_128x96"):
        assert f"/official_inference_model/paddle3.0.0/{name}_infer.tar" in done.stderr
    assert "convert each with paddle2onnx to inference.onnx" in done.stderr
    assert "`paddlex-triton export --from-dir DIR --name NAME`" in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_was_brought_along_is_kept(kit, weights_folder, tmp_path):
    """A pipeline's network that cannot be fetched, and is there, stands in nobody's way."""
    repository = str(tmp_path / "repository")
    names = {"PP-OCRv4_server_seal_det": (kit.detector(), kit.detector_yml())}
    names["PP-OCRv4_server_rec"] = (kit.recognizer(), kit.recognizer_yml())
    for name, (model, yml) in names.items():
        folder = weights_folder(model, yml, name)
        assert call("export", "--from-dir", str(folder), "--name", name, "--into", repository).exit_code == 0
    done = call("export", "--pipeline", "seal_recognition", "--preset", "nopp-nolayout", "--into", repository)
    assert done.exit_code == 0, done.output
    assert [line.split(";")[0] for line in done.stdout.splitlines()] == [
        f"{name}: there already, made from dir:{name}" for name in names
    ]
    listed = call("models", "--into", repository).stdout
    assert "own weights, --from-dir" in listed
    assert listed.count("yes, ") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one of the three"),
        (["PP-OCRv4_mobile_det", "--pipeline", "OCR"], "one of the three"),
        (["--pipeline", "OCR", "--from-dir", "x"], "one of the three"),
        (["PP-OCRv4_mobile_det", "--preset", "x"], "--preset belongs to --pipeline"),
        (["PP-OCRv4_mobile_det", "--name", "x"], "--family and --name belong to --from-dir"),
        (["--from-dir", "x", "--family", "x"], "no family 'x'; known: db_detection, ctc_recognition"),
        (["--pipeline", "x"], "unknown pipeline 'x'; known: OCR"),
        (["--pipeline", "OCR", "--preset", "x"], "no preset 'x'; known: PP-OCRv4_mobile"),
        (["PP-OCRv4_mobil_det"], "did you mean PP-OCRv4_mobile_det"),
        (["--from-dir", "absent"], "absent is not a folder"),
        (["PP-OCRv4_mobile_det", "--check-image", "absent.png"], "absent.png is not a picture"),
    ],
)
def test_wrong_usage(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = call("export", *arguments, "--into", "repository")
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_failure_is_one_message(kit, weights_folder, tmp_path):
    folder = weights_folder(kit.detector(input_dims=(1, 3, "H", "W")), kit.detector_yml())
    done = call("export", "--from-dir", str(folder), "--into", str(tmp_path / "repository"))
    assert done.exit_code == 1
    assert done.stderr.startswith("error: the input is [1,3,?,?]; expected [N,3,H,W]")
    assert "Traceback" not in done.output


def test_missing_extra_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    done = call("export", "PP-OCRv4_mobile_det")
    assert done.exit_code == 1
    assert "export needs the package onnx: pip install 'paddlex-triton[export]'" in done.stderr


def test_help_and_commands_import_nothing_heavy():
    script = (
        "import sys; sys.modules.update(onnx=None, onnxruntime=None, cv2=None)\n"
        "import paddlex_triton.export.cli\n"
        "from paddlex_triton.export.commands import export_command_for\n"
        "print(export_command_for('PP-OCRv4_mobile_rec'))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "paddlex-triton export PP-OCRv4_mobile_rec\n"), done.stderr
