"""What the soak sends: small pages, each with the answer that it must always have, and hostile requests."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from paddlex_triton.limits import MAX_IMAGE_SIDE, MAX_PARAMS_BYTES

# Longest side of a page, pixels.
MAX_SIDE = 400
_LEAST_SIDE = 60
_PAGES = 24


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        name: of the kind, for reports.
        pipeline: PaddleX's name.
        data: the file.
        params: of the call.
        page: which of the pages; None for hostile ones, which have no certain answer.
        body: what is posted as it is, to Triton or the gateway, in place of the file.
        leaves: whether the caller goes away in the middle.
    """

    name: str
    pipeline: str
    data: bytes
    params: Mapping[str, Any] = field(default_factory=dict)
    page: int | None = None
    body: bytes | None = None
    leaves: bool = False


def make_pages(image: np.ndarray, seed: int) -> list[bytes]:
    """Cut and scale an image to pages of at most `MAX_SIDE` pixels a side, of many shapes, in three formats.

    Args:
        image: UINT8 [H,W,3] BGR.
        seed: of the cuts.
    """
    dice = random.Random(seed)
    pages = []
    for number in range(_PAGES):
        height, width = (dice.randint(min(_LEAST_SIDE, side), side) for side in image.shape[:2])
        top, left = dice.randint(0, image.shape[0] - height), dice.randint(0, image.shape[1] - width)
        page = image[top : top + height, left : left + width]
        scale = dice.randint(_LEAST_SIDE, MAX_SIDE) / max(page.shape[:2])
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        resized = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
        pages.append(_encoded(resized, (".png", ".jpg", ".webp")[number % 3]))
    return pages


def hostile_requests(pipeline: str, page: bytes) -> list[Request]:
    """Make a request of each kind that a server must refuse, or bear.

    Args:
        pipeline: PaddleX's name.
        page: a good one.
    """
    blank = np.full((40, 40, 3), 255, np.uint8)
    long_side = np.full((1, MAX_IMAGE_SIDE + 1, 3), 255, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (MAX_SIDE, MAX_SIDE, 3), np.uint8)
    files = {
        "no bytes": b"",
        "text": b"not an image",
        "noise in bytes": noise.tobytes()[:5000],
        "cut in half": page[: len(page) // 2],
        "a GIF": b"GIF89a" + page,
        "a PDF": b"%PDF-1.7\n" + page,
        "a huge header": _png_of_size(60_000, 60_000),
        "too long a side": _encoded(long_side, ".png"),
        "one pixel": _encoded(blank[:1, :1], ".png"),
        "one row": _encoded(long_side[:, :MAX_IMAGE_SIDE], ".png"),
        "noise": _encoded(noise, ".png"),
    }
    image = {"name": "image", "datatype": "BYTES", "shape": [1], "data": ["x"]}
    params = {"name": "params", "datatype": "BYTES", "shape": [1]}
    bodies: dict[str, Any] = {
        "no inputs": {"inputs": []},
        "too few elements": {"inputs": [{**image, "shape": [2]}]},
        "another type": {"inputs": [{**image, "datatype": "FP32", "data": [1.0]}]},
        "two images": {"inputs": [{**image, "shape": [2], "data": ["x", "y"]}]},
        "an unknown input": {"inputs": [image, {**image, "name": "no_such_input"}]},
        "no JSON in params": {"inputs": [image, {**params, "data": ["{"]}]},
        "long params": {"inputs": [image, {**params, "data": ["x" * (MAX_PARAMS_BYTES + 1)]}]},
    }
    return [
        *(Request(name, pipeline, data) for name, data in files.items()),
        Request("an unknown parameter", pipeline, page, {"no_such_parameter": 1}),
        *(Request(name, pipeline, b"", body=json.dumps(body).encode()) for name, body in bodies.items()),
        Request("a caller that leaves", pipeline, page, leaves=True),
    ]


class Mixture:
    """Draws requests: pages, and so many hostile ones among them."""

    def __init__(self, pages: Mapping[str, Sequence[bytes]], hostile_share: float) -> None:
        """Take the pages of each pipeline, by PaddleX's name; the share is from 0 to 1."""
        self._pages = pages
        self._hostile = {name: hostile_requests(name, some[0]) for name, some in pages.items()}
        self._share = hostile_share

    def draw(self, dice: random.Random) -> Request:
        """Draw one."""
        pipeline = dice.choice(list(self._pages))
        if dice.random() < self._share:
            return dice.choice(self._hostile[pipeline])
        number = dice.randrange(len(self._pages[pipeline]))
        return Request("a page", pipeline, self._pages[pipeline][number], page=number)


def _encoded(image: np.ndarray, suffix: str) -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def _png_of_size(width: int, height: int) -> bytes:
    """Return a PNG of one pixel whose header says another size; its checksum is wrong too."""
    data = bytearray(_encoded(np.zeros((1, 1, 3), np.uint8), ".png"))
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return bytes(data)
