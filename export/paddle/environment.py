"""The converter's environment: a virtual environment with PaddlePaddle that this tool makes by itself, or one given."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from paddlex_triton import paths
from paddlex_triton.export.errors import ConverterError
from paddlex_triton.export.limited_process import CommandResult, run_limited
from paddlex_triton.export.shared_folders import locked, remove_leftovers

Progress = Callable[[str], None]

# An existing Python that has the packages, for machines that cannot fetch them.
VARIABLE = "PADDLEX_TRITON_CONVERTER_PYTHON"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
WORKER = Path(__file__).with_name("worker.py")

# Seconds to make an empty environment; to install into it: 250 MB over 1 Mbit/s; to ask a Python for its packages.
VENV_TIMEOUT, INSTALL_TIMEOUT, VERSIONS_TIMEOUT = 300, 2400, 120

# What a conversion depends on. The rest of the pins is what these import.
PACKAGES = ("paddlepaddle", "paddle2onnx", "polygraphy", "onnx_graphsurgeon", "onnxruntime", "onnx")
CONVERTERS = PACKAGES[:2]

# Environments under way.
_PARTIAL = ".making-"


@dataclass(frozen=True)
class Converter:
    """A Python that converts.

    Attributes:
        python: the interpreter.
        versions: of `PACKAGES`.
    """

    python: Path
    versions: dict[str, str]

    def advice(self) -> str:
        """Return what to try where a conversion failed, nothing if the pinned versions did it."""
        other = [f"{name} {self.versions[name]}" for name in CONVERTERS if self.versions[name] != pins()[name]]
        wanted = " and ".join(f"{name} {pins()[name]}" for name in CONVERTERS)
        return f"; {VARIABLE} has {' and '.join(other)}; {wanted} is what is known to convert" if other else ""


@lru_cache(maxsize=1)
def pins() -> dict[str, str]:
    """Return the pinned packages: name -> version."""
    found = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(found)


def expected_versions() -> dict[str, str]:
    """Return the versions of `PACKAGES` that will convert, told without making an environment.

    Raises:
        ConverterError: the Python that is named cannot be run or lacks a package.
    """
    named = os.environ.get(VARIABLE)
    return _versions_of(Path(named)) if named else {name: pins()[name] for name in PACKAGES}


def find_converter(progress: Progress) -> Converter:
    """Return the Python that converts: the one that is named, else this tool's environment, made if it is missing.

    Raises:
        ConverterError: it cannot be made, or the one that is named does not do.
    """
    versions = expected_versions()
    named = os.environ.get(VARIABLE)
    return Converter(Path(named) if named else _made(progress), versions)


def worker_environment(scratch: Path) -> dict[str, str]:
    """Return the variables a worker runs with.

    Args:
        scratch: a folder for its temporary files.
    """
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("FLAGS_", "POLYGRAPHY_", "GLOG_"))
    }
    return kept | {
        "POLYGRAPHY_AUTOINSTALL_DEPS": "0",
        # Whatever else may call pip while converting gets nothing.
        "PIP_NO_INDEX": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "TMPDIR": str(scratch),
    }


def environment_folder() -> Path:
    """Return where the environment of these pins and this Python lies."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    return paths.home() / "converter" / f"python{sys.version_info.major}.{sys.version_info.minor}-{key}"


def _made(progress: Progress) -> Path:
    folder = environment_folder()
    python = _python_in(folder)
    if python.exists():
        remove_leftovers(folder.parent, f"{_PARTIAL}*")
        return python
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.parent):
            # Left by a killed export; or another one made it while this one waited.
            _remove(folder.parent, f"{_PARTIAL}*")
            if not python.exists():
                _make(folder, progress)
    except OSError as error:
        raise ConverterError(f"the converter's environment {folder} cannot be made: {error}") from error
    return python


def _make(folder: Path, progress: Progress) -> None:
    """Make the environment beside its place and move it there whole; those of other pins go away."""
    megabytes = "about 250 MB, 1 GB installed"
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=folder.parent) as scratch:
        made, log = Path(scratch) / "environment", Path(scratch) / "log"
        progress("making the converter's environment, once")
        # What pip keeps for the time being goes away with the folder.
        environment = os.environ | {"TMPDIR": scratch}
        venv = [sys.executable, "-I", "-m", "venv", made]
        ended = run_limited(venv, seconds=VENV_TIMEOUT, log=log, environment=environment)
        _require(ended, f"{sys.executable} cannot make a virtual environment (on Debian: the package python3-venv)")
        progress(f"installing PaddlePaddle {pins()['paddlepaddle']} for conversion, once ({megabytes})")
        command = [_python_in(made), "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        # Wheels only: building a source distribution would run its code.
        command += ["--quiet", "--no-deps", "--only-binary=:all:", "--requirement", REQUIREMENTS]
        ended = run_limited(command, seconds=INSTALL_TIMEOUT, log=log, environment=environment)
        _require(ended, f"pip cannot install the converter's packages ({megabytes})")
        _remove(folder.parent, f"{folder.name.split('-')[0]}-*")
        made.rename(folder)


def _require(ended: CommandResult, what: str) -> None:
    if not ended.succeeded:
        raise ConverterError(
            f"{what}: {ended.reason()}. Conversion can use another Python that has the packages of {REQUIREMENTS}: "
            f"name it in {VARIABLE}"
        )


def _versions_of(python: Path) -> dict[str, str]:
    """Return the versions of `PACKAGES` in an existing Python."""
    with _asking() as scratch:
        job, result = Path(scratch) / "job.json", Path(scratch) / "result.json"
        job.write_text(json.dumps({"action": "versions", "packages": PACKAGES}), encoding="utf-8")
        command = [python, "-I", WORKER, job, result]
        try:
            ended = run_limited(command, seconds=VERSIONS_TIMEOUT, log=Path(scratch) / "log")
        except OSError as error:
            raise ConverterError(f"{VARIABLE}: {python} cannot be run: {error.strerror or error}") from error
        try:
            found = dict(json.loads(result.read_bytes())["versions"]) if ended.succeeded else None
        except (OSError, ValueError, KeyError, TypeError):
            found = None
    if found is None:
        raise ConverterError(f"{VARIABLE}: {python} does not run the converter: {ended.reason()}")
    if missing := [name for name in PACKAGES if not found.get(name)]:
        raise ConverterError(
            f"{VARIABLE}: {python} has no {', '.join(missing)}: {python} -m pip install --no-deps -r {REQUIREMENTS}"
        )
    return found


@contextlib.contextmanager
def _asking() -> Iterator[str]:
    """Make a folder for a question to a Python. One that a killed export left is removed before."""
    folder = paths.home() / "asking"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConverterError(f"{folder} cannot be made: {error.strerror or error}") from error
    with locked(folder):
        _remove(folder, f"{_PARTIAL}*")
        with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=folder) as scratch:
            yield scratch


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _remove(folder: Path, pattern: str) -> None:
    for found in folder.glob(pattern):
        # What is still being written to, by the pip of a killed export, goes away the next time.
        shutil.rmtree(found, ignore_errors=True)
