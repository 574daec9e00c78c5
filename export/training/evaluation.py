"""Scores the seal networks' ONNX files on frozen sets, with the arithmetic that serves them. Needs no torch.

A set is a folder with `seals/` and `seals.json` (picture -> outlines of its text lines, x, y pixels), and `pages/` and
`pages.json` (picture -> boxes: class, x1, y1, x2, y2; 0 image, 1 table, 2 seal).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import onnxruntime

from paddlex_triton.export.training.bands import glyph_height
from paddlex_triton.export.training.metrics import BoxScores, MatchCounts, match_polygons, score_boxes
from paddlex_triton.ops.db import db_postprocess
from paddlex_triton.ops.object_detection import resize_for_detector
from paddlex_triton.ops.text_detection import resize_for_detection

Kind = Literal["seal_det", "seal_layout"]
Progress = Callable[[str], None]

CLASSES = ("image", "table", "seal")
SEAL = CLASSES.index("seal")
REDUCED_SIDE = 240
LAYOUT_SIZE = (640, 640)
# Lines whose glyphs are lower than this, in pixels of the scene as it is stored, count neither way.
MIN_GLYPH_HEIGHT = 8.0
_FALSE_SEAL_SCORE = 0.5
_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
_STD = np.array((0.229, 0.224, 0.225), np.float32)


@dataclass(frozen=True)
class Postprocessing:
    """How polygons are taken from a probability map; PaddleX's values for seals.

    Attributes:
        side: least length of the network's input's shorter side, pixels.
        thresh: a pixel above this is text.
        box_thresh: a polygon whose mean probability is below this is dropped.
        unclip_ratio: how far polygons are grown.
    """

    side: int = 736
    thresh: float = 0.2
    box_thresh: float = 0.6
    unclip_ratio: float = 0.5


class Network:
    """An ONNX file, and what it is by its inputs."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load a network.

        Args:
            path: an ONNX file, or a folder that holds `model.onnx`.
            threads: of one run.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is neither a seal text detector nor a layout detector by its inputs.
        """
        self.path = path / "model.onnx" if path.is_dir() else path
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no network {self.path}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        inputs = sorted(tensor.name for tensor in self._session.get_inputs())
        kinds: dict[tuple[str, ...], Kind] = {("x",): "seal_det", ("image", "scale_factor"): "seal_layout"}
        if tuple(inputs) not in kinds:
            raise ValueError(f"{self.path} takes {inputs}; `x`, or `image` and `scale_factor`, are expected")
        self.kind: Kind = kinds[tuple(inputs)]
        self.name = path.name if path.is_dir() else f"{path.parent.name}/{path.name}"

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Probability map, float32 [H, W], of uint8 [H, W, 3] BGR, H and W multiples of 32."""
        (prob,) = self._session.run(["prob"], {"x": normalize(image)})
        return np.asarray(prob)[0, 0]

    def rows(self, page: np.ndarray, *, bgr: bool = False) -> np.ndarray:
        """Rows of a page: float32 [M, 6], class, score, x1, y1, x2, y2 in page pixels.

        Args:
            page: uint8 [H, W, 3] BGR.
            bgr: feed it so; layout detectors are served RGB.
        """
        resized = resize_for_detector(page, LAYOUT_SIZE)
        image = normalize(resized.image if bgr else resized.image[..., ::-1])
        feeds = {"image": image, "scale_factor": resized.scale_factor[None]}
        rows, _ = self._session.run(["boxes", "count"], feeds)
        return np.asarray(rows)


def normalize(image: np.ndarray) -> np.ndarray:
    """What the networks take: float32 [1, 3, H, W] of uint8 [H, W, 3], ImageNet's constants in the order given."""
    scaled = (image.astype(np.float32) / np.float32(255) - _MEAN) / _STD
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def find_polygons(prob: np.ndarray, size: tuple[int, int], how: Postprocessing) -> list[np.ndarray]:
    """Polygons, int64 [n, 2] in pixels of a picture of this height and width, from its probability map."""
    polygons, _ = db_postprocess(
        prob,
        src_h=size[0],
        src_w=size[1],
        thresh=how.thresh,
        box_thresh=how.box_thresh,
        unclip_ratio=how.unclip_ratio,
        box_type="poly",
    )
    return polygons


