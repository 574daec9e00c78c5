"""The command line: grammar, exit codes, one clear message and no traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest
from export_command import app, call
from typer.testing import CliRunner

from paddlex_triton.client import transports
from paddlex_triton.zoo import load_zoo


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
    # Below, once more: how long engines took.
    tables = listed.stdout.split("ms a usual run")[0]
    lines = {line.split()[0]: line.split()[1:] for line in tables.splitlines() if line.split()}
    assert lines["tiny_det"] == ["dir:weights", "yes"]
    assert lines["PP-OCRv4_mobile_rec"] == ["78.74", "10.5", "wheel,", "official", "-"]
    assert f"exported: in {repository}" in listed.stdout


def test_dry_run_does_nothing(tmp_path):
    done = call("export", "--pipeline", "OCR", "--into", str(tmp_path / "repository"), "--dry-run")
    assert done.exit_code == 0
    assert done.stdout.count("would export PP-OCRv4_mobile_") == 2
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
    assert call("models", "--into", repository).stdout.count(" yes") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one of the five"),
        (["PP-OCRv4_mobile_det", "--pipeline", "OCR"], "one of the five"),
        (["--pipeline", "OCR", "--from-dir", "x"], "one of the five"),
        (["PP-OCRv4_mobile_det", "--all"], "one of the five"),
        (["--all", "--preset", "x"], "--preset belongs to --pipeline"),
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


NOT_OURS = "PADDLE_PDX_MODEL_SOURCE"


def test_hub_that_is_not_known(monkeypatch):
    monkeypatch.setenv(NOT_OURS, "github")
    done = call("export", "UVDoc", "--dry-run")
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{NOT_OURS} is 'github'; allowed: huggingface, aistudio, modelscope, bos" in done.stderr


def test_list_fits_into_80_columns(monkeypatch, tmp_path):
    """Every line, every name and every heading whole; one line for each network."""

    class Server:
        def metadata(self) -> dict[str, str]:
            return {}

        def model_ready(self, model: str) -> bool:
            return model == "UVDoc"

        def close(self) -> None:
            """Nothing to close."""

    monkeypatch.setattr(transports, "open_transport", lambda endpoint: Server())
    command = ["models", "--url", "127.0.0.1:8001", "--into", str(tmp_path)]
    listed = CliRunner().invoke(app, command, env={"COLUMNS": "80", "TERM": "dumb"})
    assert listed.exit_code == 0
    lines = [line.rstrip() for line in listed.stdout.splitlines()]
    assert max(len(line) for line in lines if not line.startswith("exported: in")) <= 80
    assert {line.split()[0] for line in lines if line} >= set(load_zoo().networks)
    headings = [line.split() for line in lines if line.startswith("name ")]
    assert set(map(tuple, headings)) == {("name", "accuracy", "MB", "source", "exported", "loaded")}
    assert [line.split()[0] for line in lines if line.endswith(" yes")] == ["UVDoc"]
    assert "dense_detection: mAP(0.5) in %" in lines
    assert "dense_detection: mAP(0.5:0.95) in %" in lines


@pytest.mark.parametrize(
    ("url", "code", "message"), [("127.0.0.1:1", 1, "127.0.0.1:1"), ("ftp://x", 2, "unknown scheme")]
)
def test_server_that_cannot_be_asked(tmp_path, url, code, message):
    listed = call("models", "--url", url, "--into", str(tmp_path))
    assert (listed.exit_code, listed.stderr.count("\n")) == (code, 1)
    assert message in listed.stderr


def test_missing_extra_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    done = call("export", "PP-OCRv4_mobile_det")
    assert done.exit_code == 1
    assert "export needs the package onnx: pip install 'paddlex-triton[export]'" in done.stderr


def test_help_and_commands_import_nothing_heavy():
    script = (
        "import sys; sys.modules.update(filelock=None, onnx=None, onnxruntime=None, cv2=None)\n"
        "import paddlex_triton.export.cli\n"
        "from paddlex_triton.export_hints import export_command_for\n"
        "print(export_command_for('PP-OCRv4_mobile_rec'))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "paddlex-triton export PP-OCRv4_mobile_rec\n"), done.stderr
