"""PaddleX's packages, from a hub on this machine: order, cache, proof, and what a killed export leaves."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hub_server import NOBODY, Fault, HubServer, tar_of

from paddlex_triton.export.api import Options, export_directory, export_network, run_export_network
from paddlex_triton.export.errors import InstallError, SourceError, Unreachable
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.export.sources import official as hub_module
from paddlex_triton.export.sources.official import OfficialSource
from paddlex_triton.export.sources.transfer import Patience
from paddlex_triton.export.sources.weights import Weights
from paddlex_triton.network import NetworkInfo
from paddlex_triton.zoo import HubName, OfficialEntry, ZooEntry

HUB_NAMES = get_args(HubName)
STORE = "/paddlex/official_inference_model/paddle3.0.0"
NAME = "PP-OCRv5_server_det"
HUGGING_FACE = f"/PaddlePaddle/{NAME}_onnx/resolve/main"
PATIENCE = Patience(connect_s=2, read_s=2, attempts=2, first_wait_s=0, longest_wait_s=0)


@pytest.fixture
def hub():
    with HubServer().running() as server:
        yield server


@pytest.fixture
def files(kit) -> dict[str, bytes]:
    """A package with an ONNX file."""
    yml = yaml.safe_dump(kit.detector_yml(NAME)).encode()
    return {"inference.onnx": kit.detector().SerializeToString(), "inference.yml": yml}


class Sources:
    """Makes sources of one network; what they say is kept."""

    def __init__(self, hub: HubServer, open_hubs: Callable[..., None], cache: Path) -> None:
        self.hub, self.open_hubs, self.cache = hub, open_hubs, cache
        self.folder = cache / "official" / NAME
        self.said: list[str] = []

    def __call__(
        self, *, only: tuple[str, ...] = HUB_NAMES, inference: dict[str, Any] | None = None, **official: Any
    ) -> OfficialSource:
        """A source whose hubs are all the one on this machine, unless only some are."""
        self.open_hubs(**dict.fromkeys(only, self.hub.url))
        entry = OfficialEntry.model_validate({"kind": "official", "onnx": True, **official})
        network = ZooEntry(
            name=NAME, family="db_detection", summary="a network", sources=(entry,), inference=inference or {}
        )
        return OfficialSource(network, entry, cache=self.cache, patience=PATIENCE, progress=self.said.append)


@pytest.fixture
def source(hub, no_network, tmp_path):
    return Sources(hub, no_network, tmp_path)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_archive_of_the_store(hub, files, source):
    hub.files[f"{STORE}/{NAME}_onnx_infer.tar"] = content = tar_of(files | {"README.md": b""}, f"{NAME}_onnx_infer")
    weights = source(hubs=("bos",)).fetch()
    assert (weights.model, weights.file) == (files["inference.onnx"], "inference.onnx")
    assert weights.label == f"official:bos/{NAME}_onnx"
    assert weights.url == f"{hub.url}{STORE}/{NAME}_onnx_infer.tar"
    assert weights.url_sha256 == hashlib.sha256(content).hexdigest()
    assert weights.settings.postprocess["thresh"] == 0.2
    assert left_in(source.folder) == [NAME]
    assert left_in(source.folder / NAME) == ["fetched.json", "inference.onnx", "inference.yml"]
    megabytes = f"{len(content) / 1e6:.1f}"
    assert f"fetching {NAME}_onnx from PaddleX's store: {megabytes} of {megabytes} MB" in source.said


@pytest.mark.parametrize("name", ["huggingface", "aistudio", "modelscope"])
def test_files_of_the_other_hubs(hub, files, source, name):
    found = source(hubs=(name,))
    (place,) = found.hubs.in_order([name])
    for file, content in files.items():
        hub.files[place.url(f"{NAME}_onnx", file).removeprefix(hub.url)] = content
    weights = found.fetch()
    assert (weights.model, weights.label) == (files["inference.onnx"], f"official:{name}/{NAME}_onnx")
    assert len(hub.asked) == 2
    assert left_in(source.folder) == [NAME]


def test_fetched_once(hub, files, source, no_network):
    hub.files[f"{STORE}/{NAME}_onnx_infer.tar"] = tar_of(files)
    first = source(hubs=("bos",)).fetch()
    found = source(hubs=("bos",))
    no_network()
    assert found.fetch() == first
    assert len(hub.asked) == 1


@pytest.mark.parametrize("damage", ["inference.onnx", "fetched.json"])
def test_damaged_cache_is_fetched_again(hub, files, source, damage):
    hub.files[f"{STORE}/{NAME}_onnx_infer.tar"] = tar_of(files)
    first = source(hubs=("bos",)).fetch()
    (source.folder / NAME / damage).write_bytes(b"damaged")
    assert source(hubs=("bos",)).fetch() == first
    assert len(hub.asked) == 2
    assert left_in(source.folder) == [NAME]


def test_hubs_are_tried_in_turn(hub, files, source):
    """Not there, then busy for a while, then there."""
    store = f"{STORE}/{NAME}_onnx_infer.tar"
    hub.files[store], hub.faults[store] = tar_of(files), [Fault(status=503)]
    assert source().fetch().label == f"official:bos/{NAME}_onnx"
    assert [path.rsplit("/", 1)[1] for path in hub.paths_asked()] == ["inference.onnx"] * 3 + [
        f"{NAME}_onnx_infer.tar"
    ] * 2


def test_chosen_hub_is_asked_first(hub, files, source, monkeypatch):
    hub.files[f"{STORE}/{NAME}_onnx_infer.tar"] = tar_of(files)
    monkeypatch.setenv("PADDLE_PDX_MODEL_SOURCE", "BOS")
    source().fetch()
    assert len(hub.asked) == 1


def test_hubs_that_do_not_answer_are_passed_over(hub, files, source):
    hub.files[f"{STORE}/{NAME}_onnx_infer.tar"] = tar_of(files)
    assert source(only=("bos",)).fetch().label == f"official:bos/{NAME}_onnx"


def test_paddlepaddle_model_where_there_is_no_onnx_one(hub, source, monkeypatch, kit):
    """It goes where folders go; the older form of a graph is asked for where there is no newer one."""
    base = f"/PaddlePaddle/{NAME}/resolve/main"
    hub.files = {f"{base}/inference.{end}": end.encode() for end in ("pdmodel", "pdiparams")}
    hub.files[f"{base}/inference.yml"] = yaml.safe_dump(kit.detector_yml(NAME)).encode()
    seen: list[list[str]] = []

    class Converting:
        def __init__(self, folder: Path, *args, **kwargs) -> None:
            self.folder = folder

        def fetch(self) -> Weights:
            seen.append(left_in(self.folder))
            return Weights(b"", InferenceSettings(), "dir:model", "inference.pdmodel", "0" * 64)

    monkeypatch.setattr(hub_module, "DirectorySource", Converting)
    weights = source(hubs=("huggingface",)).fetch()
    assert weights.label == f"official:huggingface/{NAME}"
    assert weights.settings.model_name == NAME
    assert seen == [["fetched.json", "inference.pdiparams", "inference.pdmodel", "inference.yml"]]
    assert [path.rsplit("/", 1)[1] for path in hub.paths_asked()] == [
        "inference.onnx",
        "inference.json",
        "inference.pdmodel",
        "inference.pdiparams",
        "inference.yml",
    ]


def test_zoo_stands_in_for_what_inference_yml_does_not_say(hub, files, source):
    zoo = {"PreProcess": {"transform_ops": [{"DecodeImage": {"img_mode": "RGB"}}]}, "PostProcess": {"thresh": 0.9}}
    files["inference.yml"] = yaml.safe_dump({"PostProcess": {"name": "DBPostProcess", "thresh": 0.1}}).encode()
    hub.files[f"{STORE}/{NAME}_onnx_infer.tar"] = tar_of(files)
    settings = source(hubs=("bos",), inference=zoo).fetch().settings
    assert (settings.img_mode, settings.postprocess) == ("RGB", {"name": "DBPostProcess", "thresh": 0.1})
    del hub.files[f"{STORE}/{NAME}_onnx_infer.tar"]
    hub.files[f"{HUGGING_FACE}/inference.onnx"] = files["inference.onnx"]
    (source.folder / NAME / "fetched.json").unlink()
    settings = source(hubs=("huggingface",), inference=zoo).fetch().settings
    assert (settings.img_mode, settings.postprocess) == ("RGB", {"thresh": 0.9})


def test_another_network_s_files_are_not_used(hub, files, source, kit):
    files["inference.yml"] = yaml.safe_dump(kit.detector_yml("other")).encode()
    hub.files[f"{STORE}/{NAME}_onnx_infer.tar"] = tar_of(files)
    with pytest.raises(SourceError, match=r"inference.yml is of other: not used"):
        source(hubs=("bos",)).fetch()
    assert NAME not in left_in(source.folder)


@pytest.mark.parametrize("known", ["PP-OCRv5_server_det_onnx_infer.tar", "PP-OCRv5_server_det_onnx/inference.onnx"])
def test_known_digests(hub, files, source, known):
    hub.files[f"{STORE}/{NAME}_onnx_infer.tar"] = content = tar_of(files)
    good = hashlib.sha256(content if known.endswith(".tar") else files["inference.onnx"]).hexdigest()
    with pytest.raises(SourceError, match=f"{known} has SHA-256 {good}, expected 0{{64}}: not used"):
        source(hubs=("bos",), sha256={known: "0" * 64}).fetch()
    assert not list(source.folder.glob("*.tar.part"))
    assert NAME not in left_in(source.folder)
    source(hubs=("bos",), sha256={known: good}).fetch()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>", "no tar archive"),
        (tar_of({"README.md": b""}), "holds no inference.onnx, and no inference.json or inference.pdmodel with"),
        (tar_of({"inference.json": b"{}"}), "holds no inference.onnx"),
        (tar_of({"inference.onnx": b"", "inference.yml": b"[1"}), "inference.yml is not YAML"),
        (tar_of({"inference.onnx": b""}, "../escape"), "leads out of the archive"),
    ],
    ids=["a web page", "nothing", "half a model", "bad settings", "hostile"],
)
def test_archives_of_no_use(hub, source, content, message):
    hub.files[f"{STORE}/{NAME}_onnx_infer.tar"] = content
    with pytest.raises(SourceError, match=message) as caught:
        source(hubs=("bos",)).fetch()
    assert "To bring it by hand: download https://" in str(caught.value)
    assert not [name for name in left_in(source.folder) if not name.endswith(".json")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n<!DOCTYPE html><title>Log in</title>", "a web page came in place of inference.onnx"),
        (b"<html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "a pointer of Git's to a large file came"),
    ],
)
def test_what_stands_in_for_a_file_is_not_kept(hub, files, source, content, message):
    hub.files[f"{HUGGING_FACE}/inference.onnx"] = content
    hub.files[f"{HUGGING_FACE}/inference.yml"] = files["inference.yml"]
    with pytest.raises(SourceError, match=message):
        source(hubs=("huggingface",)).fetch()
    hub.files[f"{HUGGING_FACE}/inference.onnx"] = files["inference.onnx"]
    assert source(hubs=("huggingface",)).fetch().model == files["inference.onnx"]


def test_no_hub_answers(source, no_network):
    found = source()
    no_network()
    started = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        found.fetch()
    assert time.monotonic() - started < 3
    said = str(caught.value)
    for place in ("Hugging Face", "AI Studio", "ModelScope", "PaddleX's store"):
        assert f"{place} ({NOBODY})" in said
    assert said.endswith(f"`paddlex-triton export --from-dir DIR --name {NAME}`")


def test_no_hub_answers_and_none_was_probed(source, no_network, monkeypatch):
    monkeypatch.setenv("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "1")
    found = source()
    no_network()
    with pytest.raises(Unreachable):
        found.fetch()


def test_cache_that_cannot_be_written(hub, source, tmp_path):
    (tmp_path / "official").write_bytes(b"in the way")
    with pytest.raises(SourceError, match="cannot be kept in"):
        source(hubs=("bos",)).fetch()


def test_files_that_came_wait_for_those_that_broke_off(hub, files, source):
    for file, content in files.items():
        hub.files[f"{HUGGING_FACE}/{file}"] = content
    hub.faults[f"{HUGGING_FACE}/inference.yml"] = [Fault(status=500)] * 2
    with pytest.raises(SourceError, match="500 Internal Server Error"):
        source(hubs=("huggingface",)).fetch()
    assert source(hubs=("huggingface",)).fetch().model == files["inference.onnx"]
    assert hub.paths_asked().count(f"{HUGGING_FACE}/inference.onnx") == 1
    assert left_in(source.folder) == [NAME]


FETCH = f"""
import sys
from pathlib import Path
from paddlex_triton.export.sources.official import OfficialSource
from paddlex_triton.export.lookup import find_network
entry = find_network({NAME!r})
weights = OfficialSource(entry, entry.official, cache=Path(sys.argv[1])).fetch()
print(weights.sha256)
"""


def start_fetch(cache: Path) -> subprocess.Popen[str]:
    """Fetch in a process of its own, with the environment of this one."""
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, str(cache)], stdout=subprocess.PIPE, text=True, env=os.environ
    )


def test_killed_download_is_continued(hub, files, no_network, tmp_path):
    no_network(bos=hub.url)
    # Stands in for weights: it must not fit into one write.
    hub.files[f"{STORE}/{NAME}_onnx_infer.tar"] = tar_of({**files, "padding": os.urandom(3_000_000)})
    hub.chunk, hub.pause_s = 100_000, 0.05
    process, folder = start_fetch(tmp_path), tmp_path / "official" / NAME
    deadline = time.monotonic() + 60
    while sum(part.stat().st_size for part in folder.glob("*.tar.part")) < 300_000:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert NAME not in left_in(folder)
    hub.pause_s = 0
    again = start_fetch(tmp_path)
    assert again.communicate(timeout=60)[0].strip() == hashlib.sha256(files["inference.onnx"]).hexdigest()
    start = hub.asked[-1].range
    assert start is not None
    assert int(start.removeprefix("bytes=").rstrip("-")) >= 300_000
    assert left_in(folder) == [NAME]


def test_two_processes_at_once_fetch_once(hub, files, no_network, tmp_path):
    no_network(bos=hub.url)
    hub.files[f"{STORE}/{NAME}_onnx_infer.tar"] = tar_of({**files, "padding": bytes(1_000_000)})
    hub.chunk, hub.pause_s = 100_000, 0.1
    processes = [start_fetch(tmp_path) for _ in range(2)]
    answers = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert answers == {hashlib.sha256(files["inference.onnx"]).hexdigest()}
    assert len(hub.asked) == 1


def test_what_a_killed_unpacking_left_is_removed(hub, files, source):
    (source.folder / ".unpack-abc" / NAME).mkdir(parents=True)
    hub.files[f"{STORE}/{NAME}_onnx_infer.tar"] = tar_of(files)
    source(hubs=("bos",)).fetch()
    assert left_in(source.folder) == [NAME]


def test_whole_export(hub, files, no_network, tmp_path):
    no_network(bos=hub.url)
    hub.files[f"{STORE}/{NAME}_onnx_infer.tar"] = content = tar_of(files)
    outcome = run_export_network(NAME, Options(into=tmp_path))
    info = NetworkInfo.load(outcome.path / "network.json")
    assert info.provenance.source == f"official:bos/{NAME}_onnx"
    assert info.provenance.url == f"{hub.url}{STORE}/{NAME}_onnx_infer.tar"
    assert info.provenance.url_sha256 == hashlib.sha256(content).hexdigest()
    assert info.provenance.source_sha256 == hashlib.sha256(files["inference.onnx"]).hexdigest()
    assert info.postprocess["thresh"] == 0.2
    assert not run_export_network(NAME, Options(into=tmp_path)).installed


def test_own_weights_are_not_replaced_and_nothing_is_fetched_for_it(hub, kit, weights_folder, no_network, tmp_path):
    no_network(bos=hub.url)
    export_directory(weights_folder(kit.detector(), kit.detector_yml(NAME), "mine"), tmp_path / "repository")
    with pytest.raises(InstallError, match=f"{NAME} is there, made from dir:mine; --force replaces it by official"):
        export_network(NAME, tmp_path / "repository")
    assert not hub.asked
