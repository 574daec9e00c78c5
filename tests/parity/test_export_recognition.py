"""PaddleX's own recogniser preprocessing on stored crops, against what the exported graph makes of their pixels."""

from __future__ import annotations

import math

import cv2
import numpy as np
import onnxruntime

from paddlex_triton.export.api import export_directory


def test_graph_pads_as_paddlex(shared, tmp_path):
    cases = np.load(shared / "reference" / "ops" / "cases.npz", allow_pickle=False)
    wanted = cases["rec_pre/out"]
    rows, _, height, total = wanted.shape
    batch = np.full((rows, height, total, 3), 77, np.uint8)
    widths = np.zeros((rows, 1), np.int32)
    for row in range(rows):
        crop = cases[f"rec_pre/i{row}"]
        # PaddleX: the line's own width at 48 pixels of height, at most 3200.
        widths[row] = width = min(math.ceil(height * crop.shape[1] / crop.shape[0]), 3200)
        batch[row, :, :width] = cv2.resize(crop, (width, height))
    folder = shared / "reference" / "e2e_standin" / "networks" / "PP-OCRv4_server_rec"
    path = export_directory(folder, tmp_path / "repository")
    source = onnxruntime.InferenceSession(folder / "inference.onnx", providers=["CPUExecutionProvider"])
    exported = onnxruntime.InferenceSession(path / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    scores = np.asarray(source.run(None, {source.get_inputs()[0].name: wanted})[0])
    answers = exported.run(["indices", "probs"], {"x": batch, "widths": widths})
    indices, probs = (np.asarray(answer) for answer in answers)
    assert np.array_equal(indices, scores.argmax(axis=2))
    assert np.array_equal(probs, scores.max(axis=2))
