"""Atomic installation: killed at any moment, a network is there whole or not at all, and the next run cleans up."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import disk_calls
import pytest

from paddlex_triton.export.errors import InstallError
from paddlex_triton.export.install import clean, install_network, staging_folder
from paddlex_triton.export.shared_folders import locked

OLD = {"network.json": b"old", "1/model.onnx": b"old model", "gone.txt": b"old only"}
NEW = {"network.json": b"new", "1/model.onnx": b"new model", "configs/gpu.pbtxt": b"new config"}


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("before", [None, OLD])
def test_install_and_replace(tmp_path, before):
    repository = tmp_path / "repository"
    if before is not None:
        install_network(repository, "net", before)
    assert install_network(repository, "net", NEW) == repository / "net"
    assert content(repository / "net") == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["repository"]


def test_folders_that_are_kept_are_asked_for_once_nobody_adds_to_them(tmp_path):
    """A plan that is installed while the export waits its turn is not lost with the old network."""
    repository = tmp_path / "repository"
    old = install_network(repository, "net", OLD)

    def kept() -> list[Path]:
        return sorted((old / "plans").glob("*"))

    waiting = threading.Thread(target=install_network, args=(repository, "net", NEW, kept))
    with locked(repository):
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        (old / "plans" / "one").mkdir(parents=True)
        (old / "plans" / "one" / "model.plan").write_bytes(b"plan")
    waiting.join(30)
    assert content(repository / "net") == {**NEW, "plans/one/model.plan": b"plan"}


# For every n: a process of its own that is killed at the n-th call that changes the disk, until one runs through.
KILLED_RUNS = (
    f"{disk_calls.IMPORT}\n"
    + """
import os
from pathlib import Path
from paddlex_triton.export import install

base, before, new = Path(sys.argv[1]), eval(sys.argv[2]), eval(sys.argv[3])

for step in range(500):
    repository = base / str(step) / "repository"
    repository.parent.mkdir()
    if before is not None:
        install.install_network(repository, "net", before)
    child = os.fork()
    if child == 0:
        kill_at(step)
        install.install_network(repository, "net", new)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
"""
)


def network_in(repository: Path) -> dict[str, bytes] | None:
    return content(repository / "net") if (repository / "net").exists() else None


@pytest.mark.parametrize("before", [None, OLD], ids=["first", "replacing"])
def test_killed_at_every_step(tmp_path, before):
    command = [sys.executable, "-c", KILLED_RUNS, str(tmp_path), repr(before), repr(NEW)]
    subprocess.run(command, check=True, timeout=120)
    runs = sorted(tmp_path.iterdir(), key=lambda path: int(path.name))
    assert len(runs) > 10, "killed at too few places to prove anything"
    found = []
    for run in runs:
        repository = run / "repository"
        found.append(network_in(repository))
        assert found[-1] in (None, before, NEW), f"half a network after step {run.name}"
        clean(repository)
        assert network_in(repository) in (before, NEW), f"not recovered after step {run.name}"
        assert {path.name for path in run.iterdir()} <= {"repository"}, f"leftovers after step {run.name}"
        assert {path.name for path in repository.glob("*")} <= {"net"}, f"leftovers after step {run.name}"
        install_network(repository, "net", NEW)
        assert network_in(repository) == NEW
    assert found[-1] == NEW
    if before is not None:
        assert None in found, "the moment between the two renames was not tried"


def test_staging_lies_outside_the_repository(tmp_path):
    repository = tmp_path / "repository"
    assert staging_folder(repository).parent == repository.parent
    assert staging_folder(repository) != staging_folder(tmp_path / "other")


def test_a_module_is_never_replaced(tmp_path):
    (tmp_path / "repository" / "text_detection" / "1").mkdir(parents=True)
    (tmp_path / "repository" / "text_detection" / "1" / "model.py").write_text("source")
    with pytest.raises(InstallError, match="is no exported network"):
        install_network(tmp_path / "repository", "text_detection", NEW)
    assert (tmp_path / "repository" / "text_detection" / "1" / "model.py").read_text() == "source"


def test_failing_write_leaves_the_old_network(tmp_path, monkeypatch):
    repository = tmp_path / "repository"
    install_network(repository, "net", OLD)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InstallError, match="cannot be written: No space left on device"):
        install_network(repository, "net", NEW)
    assert content(repository / "net") == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["repository"]


def test_a_repository_that_is_a_file(tmp_path):
    (tmp_path / "repository").write_text("")
    with pytest.raises(InstallError, match="cannot be written"):
        install_network(tmp_path / "repository", "net", NEW)


def test_two_exports_at_once(tmp_path):
    """They take turns; both networks are there."""
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from paddlex_triton.export.install import install_network
        for _ in range(20):
            install_network(Path(sys.argv[1]), sys.argv[2], {"network.json": sys.argv[2].encode()})
    """)
    repository = tmp_path / "repository"
    running = [subprocess.Popen([sys.executable, "-c", script, str(repository), name]) for name in ("a", "b")]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert content(repository) == {"a/network.json": b"a", "b/network.json": b"b"}
    assert [path.name for path in tmp_path.iterdir()] == ["repository"]
