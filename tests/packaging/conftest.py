"""A wheel and an sdist, built from a zip of the tree, and environments that the wheel is installed into."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Built:
    """The tree as a zip holds it, and what was built from it once it was unpacked."""

    tree_files: frozenset[str]
    links: frozenset[str]
    sdist: Path
    wheel_from_sdist: Path
    wheel: Path


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel and some of the distributions that the tests run with."""

    folder: Path
    installed: list[Distribution]

    def run(self, *command: str) -> str:
        """Return what a command of the environment prints; without this process's PYTHON... variables."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        variables["PADDLEX_TRITON_HOME"] = str(self.folder / "home")
        return _run([str(self.folder / "bin" / command[0]), *command[1:]], cwd=self.folder, env=variables)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The distributions, built from a zip of the working tree as a machine without links unpacks it."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: only git says which files are the tree's")
    folder = tmp_path_factory.mktemp("built")
    archive = _archive_tree(folder)
    # `extractall` writes a link's target as text, as git does on Windows.
    with zipfile.ZipFile(archive) as files:
        files.extractall(folder / "tree")
        entries = [entry for entry in files.infolist() if not entry.is_dir()]
    # sdist first: what building leaves in the tree must not get into it.
    build = [sys.executable, "-m", "build", "--no-isolation", str(folder / "tree"), "--outdir"]
    _run([*build, str(folder / "both")])
    _run([*build, str(folder / "direct"), "--wheel"])
    links = frozenset(entry.filename for entry in entries if entry.external_attr >> 28 == 0o12)
    return Built(
        frozenset(entry.filename for entry in entries) - links,
        links,
        next((folder / "both").glob("*.tar.gz")),
        next((folder / "both").glob("*.whl")),
        next((folder / "direct").glob("*.whl")),
    )


@pytest.fixture(scope="session")
def client_environment(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel with what the client requires, and nothing else."""
    return _install(built.wheel, tmp_path_factory.mktemp("client"), _required("paddlex-triton"))


@pytest.fixture(scope="session")
def full_environment(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel with what its extras require."""
    return _install(
        built.wheel,
        tmp_path_factory.mktemp("full"),
        _required("paddlex-triton", {"serve", "gateway", "export", "bench"}),
    )


def _archive_tree(folder: Path) -> Path:
    """Zip the working tree as `git archive` does, by way of an index and objects outside of the clone."""
    objects = _run(["git", "rev-parse", "--path-format=absolute", "--git-path", "objects"], cwd=ROOT).strip()
    places = {
        "GIT_INDEX_FILE": str(folder / "index"),
        "GIT_OBJECT_DIRECTORY": str(folder / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
    }
    (folder / "objects").mkdir()
    variables = {**os.environ, **places}
    _run(["git", "add", "--all"], cwd=ROOT, env=variables)
    tree = _run(["git", "write-tree"], cwd=ROOT, env=variables).strip()
    _run(["git", "archive", "--output", str(folder / "tree.zip"), tree], cwd=ROOT, env=variables)
    return folder / "tree.zip"


def _required(name: str, extras: Iterable[str] = ()) -> set[str]:
    """Return the names of all distributions that one requires here, with some of its extras."""
    found: set[str] = set()
    to_do = [(name, extra) for extra in ("", *extras)]
    seen = set(to_do)
    for owner, extra in to_do:
        for requirement in map(Requirement, distribution(owner).requires or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                found.add(requirement.name.lower())
                new = {(requirement.name.lower(), each) for each in ("", *requirement.extras)} - seen
                seen |= new
                to_do += new
    return found - {name}


def _install(wheel: Path, folder: Path, names: Iterable[str]) -> Environment:
    """Install the wheel by pip, and link the distributions it needs from those the tests run with: no download."""
    venv.EnvBuilder(symlinks=True).create(folder)
    packages = next((folder / "lib").glob("python*/site-packages"))
    for name in names:
        source = distribution(name)
        for top in {file.parts[0] for file in source.files or [] if file.parts[0] not in ("..", "__pycache__")}:
            link = packages / top
            if not link.is_symlink():
                link.symlink_to(Path(str(source.locate_file(top))))
    _run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(folder),
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            str(wheel),
        ]
    )
    return Environment(folder, list(distributions(path=[str(packages)])))


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, check=False, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
