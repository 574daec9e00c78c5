"""Export of real and stand-in weights: equal to the weights as they came, on real images too."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from paddlex_triton.export.api import Options, export_directory, run_export_directory
from paddlex_triton.network import NetworkInfo

FOLDERS = {
    "models/PP-OCRv6_tiny_det": ("PP-OCRv6_tiny_det", "db_detection"),
    "models/prototype_seal_det": ("PP-OCRv4_mobile_seal_det", "db_detection"),
    "reference/e2e_standin/networks/PP-OCRv4_mobile_det": ("PP-OCRv4_mobile_det", "db_detection"),
    "reference/e2e_standin/networks/PP-OCRv4_server_seal_det": ("PP-OCRv4_server_seal_det", "db_detection"),
    "reference/e2e_standin/networks/PP-OCRv4_server_rec": ("PP-OCRv4_server_rec", "ctc_recognition"),
}


def read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None, path
    return np.asarray(image)


@pytest.mark.parametrize("folder", FOLDERS)
def test_export_is_equal_to_its_source(shared, tmp_path, folder):
    name, family = FOLDERS[folder]
    images = [read(path) for path in sorted((shared / "images" / "ocr").glob("*.[jp][pn]g"))]
    assert images
    outcome = run_export_directory(shared / folder, Options(into=tmp_path / "repository", images=images))
    info = NetworkInfo.load(outcome.path / "network.json")
    assert (info.name, info.family) == (name, family)
    verification = outcome.report.verification
    assert sum(case.name.startswith("image") for case in verification.cases) == len(images)
    assert verification.max_edit_difference == 0
    assert verification.max_row_difference <= 1e-6


def test_graph_normalises_as_paddlex(shared, tmp_path):
    """PaddleX's own detector preprocessing on stored images, bit for bit: fed as float to the source graph, and as
    pixels to the exported one."""
    cases = np.load(shared / "reference" / "ops" / "cases.npz", allow_pickle=False)
    folder = shared / "models" / "PP-OCRv6_tiny_det"
    path = export_directory(folder, tmp_path / "repository")
    options = onnxruntime.SessionOptions()
    # Bit for bit only as written: some versions of ONNX Runtime lay the two graphs out differently.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    providers = ["CPUExecutionProvider"]
    source = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=providers)
    exported = onnxruntime.InferenceSession(path / "1" / "model.onnx", options, providers=providers)
    names = sorted({key.split("/")[0] for key in cases.files if key.startswith("textdet_pre_")})
    assert names
    compared = 0
    for name in names:
        pixels, wanted = cases[f"{name}/inp"], cases[f"{name}/out"]
        height, width = wanted.shape[2:]
        if pixels.shape[0] + pixels.shape[1] < 64:
            # PaddleX pads such an image first, which is not the graph's business.
            continue
        resized = np.asarray(cv2.resize(pixels, (width, height))) if pixels.shape[:2] != (height, width) else pixels
        of_source = np.asarray(source.run(None, {source.get_inputs()[0].name: wanted})[0])
        of_export = np.asarray(exported.run(None, {"x": resized[None]})[0])
        assert np.array_equal(of_source[:, 0], of_export), name
        compared += 1
    assert compared >= 5
