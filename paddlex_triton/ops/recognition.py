"""Batches of a text recogniser.

PaddleX sorts the crops of a page by shape, takes them in chunks, and pads each chunk to its widest crop. The padding
reaches the answer, so the chunks' widths are reproduced here; which crops then travel in one call is free.

Tight batches are not PaddleX's: a crop's input is hardly wider than the crop. They cost less, and read some lines
otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from paddlex_triton.limits import MAX_RECOGNITION_WIDTH, MIN_RECOGNITION_WIDTH, RECOGNITION_WIDTH_STEP

ImageShape = tuple[int, int, int]


@dataclass(frozen=True)
class LineBatch:
    """Crops that share a padded width.

    Attributes:
        indices: of the crops, in the order of the caller's list of crops.
        width: of the network's input, pixels.
        filled: for each crop the part of the width that it is taken to fill when words are looked for. For PaddleX
            that is its aspect over the greatest of its chunk, or over that of the network's least input; neither
            rounding nor the greatest width enter into it. In a tight batch it is the crop's own width over the input's.
    """

    indices: tuple[int, ...]
    width: int
    filled: tuple[float, ...]


def line_widths(h: int, w: int, image_shape: ImageShape, max_width: int = MAX_RECOGNITION_WIDTH) -> tuple[int, int]:
    """Compute how wide a crop becomes.

    Args:
        h: height of the crop, pixels.
        w: width of the crop, pixels.
        image_shape: channels, height and least width of the network's input.
        max_width: greatest width of the network's input, pixels; longer lines are squeezed.

    Returns:
        Width of the resized crop, and width PaddleX pads it to when it is alone.
    """
    _, net_h, net_w = image_shape
    ratio = w / h
    padded = int(net_h * max(net_w / net_h, ratio))
    if padded > max_width:
        return max_width, max_width
    return min(padded, math.ceil(net_h * ratio)), padded


def plan_batches(
    sizes: Sequence[tuple[int, int]],
    *,
    image_shape: ImageShape = (3, 48, 320),
    batch_size: int,
    max_width: int = MAX_RECOGNITION_WIDTH,
) -> list[LineBatch]:
    """Group the crops of one page as PaddleX does.

    Args:
        sizes: height and width of every crop, pixels.
        image_shape: channels, height and least width of the network's input.
        batch_size: PaddleX's batch size (6 in the OCR pipeline): the size of a chunk.
        max_width: greatest width of the network's input, pixels.

    Returns:
        The chunks from the narrowest crops to the widest; every index occurs once.

    Raises:
        ValueError: a crop without pixels, or a batch size below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
    _check_pixels(sizes)
    aspects = [w / h for h, w in sizes]
    least_aspect = image_shape[2] / image_shape[1]
    order = sorted(range(len(sizes)), key=aspects.__getitem__)
    batches = []
    for start in range(0, len(order), batch_size):
        chunk = tuple(order[start : start + batch_size])
        widest = max(line_widths(*sizes[index], image_shape, max_width)[1] for index in chunk)
        # The last crop of a chunk has its greatest aspect.
        greatest_aspect = max(least_aspect, aspects[chunk[-1]])
        batches.append(LineBatch(chunk, widest, tuple(aspects[index] / greatest_aspect for index in chunk)))
    return batches


def plan_regions(
    members: Iterable[Sequence[int]],
    sizes: Sequence[tuple[int, int]],
    *,
    image_shape: ImageShape = (3, 48, 320),
    batch_size: int,
) -> list[LineBatch]:
    """Do `plan_batches` for every region of a page by itself, as PaddleX does.

    Args:
        members: for each region the indices of its crops.
        sizes: height and width of every crop of the page, pixels.
        image_shape: see `plan_batches`.
        batch_size: see `plan_batches`.
    """
    return [
        replace(batch, indices=tuple(crops[index] for index in batch.indices))
        for crops in members
        for batch in plan_batches([sizes[crop] for crop in crops], image_shape=image_shape, batch_size=batch_size)
    ]


