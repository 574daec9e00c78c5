"""The environments of contestants: made once each, under a lock, and never used half-made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from paddlex_triton import paths
from paddlex_triton.checksums import sha256_of
from paddlex_triton.export.shared_folders import locked
from paddlex_triton.processes import die_with_parent

REQUIREMENTS = Path(__file__).with_name("requirements")
# Written last: an environment without it was never finished.
_FINISHED = ".finished"
# Seconds for half a gigabyte of wheels on a slow line.
_TIMEOUT_S = 3600

# Runs a command to its end; raises EnvironmentFailed.
Run = Callable[[Sequence[str]], None]


class EnvironmentFailed(RuntimeError):
    """An environment cannot be made."""


def run_command(command: Sequence[str]) -> None:
    """Run a command.

    Raises:
        EnvironmentFailed: it failed or took too long; the text has its last lines.
    """
    try:
        done = subprocess.run(
            [*die_with_parent("KILL"), *command], capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentFailed(f"{command[-1]} took longer than {_TIMEOUT_S} s") from None
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines()]
        reason = " ".join([line for line in lines if line and not line.startswith("WARNING")][-2:])
        raise EnvironmentFailed(reason or f"{command[0]} ended with status {done.returncode}")


def ensure_environment(requirements: Path, home: Path | None = None, run: Run = run_command) -> Path:
    """Make the environment of a requirements file, unless it is there already.

    Args:
        requirements: pinned; another content, or another Python, makes another environment.
        home: folder of all environments, in the product's own by default.
        run: runs commands.

    Returns:
        The environment's Python.

    Raises:
        EnvironmentFailed: it cannot be made.
    """
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}-{sha256_of(requirements.read_bytes())[:12]}"
    kept = (home or paths.home() / "compare" / "environments") / requirements.stem
    folder = kept / name
    python = folder / "bin" / "python"
    try:
        kept.mkdir(parents=True, exist_ok=True)
        with locked(kept):
            if not (folder / _FINISHED).is_file():
                shutil.rmtree(folder, ignore_errors=True)
                run([sys.executable, "-m", "venv", str(folder)])
                install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
                # Wheels only: building a source distribution would run its code.
                run([*install, "--only-binary=:all:", "--requirement", str(requirements)])
                (folder / _FINISHED).touch()
    except OSError as error:
        raise EnvironmentFailed(f"{kept}: {error.strerror or error}") from error
    return python
