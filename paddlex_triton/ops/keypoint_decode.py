"""Keypoints out of heatmaps: DARK's decoding, and the way back to the page.

DARK: Zhang et al., Distribution-Aware Coordinate Representation for Human Pose Estimation (CVPR 2020). A joint lies at
the maximum of its heatmap, moved by one Newton step on the logarithm of the smoothed map. All arithmetic is float32,
step by step in PaddleX's order.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from paddlex_triton.ops.keypoint_crop import points_to_page

# Side of the smoothing kernel, and how far from the maximum the derivatives look.
_KERNEL = 3
_REACH = 2
# Smoothed values are raised to this ahead of the logarithm.
_LEAST_VALUE = np.float32(1e-10)


@dataclass(frozen=True)
class Keypoints:
    """Joints of people.

    Attributes:
        keypoints: float32 [N, J, 3], x, y in page pixels (perhaps outside the page), score.
        scores: float32 [N], the mean of each person's J scores.
    """

    keypoints: np.ndarray
    scores: np.ndarray


def keypoints_on_page(heatmaps: np.ndarray, frames: np.ndarray) -> Keypoints:
    """Decode the heatmaps of people and take their joints to the page.

    Args:
        heatmaps: float32 [N, J, h, w].
        frames: float32 [N, 3, 2] as `keypoint_crop.frames_of_boxes` gives them.

    Raises:
        ValueError, RuntimeError: as for `decode_heatmaps`, or there are not N frames.
    """
    if len(frames) != len(heatmaps):
        raise ValueError(
            f"there are {len(heatmaps)} people's heatmaps and {len(frames)} frames; a frame each is expected"
        )
    points, scores = decode_heatmaps(heatmaps)
    points = points_to_page(points, frames, (heatmaps.shape[2], heatmaps.shape[3]))
    return Keypoints(np.concatenate((points, scores[..., None]), axis=2), scores.mean(axis=1))


def decode_heatmaps(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find each joint in its heatmap.

    A joint whose map is nowhere above zero lies at 0, 0. Of equal maxima the first counts, row by row. One in the two
    outermost rows or columns stays at the whole pixel. So does one whose Newton step is not finite, where PaddleX
    fails or answers NaN.

    Args:
        heatmaps: float32 [N, J, h, w].

    Returns:
        float32 [N, J, 2], x, y in heatmap pixels; float32 [N, J] scores, the maxima.

    Raises:
        ValueError: another shape or dtype than said above, or maps without pixels.
        RuntimeError: a maximum is not finite: the network is at fault.
    """
    _check(heatmaps)
    people, joints, height, width = heatmaps.shape
    flat = heatmaps.reshape(people, joints, height * width)
    best = flat.argmax(axis=2)
    scores = np.take_along_axis(flat, best[..., None], axis=2)[..., 0]
    if not np.isfinite(scores).all():
        raise RuntimeError("the keypoint network gave heatmaps that are not finite")
    best[scores <= 0] = 0
    y, x = np.divmod(best, width)
    refined = (x >= _REACH) & (x < width - _REACH) & (y >= _REACH) & (y < height - _REACH)
    points = np.stack((x, y), axis=-1).astype(np.float32)
    if refined.any():
        points[refined] += _newton_steps(_log_patches(heatmaps, scores, x, y, refined))
    return points, scores


def _check(heatmaps: np.ndarray) -> None:
    if heatmaps.ndim != 4 or heatmaps.dtype != np.float32 or 0 in heatmaps.shape[1:]:
        raise ValueError(
            f"heatmaps is {heatmaps.dtype} {list(heatmaps.shape)}; "
            "float32 [N, J, h, w] with joints and pixels is expected"
        )


def _log_patches(
    heatmaps: np.ndarray, scores: np.ndarray, x: np.ndarray, y: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Logarithms of the smoothed maps around their maxima, float32 [K, 5, 5], for the K joints that are wanted.

    Maps are smoothed with zeros around them and scaled so that their maxima stay what they were. The maps of a person
    are smoothed in one go: they lie below each other in one array of float64, rows of zeros in between.
    """
    _, joints, height, width = heatmaps.shape
    around = np.arange(-_REACH, _REACH + 1)
    stack = np.zeros((1 + joints * (height + 1), width + 2))
    smooth = np.empty_like(stack)
    inside, smooth_inside = (_maps_in(array, height) for array in (stack, smooth))
    patches, factors = [], []
    for maps, tops, row, column, chosen in zip(heatmaps, scores, y, x, wanted, strict=True):
        inside[:] = maps
        cv2.GaussianBlur(stack, (_KERNEL, _KERNEL), 0, dst=smooth)
        blurred = smooth_inside.astype(np.float32)
        (indices,) = chosen.nonzero()
        rows = row[indices, None, None] + around[:, None]
        columns = column[indices, None, None] + around
        patches.append(blurred[indices[:, None, None], rows, columns])
        with np.errstate(divide="ignore", over="ignore"):
            factors.append(tops[indices] / blurred.max(axis=(1, 2))[indices])
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = np.concatenate(patches) * np.concatenate(factors)[:, None, None]
    return np.log(np.maximum(scaled, _LEAST_VALUE))


def _maps_in(stack: np.ndarray, height: int) -> np.ndarray:
    """Return a view of the maps [J, h, w] in an array that has them below each other, a line of zeros around each."""
    return stack[1:].reshape(-1, height + 1, stack.shape[1])[:, :height, 1:-1]


def _newton_steps(patches: np.ndarray) -> np.ndarray:
    """From the middles of patches (float32 [K, 5, 5]) to the maxima of their quadratics: float32 [K, 2], x, y.

    Zero where there is no such step: the determinant is zero, or something is not finite.
    """
    half, quarter, two = (np.float32(value) for value in (0.5, 0.25, 2))
    p = patches.transpose(1, 2, 0)
    with np.errstate(all="ignore"):
        dx = half * (p[2, 3] - p[2, 1])
        dy = half * (p[3, 2] - p[1, 2])
        dxx = quarter * (p[2, 4] - two * p[2, 2] + p[2, 0])
        dxy = quarter * (p[3, 3] - p[1, 3] - p[3, 1] + p[1, 1])
        dyy = quarter * (p[4, 2] - two * p[2, 2] + p[0, 2])
        determinants = dxx * dyy - dxy * dxy
    steps = np.zeros((len(patches), 2), np.float32)
    (usable,) = (np.isfinite(determinants) & (determinants != 0)).nonzero()
    # In float64: no matrix is singular there whose determinant is not zero in float32. Written out, since NumPy's
    # inverse calls BLAS, whose threads may wait long for those of a network that ran just before.
    dx, dy, dxx, dxy, dyy = (value[usable].astype(np.float64) for value in (dx, dy, dxx, dxy, dyy))
    with np.errstate(all="ignore"):
        determinants = dxx * dyy - dxy * dxy
        found = np.stack((dxy * dy - dyy * dx, dxy * dx - dxx * dy), axis=-1) / determinants[:, None]
        found = found.astype(np.float32)
    found[~np.isfinite(found).all(axis=1)] = 0
    steps[usable] = found
    return steps
