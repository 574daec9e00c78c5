"""Where the product's own files lie: in a checkout, or beside the installed package."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def checkout() -> Path | None:
    """The checkout this package runs from, None for an installed wheel."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "model_repository").is_dir() else None


def home() -> Path:
    """Folder for what the product makes when there is no checkout: `$PADDLEX_TRITON_HOME` or the user's cache."""
    if named := os.environ.get("PADDLEX_TRITON_HOME"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "paddlex-triton"


def modules_repository() -> Path:
    """The folder of the Python modules (source)."""
    return (checkout() or _PACKAGE) / "model_repository"


def ensembles_repository() -> Path:
    """The folder of the ensembles (source)."""
    return (checkout() or _PACKAGE) / "ensembles"


def networks_repository() -> Path:
    """Where `export` installs networks unless told otherwise."""
    return (checkout() or home()) / "model_repository"