def detect_polygons(network: Network, image: np.ndarray, how: Postprocessing) -> list[np.ndarray]:
    """Text lines of a picture, uint8 [H, W, 3] BGR: int64 [n, 2] each, x, y pixels."""
    resized = resize_for_detection(image, limit_side_len=how.side, limit_type="min", max_side_limit=4000)
    return find_polygons(network.probabilities(resized.image), (resized.src_h, resized.src_w), how)


@dataclass(frozen=True)
class SealPicture:
    """A scene to be scored: uint8 [H, W, 3] BGR, its outlines (float [n, 2] each), and which of them are ignored."""

    image: np.ndarray
    polygons: list[np.ndarray]
    ignored: list[bool]


def read_seal_set(folder: Path, limit: int | None = None) -> list[SealPicture]:
    """The set's scenes.

    Raises:
        FileNotFoundError, ValueError: the set is not there, or one of its pictures cannot be read.
    """
    named = json.loads((folder / "seals.json").read_text())
    pictures = []
    for name in sorted(named)[:limit]:
        polygons = [np.array(polygon, np.float64) for polygon in named[name]]
        ignored = [glyph_height(polygon) < MIN_GLYPH_HEIGHT for polygon in polygons]
        pictures.append(SealPicture(_read(folder / "seals" / name), polygons, ignored))
    return pictures


def read_page_set(folder: Path, limit: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """The set's pages, uint8 [H, W, 3] BGR, and their boxes, float64 [B, 5]: class, x1, y1, x2, y2.

    Raises:
        FileNotFoundError, ValueError: the set is not there, or one of its pictures cannot be read.
    """
    named = json.loads((folder / "pages.json").read_text())
    return [
        (_read(folder / "pages" / name), np.array(named[name], np.float64).reshape(-1, 5))
        for name in sorted(named)[:limit]
    ]


def _read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{path} is not a picture that can be read")
    return np.asarray(image)


def reduce_scene(scene: SealPicture, side: int = REDUCED_SIDE) -> SealPicture:
    """A scene whose shorter side is reduced to `side` pixels by area averaging; what is ignored stays as it was."""
    h, w = scene.image.shape[:2]
    scale = side / min(h, w)
    new_h, new_w = round(h * scale), round(w * scale)
    factors = np.array((new_w / w, new_h / h))
    image = cv2.resize(scene.image, (new_w, new_h), interpolation=cv2.INTER_AREA)
    return SealPicture(image, [polygon * factors for polygon in scene.polygons], scene.ignored)


def score_seals(network: Network, scenes: Iterable[SealPicture], how: Postprocessing) -> MatchCounts:
    """Polygons found at an intersection over union of 0.5, over all scenes."""
    total = MatchCounts()
    for scene in scenes:
        total += match_polygons(detect_polygons(network, scene.image, how), scene.polygons, scene.ignored)
    return total


@dataclass(frozen=True)
class PageScores:
    """Scores on pages, by class, and the seal boxes on pages that have none (None where there were no such pages)."""

    classes: dict[str, BoxScores]
    false_seals: int | None = None
    pages_without_seals: int = 0


def score_pages(
    network: Network,
    pages: Sequence[tuple[np.ndarray, np.ndarray]],
    pages_without_seals: Sequence[np.ndarray] = (),
    *,
    bgr: bool = False,
) -> PageScores:
    """Boxes found at an intersection over union of 0.5, and seals seen where there are none.

    Args:
        network: a layout detector.
        pages: as `read_page_set` gives them.
        pages_without_seals: uint8 [H, W, 3] BGR each.
        bgr: see `Network.rows`.
    """
    rows = [network.rows(page, bgr=bgr) for page, _ in pages]
    classes = {
        name: score_boxes(
            [found[found[:, 0] == index, 1:] for found in rows],
            [boxes[boxes[:, 0] == index, 1:] for _, boxes in pages],
        )
        for index, name in enumerate(CLASSES)
    }
    if not pages_without_seals:
        return PageScores(classes)
    false_seals = sum(count_seals(network.rows(page, bgr=bgr)) for page in pages_without_seals)
    return PageScores(classes, false_seals, len(pages_without_seals))


def count_seals(rows: np.ndarray) -> int:
    """Seal boxes among a page's rows whose score is 0.5 or more."""
    return int(np.sum((rows[:, 0] == SEAL) & (rows[:, 1] >= _FALSE_SEAL_SCORE)))
