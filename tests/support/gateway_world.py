"""What stands behind a gateway in tests, and what is sent to it."""

from __future__ import annotations

import base64
import json

import cv2
import numpy as np
from ensemble_answers import make_person_tensors, make_seal_tensors, make_tensors

from paddlex_triton.client.transports.mock import Sent

MODELS = ("ocr", "seal_recognition", "human_keypoint_detection", "doc_preprocessor")
TIMES = {"doc_preprocessor_settings": 1.5, "text_detection_settings": 20.25}


def answer(request: Sent) -> dict[str, np.ndarray]:
    """Two lines, two seals with two lines and one, two people, or a page as it is."""
    if request.model == "human_keypoint_detection":
        return make_person_tensors(2)
    if request.model == "seal_recognition":
        return make_seal_tensors([["印章", "2024"], ["B"]])
    tensors = make_tensors(["first", "第二"], scores=[0.75, 0.5])
    for name, milliseconds in TIMES.items():
        settings = json.loads(tensors[name][0])
        tensors[name] = np.array([json.dumps({**settings, "milliseconds": milliseconds}).encode()], dtype=object)
    return tensors


def picture(width: int = 200, height: int = 120, suffix: str = ".png") -> bytes:
    """A white picture."""
    return cv2.imencode(suffix, np.full((height, width, 3), 255, np.uint8))[1].tobytes()


def base64_of(data: bytes) -> str:
    """What a body carries."""
    return base64.b64encode(data).decode()
