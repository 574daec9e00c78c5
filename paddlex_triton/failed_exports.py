"""Why networks are not exported: `failed.json` in a repository, which `export` writes and `serve` and `models` read."""

from __future__ import annotations

import json
from pathlib import Path

# Triton takes folders for models, and leaves files beside them alone.
FILE_NAME = "failed.json"


def read_failures(repository: Path) -> dict[str, str]:
    """Read which networks could not be exported into a repository: name -> why."""
    try:
        found = json.loads((repository / FILE_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): str(reason) for name, reason in found.items()} if isinstance(found, dict) else {}
