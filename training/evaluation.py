"""Scores the network's ONNX files on a set of pages, with the arithmetic that serves them. Needs no torch.

A set is a folder with `pages/` and `pages.json` (picture -> boxes: class, x1, y1, x2, y2; 0 image, 1 table, 2 seal).
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from paddlex_triton.ops.object_detection import resize_for_detector
from training.inputs import MEAN, STD
from training.metrics import BoxScores, score_boxes
from training.scenes import CLASS_NAMES, SEAL

_INPUTS, _OUTPUTS = ["image", "scale_factor"], ["boxes", "count"]
_FALSE_SEAL_SCORE = 0.5
_MEAN, _STD = np.array(MEAN, np.float32), np.array(STD, np.float32)


class Network:
    """A layout network's ONNX file, ready to run.

    Attributes:
        side: of its square input, pixels.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load a network.

        Args:
            path: an ONNX file, or a folder that holds `model.onnx`.
            threads: of one run.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it cannot be run, or is no layout network by its inputs and outputs.
        """
        file = path / "model.onnx" if path.is_dir() else path
        if not file.is_file():
            raise FileNotFoundError(f"there is no network {file}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own error classes are not public
            raise ValueError(f"{file} cannot be run: {error}") from error
        inputs, outputs = (
            sorted(tensor.name for tensor in tensors)
            for tensors in (self._session.get_inputs(), self._session.get_outputs())
        )
        if (inputs, outputs) != (_INPUTS, _OUTPUTS):
            raise ValueError(f"{file} makes {outputs} of {inputs}; {_OUTPUTS} of {_INPUTS} are expected")
        (image,) = (tensor for tensor in self._session.get_inputs() if tensor.name == "image")
        self.side = image.shape[-1]
        if not isinstance(self.side, int) or image.shape[-2] != self.side:
            raise ValueError(f"{file} takes pictures of {image.shape[-2:]} pixels; a square of known size is expected")

    def rows(self, page: np.ndarray, *, bgr: bool = False) -> np.ndarray:
        """Return rows of a page: float32 [M, 6], class, score, x1, y1, x2, y2 in page pixels.

        Args:
            page: uint8 [H, W, 3] BGR.
            bgr: feed it so; layout networks are served RGB.
        """
        resized = resize_for_detector(page, (self.side, self.side))
        image = normalize(resized.image if bgr else resized.image[..., ::-1])
        rows, _ = self._session.run(_OUTPUTS, {"image": image, "scale_factor": resized.scale_factor[None]})
        return np.asarray(rows)


def normalize(image: np.ndarray) -> np.ndarray:
    """Normalise uint8 [H, W, 3] to the network's input, float32 [1, 3, H, W], by ImageNet's constants as given."""
    scaled = (image.astype(np.float32) / np.float32(255) - _MEAN) / _STD
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def read_set(folder: Path, limit: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Yield a set's pages, uint8 [H, W, 3] BGR, and their boxes, float64 [B, 5]: class, x1, y1, x2, y2.

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
    """Count boxes found at an intersection over union of 0.5, and seals seen where there are none.

    Args:
        network: to score.
        pages: as `read_set` gives them.
        pages_without_seals: uint8 [H, W, 3] BGR each.
        bgr: see `Network.rows`.
    """
    rows = [network.rows(page, bgr=bgr) for page, _ in pages]
    classes = {
        name: score_boxes(
            [found[found[:, 0] == index, 1:] for found in rows],
            [boxes[boxes[:, 0] == index, 1:] for _, boxes in pages],
        )
        for index, name in enumerate(CLASS_NAMES)
    }
    if not pages_without_seals:
        return PageScores(classes)
    false_seals = sum(count_seals(network.rows(page, bgr=bgr)) for page in pages_without_seals)
    return PageScores(classes, false_seals, len(pages_without_seals))


def time_pages(networks: Mapping[str, Network], pages: Sequence[np.ndarray], rounds: int) -> dict[str, float]:
    """Return each network's median time for a page, milliseconds, resizing it included; they take turns at every page.

    Args:
        networks: by name.
        pages: uint8 [H, W, 3] BGR.
        rounds: how often each page is given.
    """
    times: dict[str, list[float]] = {name: [] for name in networks}
    for page in [*pages[:1], *(page for _ in range(rounds) for page in pages)]:
        for name, network in networks.items():
            start = time.perf_counter()
            network.rows(page)
            times[name].append(1000 * (time.perf_counter() - start))
    # The first one sets up what the others find.
    return {name: statistics.median(each[1:]) for name, each in times.items()}


def count_seals(rows: np.ndarray) -> int:
    """Return the seal boxes among a page's rows whose score is 0.5 or more."""
    return int(np.sum((rows[:, 0] == SEAL) & (rows[:, 1] >= _FALSE_SEAL_SCORE)))
