"""What is counted of precisions; networks stand in for real ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from rich.console import Console

from paddlex_triton.bench.known_pages import KnownLine, KnownPage
from paddlex_triton.bench.precision import measure_precisions, print_report
from paddlex_triton.network import NetworkInfo

PROVENANCE = {"source": "test", "file": "x.onnx", "source_sha256": "", "opset": 13, "ir_version": 8}


class Detector:
    """What is dark is text, so many pixels further right."""

    seconds = 0.5

    def __init__(self, shift: int) -> None:
        self._shift = shift

    def run(self, **inputs):
        prob = (inputs["x"].max(axis=-1) < 128).astype(np.float32)
        return {"prob": np.roll(prob, self._shift, axis=2)}


class Recogniser:
    """Reads a text of two characters."""

    seconds = 0.25
    info = NetworkInfo.model_validate(
        {
            "name": "rec", "family": "ctc_recognition", "max_batch_size": 8, "sha256": "00",
            "geometry": {"image_shape": [3, 48, 320]}, "characters": ["", "a", "b"], "provenance": PROVENANCE,
        }
    )  # fmt: skip

    def __init__(self, second: int) -> None:
        self._second = second

    def run(self, **inputs):
        return {"indices": np.array([[1, 0, self._second]]), "probs": np.full((1, 3), 0.95, np.float32)}


def page(lines: int) -> KnownPage:
    image = np.full((736, 1200, 3), 255, np.uint8)
    boxes = [(100, 60 + 60 * index, 500, 100 + 60 * index) for index in range(lines)]
    for left, top, right, bottom in boxes:
        cv2.rectangle(image, (left, top), (right, bottom), (0, 0, 0), cv2.FILLED)
    return KnownPage("bars", image, tuple(KnownLine("ab", box) for box in boxes))


@pytest.mark.parametrize("lines", [0, 1, 3])
@pytest.mark.parametrize(("shift", "second"), [(0, 2), (8, 2), (0, 0)])
def test_what_is_counted(lines, shift, second):
    find = {"f32": Detector(0), "bf16": Detector(shift)}
    read = {"f32": Recogniser(2), "bf16": Recogniser(second)}
    report = measure_precisions([page(lines)], find, read)  # pyright: ignore[reportArgumentType]
    exact, low = report.readings["f32"], report.readings["bf16"]
    assert (exact.pages, exact.lines, exact.differing, exact.characters, exact.wrong) == (1, lines, 0, 2 * lines, 0)
    assert low.pages == (shift == 0 or lines == 0)
    differing = lines if second != 2 else 0
    assert (low.lines, low.differing, low.wrong) == (lines, differing, differing)
    assert (low.detector_ms, low.recogniser_ms) == (500, 250)
    console = Console(record=True, width=200)
    print_report(report, console)
    assert "bf16" in console.export_text()
