"""The ONNX file of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paddlex_triton.server.backends.common.errors import LoadError

_DEFAULT_FILENAME = "model.onnx"


def find_model(config: Mapping[str, Any], version_directory: Path) -> Path:
    """Find the ONNX file: `default_model_filename` or model.onnx; for a directory of that name, model.onnx in it.

    Raises:
        LoadError: there is none.
    """
    path = version_directory / (config.get("default_model_filename") or _DEFAULT_FILENAME)
    if not path.exists():
        raise LoadError(f"failed to stat file {path}")
    if path.is_dir():
        path = path / _DEFAULT_FILENAME
        if not path.is_file():
            raise LoadError(f"unable to find '{path}' for model '{config['name']}'")
    return path
