"""Networks of the structure that PaddleX publishes, with random weights: exported, they find what PaddleX finds.

PaddleX runs where PADDLEX_TRITON_PEER names an interpreter that has it; otherwise its stored answers count, see
`golden/make_official_layout.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from colour_squares import PICTURES, picture

from paddlex_triton.export.api import Options, Outcome, run_export_directory
from paddlex_triton.export.families.rows import other_rows, rows_difference
from paddlex_triton.network import Family, NetworkInfo
from paddlex_triton.ops.detection_nms import boxes_to_page, multiclass_nms
from paddlex_triton.ops.object_detection import clip_boxes, has_area, resize_for_detector, without_page_images

FAMILIES: dict[str, Family] = {
    "PicoDet-S_layout_3cls": "dense_detection",
    "PicoDet-S_layout_3cls_paddle331": "dense_detection",
    "PicoDet-S_layout_17cls": "dense_detection",
    "PicoDet-L_layout_17cls": "dense_detection",
    "PP-YOLOE-S_human": "dense_detection",
    "PP-TinyPose_128x96": "heatmap_keypoints",
    "UVDoc": "image_unwarping",
}
GOLDEN = Path(__file__).parent / "golden"
MAKER = GOLDEN / "make_official_layout.py"
STORED = GOLDEN / "official_layout.json"
# Of the stored answers: weights are random, and most scores are low.
THRESHOLD = 0.1
PEER = os.environ.get("PADDLEX_TRITON_PEER")


@pytest.fixture(scope="module")
def folder_of(shared, tmp_path_factory) -> Callable[[str], Path]:
    """The folder of an architecture, unpacked where it is an archive."""

    @cache
    def folder(name: str) -> Path:
        place = shared / "models" / "official_architectures" / name
        if (place / "inference.json").is_file():
            return place
        unpacked = tmp_path_factory.mktemp("unpacked")
        with tarfile.open(place / f"{name}.tar.xz") as archive:
            archive.extractall(unpacked, filter="data")
        (found,) = unpacked.rglob("inference.json")
        # Archives hold the folder, or what is in it.
        return found.parent if found.parent.name == name else found.parent.rename(unpacked.with_name(f"{name}-files"))

    return folder


@pytest.fixture(scope="module")
def exported(folder_of, tmp_path_factory) -> Callable[[str], Outcome]:
    """Exports an architecture with no option but its name, once."""

    @cache
    def export(name: str) -> Outcome:
        repository = tmp_path_factory.mktemp("repository")
        return run_export_directory(folder_of(name), Options(into=repository), name=name)

    return export


@pytest.mark.parametrize("name", FAMILIES)
def test_it_is_exported_by_default(exported, name):
    outcome = exported(name)
    info = NetworkInfo.load(outcome.path / "network.json")
    assert (info.name, info.family) == (name, FAMILIES[name])
    assert outcome.report.conversion is not None
    verification = outcome.report.verification
    assert (verification.max_edit_difference, verification.host_difference) == (0, 0)
    if FAMILIES[name] == "dense_detection":
        # The graph's own numbers. The PicoDets' files say 0.3 and 0.5, PP-YOLOE's nothing.
        assert info.postprocess["nms"] == {
            "score_threshold": 0.01 if "YOLOE" in name else 0.025,
            "nms_threshold": 0.6,
            "nms_top_k": 1000,
            "keep_top_k": 100,
        }


@pytest.fixture(scope="module")
def found_by_paddlex(folder_of, tmp_path_factory) -> dict[str, list[list[list[float]]]]:
    """Network -> for each picture PaddleX's rows: class, score, x1, y1, x2, y2."""
    if not PEER:
        return json.loads(STORED.read_text())
    target = tmp_path_factory.mktemp("peer") / "found.json"
    folders = [folder_of(name) for name in json.loads(STORED.read_text())]
    environment = os.environ | {"PYTHONPATH": str(MAKER.parents[2] / "support")}
    subprocess.run([PEER, MAKER, *folders, target], check=True, env=environment)
    return json.loads(target.read_text())


@pytest.mark.parametrize("name", ["PicoDet-S_layout_3cls", "PicoDet-S_layout_17cls", "PicoDet-L_layout_17cls"])
def test_layout_networks_find_what_paddlex_finds(exported, found_by_paddlex, name):
    path = exported(name).path
    info = NetworkInfo.load(path / "network.json")
    session = onnxruntime.InferenceSession(path / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    compared = 0
    for made, stored in zip(PICTURES, found_by_paddlex[name], strict=True):
        page = picture(*made)
        rows, all_kept = rows_of(session, info, page)
        wanted = np.array(stored, np.float32).reshape(-1, 6)
        side = max(page.shape[:2])
        if all_kept:
            apart = rows_difference(wanted, rows, side=side, draw_threshold=2 * THRESHOLD, same_order=False)
            # Measured: 2e-4, by PaddlePaddle's kernels and ONNX Runtime's.
            assert apart <= 1e-3, made
        else:
            # Where more boxes are found than are kept, those that score alike decide which are the last.
            beyond = other_rows(wanted, rows, side=side, draw_threshold=2 * THRESHOLD, tolerance=1e-3)
            assert beyond <= 0.05, made
        compared += len(wanted)
    assert compared >= 100


def rows_of(session: onnxruntime.InferenceSession, info: NetworkInfo, page: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return what a module makes of a page, up to PaddleX's threshold, less boxes of whole pages, clipped to the page.

    Returns:
        The rows, and whether there were no more boxes than may be kept.
    """
    height, width = info.geometry["target_size"]
    resized = resize_for_detector(page, (height, width), info.geometry["interpolation"])
    boxes, scores = (np.asarray(value) for value in session.run(["boxes", "scores"], {"x": resized.image[None]}))
    rows = multiclass_nms(boxes_to_page(boxes[0], resized.scale_factor), scores[0], **info.postprocess["nms"])
    all_kept = len(rows) < info.postprocess["nms"]["keep_top_k"] or float(rows[:, 1].min()) < THRESHOLD
    size = (page.shape[1], page.shape[0])
    rows = without_page_images(rows[rows[:, 1] > np.float32(THRESHOLD)], size, info.labels or [])
    rows[:, 2:] = clip_boxes(rows[:, 2:], size)
    return rows[has_area(rows[:, 2:])], all_kept