def plan_tight(
    sizes: Sequence[tuple[int, int]],
    *,
    image_shape: ImageShape = (3, 48, 320),
    max_width: int = MAX_RECOGNITION_WIDTH,
    step: int = RECOGNITION_WIDTH_STEP,
    least: int = MIN_RECOGNITION_WIDTH,
    blank: int = 0,
) -> list[LineBatch]:
    """Give every crop an input as wide as itself, up to the next multiple of a step, whatever its page holds besides.

    Args:
        sizes: height and width of every crop, pixels; of all regions together.
        image_shape: channels, height and least width of the network's input; the last has no meaning here.
        max_width: greatest width of the network's input, pixels.
        step: pixels.
        least: least width of the network's input, pixels.
        blank: least number of blank columns at a crop's right, pixels; less where the greatest width leaves less.

    Returns:
        One batch for each width, from the narrowest to the widest; every index occurs once.

    Raises:
        ValueError: a crop without pixels, or a step below 1.
    """
    if step < 1:
        raise ValueError(f"step is {step}; it must be at least 1")
    _check_pixels(sizes)
    classes: dict[int, list[tuple[int, float]]] = {}
    for index, size in enumerate(sizes):
        own = line_widths(*size, image_shape, max_width)[0]
        width = min(math.ceil(max(own + blank, least) / step) * step, max_width)
        classes.setdefault(width, []).append((index, own / width))
    batches = []
    for width in sorted(classes):
        indices, filled = zip(*classes[width], strict=True)
        batches.append(LineBatch(indices, width, filled))
    return batches


def merge_batches(batches: Iterable[LineBatch], max_rows: int, max_columns: int | None = None) -> list[LineBatch]:
    """Let chunks of equal width share a call, and split those that are too large for one.

    A row's answer depends on its width only, so none changes.

    Args:
        batches: what `plan_batches`, `plan_regions` or `plan_tight` gave.
        max_rows: most crops of one call.
        max_columns: most columns of one call, pixels, its rows together; a single crop may have more. None for any.

    Returns:
        Batches in the order in which their widths first occur.

    Raises:
        ValueError: `max_rows` is below 1.
    """
    if max_rows < 1:
        raise ValueError(f"max_rows is {max_rows}; it must be at least 1")
    rows: dict[int, list[tuple[int, float]]] = {}
    for batch in batches:
        rows.setdefault(batch.width, []).extend(zip(batch.indices, batch.filled, strict=True))
    merged = []
    for width, crops in rows.items():
        most = max_rows if max_columns is None else max(1, min(max_rows, max_columns // width))
        for start in range(0, len(crops), most):
            indices, filled = zip(*crops[start : start + most], strict=True)
            merged.append(LineBatch(indices, width, filled))
    return merged


def build_batch(
    crops: Sequence[np.ndarray],
    batch: LineBatch,
    image_shape: ImageShape = (3, 48, 320),
    max_width: int = MAX_RECOGNITION_WIDTH,
) -> tuple[np.ndarray, np.ndarray]:
    """Resize a batch's crops into the network's input.

    Args:
        crops: all crops of the page, uint8 [h, w, 3] BGR each.
        batch: which of them, and the input's width.
        image_shape: channels, height and least width of the network's input.
        max_width: greatest width of the network's input, pixels.

    Returns:
        x uint8 [n, image height, batch.width, 3], crops at the left and zeros at their right; and widths int32
        [n, 1], the crops' own. The network blanks the columns from there on.

    Raises:
        ValueError: an image shape of other than 3 channels, or a crop wider than the batch.
    """
    channels, net_h, _ = image_shape
    if channels != 3:
        raise ValueError(f"image_shape has {channels} channels; crops have 3")
    x = np.zeros((len(batch.indices), net_h, batch.width, 3), np.uint8)
    widths = np.empty((len(batch.indices), 1), np.int32)
    for row, index in enumerate(batch.indices):
        crop = crops[index]
        width, _ = line_widths(crop.shape[0], crop.shape[1], image_shape, max_width)
        if width > batch.width:
            raise ValueError(f"crop {index} needs {width} columns; the batch has {batch.width}")
        # Written in place: a row's columns are contiguous enough for OpenCV.
        cv2.resize(crop, (width, net_h), dst=x[row, :, :width])
        widths[row] = width
    return x, widths


def _check_pixels(sizes: Sequence[tuple[int, int]]) -> None:
    for index, (h, w) in enumerate(sizes):
        if h < 1 or w < 1:
            raise ValueError(f"crop {index} has no pixels: it is {w}x{h} (width x height)")
