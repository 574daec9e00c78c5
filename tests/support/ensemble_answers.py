"""Answers of the ensembles, as tensors, without a server."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

DETECTION = {
    "stage": "text_detection",
    "version": "0.1.0",
    "text_type": "general",
    "limit_side_len": 64,
    "limit_type": "min",
    "thresh": 0.3,
    "max_side_limit": 4000,
    "box_thresh": 0.6,
    "unclip_ratio": 1.5,
    "networks": {"text_detection": {"name": "det", "sha256": "d" * 64}},
}
RECOGNITION = {
    "stage": "text_recognition",
    "version": "0.1.0",
    "score_thresh": 0.0,
    "return_word_box": False,
    "use_textline_orientation": False,
    "networks": {"text_recognition": {"name": "rec", "sha256": "e" * 64}},
}
PREPARATION = {
    "stage": "doc_preprocessor",
    "version": "0.1.0",
    "use_doc_orientation_classify": False,
    "use_doc_unwarping": False,
    "networks": {},
}
LAYOUT = {
    "stage": "layout_detection",
    "version": "0.1.0",
    "use_layout_detection": True,
    "page_size": [200, 120],
    "threshold": 0.5,
    "layout_nms": True,
    "layout_unclip_ratio": 1.0,
    "layout_merge_bboxes_mode": "large",
    "networks": {"layout_detection": {"name": "layout", "sha256": "a" * 64}},
}
SEAL_DETECTION = {
    **DETECTION,
    "stage": "seal_text_detection",
    "text_type": "seal",
    "limit_side_len": 736,
    "thresh": 0.2,
    "unclip_ratio": 0.5,
    "networks": {"seal_text_detection": {"name": "seal_det", "sha256": "c" * 64}},
}
HUMAN_DETECTION = {
    "stage": "human_detection",
    "version": "0.1.0",
    "page_size": [200, 120],
    "threshold": 0.5,
    "networks": {"human_detection": {"name": "det", "sha256": "d" * 64}},
}
KEYPOINT_DETECTION = {
    "stage": "keypoint_detection",
    "version": "0.1.0",
    "page_size": [200, 120],
    "networks": {"keypoint_detection": {"name": "kpt", "sha256": "f" * 64}},
}
# A bent line in a region.
BENT = [[2, 20], [10, 5], [30, 2], [40, 12], [30, 14], [12, 22]]


def _bytes(*values: bytes) -> np.ndarray:
    return np.array(list(values), dtype=object)


def make_tensors(
    texts: list[str],
    *,
    scores: list[float] | None = None,
    kept: list[bool] | None = None,
    angles: list[int] | None = None,
    words: list[dict[str, Any]] | None = None,
    angle: int = -1,
    preparation: dict[str, Any] | None = None,
    detection: dict[str, Any] | None = None,
    recognition: dict[str, Any] | None = None,
) -> dict[str, np.ndarray]:
    """Make the answer of the ensemble for lines below each other, 80 pixels wide and 20 high, 30 apart."""
    count = len(texts)
    boxes = [[[10, 30 * k], [90, 30 * k], [90, 30 * k + 20], [10, 30 * k + 20]] for k in range(count)]
    return {
        "angle": np.array([angle], np.int32),
        "preprocessed_img": np.zeros((0, 0, 3), np.uint8),
        "points": np.array(boxes, np.int32).reshape(-1, 2),
        "offsets": np.arange(count + 1, dtype=np.int32) * 4,
        "poly_scores": np.full(count, 0.9, np.float32),
        "texts": _bytes(*(text.encode() for text in texts)),
        "scores": np.array(scores if scores is not None else [0.5] * count, np.float32),
        "kept": np.array(kept if kept is not None else [True] * count, np.bool_),
        "angles": np.array(angles if angles is not None else [-1] * count, np.int32),
        "words": _bytes(*(json.dumps(line).encode() for line in words or [])) if words else _bytes(*[b""] * count),
        "doc_preprocessor_settings": _bytes(json.dumps({**PREPARATION, **(preparation or {})}).encode()),
        "text_detection_settings": _bytes(json.dumps({**DETECTION, **(detection or {})}).encode()),
        "text_recognition_settings": _bytes(json.dumps({**RECOGNITION, **(recognition or {})}).encode()),
    }


def make_seal_tensors(
    texts: list[list[str]],
    *,
    boxes: list[tuple[int, str, list[float]]] | None = None,
    layout: dict[str, Any] | None = None,
    detection: dict[str, Any] | None = None,
    recognition: dict[str, Any] | None = None,
    **others: Any,
) -> dict[str, np.ndarray]:
    """Make the answer of the ensemble for seals 50 pixels wide and high, 60 apart: the texts of each, all in one place.

    `boxes` are what layout detection found, class, label and coordinates; the seals by default.
    """
    count = sum(map(len, texts))
    corners = [[60 * k + 5, 10, 60 * k + 55, 60] for k in range(len(texts))]
    found = boxes if boxes is not None else [(16, "seal", box) for box in corners]
    tensors = make_tensors([text for seal in texts for text in seal], recognition=recognition, **others)
    del tensors["text_detection_settings"]
    return {
        **tensors,
        "points": np.array(BENT * count, np.int32).reshape(-1, 2),
        "offsets": np.arange(count + 1, dtype=np.int32) * len(BENT),
        "poly_scores": np.linspace(0.5, 1, count, dtype=np.float32),
        "layout_boxes": np.array([box for _, _, box in found], np.float32).reshape(-1, 4),
        "layout_class_ids": np.array([class_id for class_id, _, _ in found], np.int32),
        "layout_labels": _bytes(*(label.encode() for _, label, _ in found)),
        "layout_scores": np.full(len(found), 0.75, np.float32),
        "regions": np.array(corners, np.int32).reshape(-1, 4),
        "region_ids": np.repeat(np.arange(len(texts), dtype=np.int32), [len(seal) for seal in texts]),
        "layout_detection_settings": _bytes(json.dumps({**LAYOUT, **(layout or {})}).encode()),
        "seal_text_detection_settings": _bytes(json.dumps({**SEAL_DETECTION, **(detection or {})}).encode()),
    }


def make_person_tensors(count: int, *, boxes: list[list[float]] | None = None) -> dict[str, np.ndarray]:
    """Make the answer of the ensemble for people in the same box, or in those given.

    Joint k of person n is at 10 n + k, 5 k, but for the last one, which is beyond the left border of the page.
    """
    keypoints = np.full((count, 17, 3), 0.5, np.float32)
    keypoints[:, :, 0] = np.arange(count)[:, None] * 10 + np.arange(17)
    keypoints[:, :, 1] = np.arange(17) * 5
    keypoints[:, 16] = (-8.25, 3.5, 1.25)
    return {
        "boxes": np.array(boxes or [[5.5, 10.25, 55, 90]] * count, np.float32).reshape(-1, 4),
        "det_scores": np.full(count, 0.75, np.float32),
        "keypoints": keypoints,
        "keypoint_scores": np.full(count, 0.625, np.float32),
        "human_detection_settings": _bytes(json.dumps(HUMAN_DETECTION).encode()),
        "keypoint_detection_settings": _bytes(json.dumps(KEYPOINT_DETECTION).encode()),
    }
