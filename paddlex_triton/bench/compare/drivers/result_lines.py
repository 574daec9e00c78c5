"""What results say, whether PaddleX's or those of this package, which have the same keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def lines_of(pipeline: str, result: Mapping[str, Any]) -> list[str]:
    """Return what a result says: texts, those of seals one after the other; for people a line each with their box."""
    if pipeline == "OCR":
        return [str(text) for text in result["rec_texts"]]
    if pipeline == "seal_recognition":
        return [str(text) for seal in result["seal_res_list"] for text in seal["rec_texts"]]
    return [" ".join(str(round(float(value))) for value in person["coordinate"]) for person in result["boxes"]]
