"""A real PDF through the client: its pages' pixels as PaddleX renders them, their order and numbers, files' names."""

import hashlib
import random
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlex_triton.client import NO_RETRIES, Pipeline
from paddlex_triton.client.pages import Page
from paddlex_triton.client.transports.mock import MockTransport, Sent
from paddlex_triton.pipelines import find_pipeline
from paddlex_triton.settings import HumanDetectionSettings, KeypointDetectionSettings, StageSettings, UsedNetwork

NAME = "rapiddoc_han_yinzhang"
# What PaddleX 3.7.2 reads with this version of PDFium: SHA-256 of the pixels, UINT8 [1685,1191,3] BGR.
PDFIUM = "5.15.2"
SHAPE = (1685, 1191, 3)
DIGESTS = [
    "1593d38a6b85354de5030cb4fc2104be680c9629e59e3451bf0a710024f70240",
    "61d5ac0db80bcf874ec39b07df4b6eb4825d42ffccf22fd7f0233792175aa07f",
    "887814a4bc198ef41486e0545b29c89c7e6becbda7587dedb477cdc7ca4cedd8",
    "de659b329e5b5d88eac7cda281e3ac2bfef623761f778f212e30640b129d3b7f",
]


def digest(page: np.ndarray) -> str:
    return hashlib.sha256(page.tobytes()).hexdigest()


def settings(told: StageSettings) -> np.ndarray:
    return np.array([told.encode()], dtype=object)


def answer(request: Sent) -> dict[str, np.ndarray]:
    """No people, sooner or later; the page's digest is where the server says which networks it used."""
    time.sleep(random.random() * 0.05)
    (payload,) = request.inputs["image"]
    found = digest(Page(payload).image())
    networks = {"human_detection": UsedNetwork(name=found, sha256="d" * 64)}
    detection = HumanDetectionSettings(networks=networks, page_size=(SHAPE[1], SHAPE[0]), threshold=0.5)
    return {
        "boxes": np.zeros((0, 4), np.float32),
        "det_scores": np.zeros(0, np.float32),
        "keypoints": np.zeros((0, 17, 3), np.float32),
        "keypoint_scores": np.zeros(0, np.float32),
        "human_detection_settings": settings(detection),
        "keypoint_detection_settings": settings(KeypointDetectionSettings(networks={})),
    }


def sent_digest(result: Any) -> str:
    return result.settings["human_detection"]["networks"]["human_detection"]["name"]


@pytest.mark.parametrize("in_flight", [1, 4])
def test_pages_of_a_real_pdf(shared: Path, tmp_path: Path, in_flight: int):
    path = str(shared / "images" / "pdf" / f"{NAME}.pdf")
    spec = find_pipeline("human_keypoint_detection")
    with Pipeline(spec, MockTransport(answer), max_in_flight=in_flight, retry=NO_RETRIES) as pipeline:
        results = list(pipeline.predict(path))
    assert [(result["input_path"], result.page.page_index) for result in results] == [(path, k) for k in range(4)]
    assert [result.page.image().shape for result in results] == [SHAPE] * 4
    # Every result is about the page that was sent for it.
    assert [sent_digest(result) for result in results] == [digest(result.page.image()) for result in results]
    if version("pypdfium2") == PDFIUM:
        assert [sent_digest(result) for result in results] == DIGESTS
    for result in results:
        result.save_all(tmp_path)
    names = [f"{NAME}_{index}_{name}" for index in range(4) for name in ("res.json", "res.png")]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
