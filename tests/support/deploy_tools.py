"""Other people's tools that check deployment files, where they are installed: tests skip without them.

Each is found on PATH, or at the path that a variable names; `scripts/deploy_tools` fetches them all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

VARIABLES = {"promtool": "PROMTOOL", "helm": "HELM", "docker-compose": "DOCKER_COMPOSE"}
# Where scripts/deploy_tools puts them.
_FETCHED = Path(__file__).resolve().parents[2] / ".venv" / "deploy-tools"


def tool(name: str) -> str:
    """Return the path of a tool; skips the test where there is none."""
    candidates = (os.environ.get(VARIABLES[name]), shutil.which(name), str(_FETCHED / name))
    found = next((path for path in candidates if path and Path(path).exists()), None)
    if found is None:
        pytest.skip(f"{name} is not installed: scripts/deploy_tools fetches it, or {VARIABLES[name]} names it")
    return found


def run(name: str, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a tool and return what came of it."""
    return subprocess.run([tool(name), *arguments], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
