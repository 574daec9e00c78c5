"""Environments of contestants, made by a pip that only writes down what it was asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from paddlex_triton.bench.compare.environments import (
    REQUIREMENTS,
    EnvironmentFailed,
    ensure_environment,
    run_command,
)


class FakePip:
    """Makes folders in the place of environments; fails at installing as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.commands = failures, []

    def __call__(self, command) -> None:
        self.commands.append(command)
        if "venv" in command:
            (Path(command[-1]) / "bin").mkdir(parents=True)
            return
        if self.failures:
            self.failures -= 1
            raise EnvironmentFailed("No matching distribution found for paddlex==99")
        (Path(command[0]).parent.parent / "installed").touch()

    @property
    def installs(self) -> int:
        return sum("install" in command for command in self.commands)


@pytest.fixture
def requirements(tmp_path):
    path = tmp_path / "peer.txt"
    path.write_text("peer==1.0\n")
    return path


def test_an_environment_is_made_once(requirements, tmp_path):
    pip = FakePip()
    python = ensure_environment(requirements, tmp_path / "home", pip)
    assert python == ensure_environment(requirements, tmp_path / "home", pip)
    assert python.parent.parent.parent == tmp_path / "home" / "peer"
    (_, install) = pip.commands
    assert install[:4] == [str(python), "-m", "pip", "install"]
    assert install[-2:] == ["--requirement", str(requirements)]


def test_other_requirements_make_another_one(requirements, tmp_path):
    pip = FakePip()
    first = ensure_environment(requirements, tmp_path / "home", pip)
    requirements.write_text("peer==1.1\n")
    assert ensure_environment(requirements, tmp_path / "home", pip) != first
    assert pip.installs == 2


def test_a_half_made_one_is_not_used(requirements, tmp_path):
    pip = FakePip(failures=1)
    with pytest.raises(EnvironmentFailed, match="No matching distribution"):
        ensure_environment(requirements, tmp_path / "home", pip)
    (made,) = (tmp_path / "home" / "peer").iterdir()
    (made / "left").touch()
    python = ensure_environment(requirements, tmp_path / "home", pip)
    assert python.parent.parent == made
    assert not (made / "left").exists()
    assert (made / "installed").exists()


def test_several_runs_make_it_once(requirements, tmp_path):
    pip = FakePip()
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: ensure_environment(requirements, tmp_path / "home", pip), range(8)))
    assert (len(found), pip.installs) == (1, 1)


def test_a_folder_that_cannot_be_written(requirements, tmp_path):
    (tmp_path / "home").touch()
    with pytest.raises(EnvironmentFailed, match="home/peer"):
        ensure_environment(requirements, tmp_path / "home", FakePip())


def test_a_failing_command_is_told_by_its_last_lines():
    with pytest.raises(EnvironmentFailed, match=r"^no such package$"):
        run_command(["sh", "-c", "echo 'WARNING: old' >&2; echo no such >&2; echo package >&2; exit 1"])
    with pytest.raises(EnvironmentFailed, match="status 3"):
        run_command(["sh", "-c", "exit 3"])
    run_command(["true"])


@pytest.mark.parametrize("path", sorted(REQUIREMENTS.glob("*.txt")), ids=lambda path: path.stem)
def test_requirements_are_pinned(path):
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert lines
    assert all("==" in line for line in lines)
