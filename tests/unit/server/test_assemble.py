"""The directory to serve: complete, or refused with the command that helps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paddlex_triton import paths
from paddlex_triton.pipelines import PIPELINES
from paddlex_triton.server.assemble import MARKER, assemble
from paddlex_triton.server.errors import AssemblyError
from paddlex_triton.server.model_config import networks_of, read_config, steps_of

NETWORKS = ("PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec")
MODULES = ("doc_preprocessor", "text_detection", "text_recognition")


def write_network(repository: Path, name: str, *, flavours: tuple[str, ...] = ()) -> None:
    folder = repository / name
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(b"weights of " + name.encode())
    (folder / "config.pbtxt").write_text(f'name: "{name}"\nbackend: "onnxruntime"\n')
    for flavour in flavours:
        (folder / "configs").mkdir(exist_ok=True)
        (folder / "configs" / f"{flavour}.pbtxt").write_text(f'name: "{name}" # {flavour}\n')
    provenance = {"source": "test", "file": "x", "source_sha256": "", "opset": 13, "ir_version": 8}
    info = {"name": name, "family": "db_detection", "max_batch_size": 4, "sha256": name, "provenance": provenance}
    (folder / "network.json").write_text(json.dumps(info))


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Networks that no other folder can stand in for."""
    folder = tmp_path / "networks"
    for name in NETWORKS:
        write_network(folder, name, flavours=("gpu",))
    monkeypatch.setattr(paths, "networks_repository", lambda: tmp_path / "nowhere")
    return folder


@pytest.mark.parametrize("pipelines", [[], ["OCR"], ["ocr"], ["OCR", "OCR"]])
@pytest.mark.parametrize("copy", [False, True])
def test_everything_the_pipeline_needs_and_nothing_else(repository, tmp_path, pipelines, copy):
    assembly = assemble(tmp_path / "models", pipelines=pipelines, networks=[repository], copy=copy)
    folders = {path.name for path in (tmp_path / "models").iterdir() if path.is_dir()}
    assert folders == {"ocr", *MODULES, *NETWORKS}
    assert assembly.networks == {name: name for name in NETWORKS}
    for name in (*MODULES, *NETWORKS):
        version = tmp_path / "models" / name / "1"
        assert version.is_symlink() is not copy
        assert any(version.iterdir())
        assert not (tmp_path / "models" / name / "configs").exists()
    assert (tmp_path / "models" / "ocr" / "1").is_dir()
    assert (tmp_path / "models" / "text_detection" / "PP-OCRv4_mobile_det.network.json").is_file()


def test_flavour_decides_the_configuration(repository, tmp_path):
    assemble(tmp_path / "models", networks=[repository], flavour="gpu")
    for name in NETWORKS:
        assert "# gpu" in (tmp_path / "models" / name / "config.pbtxt").read_text()
    assert read_config(tmp_path / "models" / "text_detection" / "config.pbtxt").max_batch_size == 4


@pytest.mark.parametrize("missing", [NETWORKS[:1], NETWORKS])
def test_missing_networks_are_named_with_the_command(repository, tmp_path, missing):
    for name in missing:
        (repository / name).rename(tmp_path / name)
    with pytest.raises(AssemblyError) as refused:
        assemble(tmp_path / "models", networks=[repository])
    assert f"paddlex-triton export {' '.join(missing)}" in str(refused.value)
    assert not (tmp_path / "models").exists()


def test_missing_flavour_is_named(repository, tmp_path):
    with pytest.raises(AssemblyError, match=r"no 'tensorrt' flavour: .*tensorrt\.pbtxt is missing"):
        assemble(tmp_path / "models", networks=[repository], flavour="tensorrt")
    assert not (tmp_path / "models").exists()


def test_unknown_pipeline(repository, tmp_path):
    with pytest.raises(AssemblyError, match="unknown pipeline 'ORC'; known: OCR"):
        assemble(tmp_path / "models", pipelines=["ORC"], networks=[repository])


def test_an_earlier_assembly_is_replaced(repository, tmp_path):
    assemble(tmp_path / "models", networks=[repository])
    (tmp_path / "models" / "stray").mkdir()
    assemble(tmp_path / "models", networks=[repository])
    assert not (tmp_path / "models" / "stray").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_lies_behind_the_links_survives_a_replacement(repository, tmp_path):
    assemble(tmp_path / "models", networks=[repository])
    assemble(tmp_path / "models", networks=[repository])
    assert (repository / NETWORKS[0] / "1" / "model.onnx").is_file()
    assert (paths.modules_repository() / "text_detection" / "1" / "model.py").is_file()


def test_somebody_elses_folder_is_left_alone(repository, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.txt").write_text("mine")
    with pytest.raises(AssemblyError, match="not made by `assemble`"):
        assemble(tmp_path / "models", networks=[repository])
    assert (tmp_path / "models" / "mine.txt").read_text() == "mine"


def test_an_empty_folder_is_taken(repository, tmp_path):
    (tmp_path / "models").mkdir()
    assemble(tmp_path / "models", networks=[repository])
    assert (tmp_path / "models" / MARKER).is_file()


def test_a_broken_description_is_refused(repository, tmp_path):
    (repository / NETWORKS[0] / "network.json").write_text("{")
    with pytest.raises(AssemblyError, match=r"network\.json"):
        assemble(tmp_path / "models", networks=[repository])


@pytest.mark.parametrize("spec", PIPELINES.values(), ids=lambda spec: spec.name)
def test_ensembles_chain_the_modules_of_the_pipeline(spec):
    config = read_config(paths.ensembles_repository() / spec.ensemble / "config.pbtxt")
    assert config.name == spec.ensemble
    assert config.max_batch_size == 0
    assert tuple(steps_of(config)) == spec.modules


@pytest.mark.parametrize("module", MODULES)
def test_flavours_of_a_module_agree_on_tensors_and_networks(module):
    folder = paths.modules_repository() / module
    configs = [read_config(folder / "config.pbtxt"), read_config(folder / "configs" / "gpu.pbtxt")]
    tensors = [
        [(t.name, t.data_type, tuple(t.dims), getattr(t, "optional", False)) for t in (*c.input, *c.output)]
        for c in configs
    ]
    assert tensors[0] == tensors[1]
    assert networks_of(configs[0]) == networks_of(configs[1])
