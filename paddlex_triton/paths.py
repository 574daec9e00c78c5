"""Where the product's own files lie: in a checkout, or beside the installed package."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

_PACKAGE = Path(__file__).resolve().parent


def checkout() -> Path | None:
    """Return the checkout this package runs from, None for an installed wheel."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "model_repository").is_dir() else None


def home() -> Path:
    """Return the folder of what the product makes where there is no checkout.

    `$PADDLEX_TRITON_HOME`, else in the system's folder for caches: `$XDG_CACHE_HOME/paddlex-triton` on Linux.
    """
    if named := os.environ.get("PADDLEX_TRITON_HOME"):
        return Path(named)
    return user_cache_path("paddlex-triton", appauthor=False)


def modules_repository() -> Path:
    """Return the folder of the Python modules (source)."""
    return (checkout() or _PACKAGE) / "model_repository"


def ensembles_repository() -> Path:
    """Return the folder of the ensembles (source)."""
    return (checkout() or _PACKAGE) / "ensembles"


def networks_repository() -> Path:
    """Return the folder that `export` installs networks in unless told otherwise."""
    return (checkout() or home()) / "model_repository"
