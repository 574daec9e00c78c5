"""RapidOCR 5 with its own engine, with PaddleX's small networks of the sixth generation: it runs no others."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from driver_loop import Driver, serve


class RapidOCR5(Driver):
    """RapidOCR with its own thresholds and preparation."""

    packages = ("rapidocr_ng", "numpy")

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="paddlex-triton-compare-")

    def open(self, request: dict[str, Any]) -> None:
        """Load `networks`."""
        from rapidocr import RapidOCR  # pyright: ignore[reportMissingImports]

        detector, recogniser = (
            Path(request["networks"][step]["folder"]) for step in ("text_detection", "text_recognition")
        )
        settings = yaml.safe_load((recogniser / "inference.yml").read_text(encoding="utf-8"))
        characters = Path(self._folder.name) / "characters.txt"
        characters.write_text("\n".join(settings["PostProcess"]["character_dict"]) + "\n", encoding="utf-8")
        params = {
            "Global.use_cls": False,
            "Global.log_level": "warning",
            "Det.model_path": str(detector / "inference.onnx"),
            "Det.limit_side_len": request["params"]["text_det_limit_side_len"],
            "Det.limit_type": request["params"]["text_det_limit_type"],
            "Rec.model_path": str(recogniser / "inference.onnx"),
            "Rec.rec_keys_path": str(characters),
        }
        self._ocr = RapidOCR(params=params)

    def read(self, path: str) -> list[str]:
        """Read one file."""
        return list(self._ocr(path).txts or ())

    def close(self) -> None:
        """Remove the list of characters."""
        self._folder.cleanup()


if __name__ == "__main__":
    serve(RapidOCR5())
