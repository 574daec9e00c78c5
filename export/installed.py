"""What an export wrote into a network's folder, read again."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from paddlex_triton.export import export_report
from paddlex_triton.export.export_report import ExportReport
from paddlex_triton.network import FILE_NAME, NetworkInfo

MODEL_PATH = "1/model.onnx"


def read_info(folder: Path) -> NetworkInfo | None:
    """Read what was exported into a folder before; None where nothing was, or it cannot be read and is made anew."""
    try:
        return NetworkInfo.load(folder / FILE_NAME)
    except (OSError, ValidationError):
        return None


def read_report(folder: Path) -> ExportReport | None:
    """Read how it was exported; None where another version of the product wrote that down in another form."""
    try:
        return ExportReport.load(folder / export_report.FILE_NAME)
    except (OSError, ValidationError):
        return None


def read_content(path: Path) -> bytes:
    """Read a file; empty where it is not there."""
    return path.read_bytes() if path.is_file() else b""


def as_json(text: str) -> bytes:
    """Return the bytes of a file with a text of JSON."""
    return (text + "\n").encode()
