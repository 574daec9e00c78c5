"""A page as it is photographed: lying askew on a desk."""

from __future__ import annotations

import cv2
import numpy as np

from training.scenes.textures import chance, colour_noise, grain


def photograph(
    rng: np.random.Generator, page: np.ndarray, outlines: list[np.ndarray], side: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Lay a page on a desk and squeeze the picture into a square.

    Args:
        rng: everything is drawn from it.
        page: uint8 [H, W, 3], BGR.
        outlines: float32 [n, 2] each, pixels of the page.
        side: of the picture, pixels.

    Returns:
        uint8 [side, side, 3] and the outlines on it.
    """
    height, width = page.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inset, tilt = rng.uniform(0.0, 0.14, 2), rng.normal(0, 0.03)
    goal = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (1 - 2 * inset) + inset + rng.normal(0, 0.012, (4, 2))
    goal = (goal - 0.5) @ np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]]) + 0.5
    goal += rng.normal(0, 0.02, 2)
    matrix = np.asarray(cv2.getPerspectiveTransform(corners, (goal * side).astype(np.float32)))
    picture = _desk(rng, side)
    shade = np.zeros((side, side), np.uint8)
    cv2.fillPoly(shade, [(goal * side + rng.uniform(-6, 8, 2)).astype(np.int32)], (255,))
    shadow = cv2.blur(shade, (13, 13)).astype(np.float32)[..., None] * (rng.uniform(0, 0.6) / 255)
    picture = (picture * (1 - shadow)).astype(np.uint8)
    half = np.asarray(cv2.resize(page, (side, side), interpolation=cv2.INTER_AREA))
    scaled = np.asarray(matrix @ np.diag([width / side, height / side, 1.0]), np.float64)
    laid = cv2.warpPerspective(half, scaled, (side, side), flags=cv2.INTER_LINEAR)
    inside = cv2.warpPerspective(np.full((side, side), 255, np.uint8), scaled, (side, side), flags=cv2.INTER_LINEAR)
    alpha = inside[..., None].astype(np.float32) / 255
    picture = (picture + (laid.astype(np.float32) - picture) * alpha).astype(np.uint8)
    return picture, [cv2.perspectiveTransform(outline[None].astype(np.float32), matrix)[0] for outline in outlines]


def _desk(rng: np.random.Generator, side: int) -> np.ndarray:
    plain = np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), (side, side, 3)).copy()
    if chance(rng, 0.35):
        return plain
    if chance(rng, 0.3):
        return colour_noise(rng, side, side, int(rng.integers(2, 30)))
    texture = grain(rng, side, side, int(rng.integers(1, 4))) * rng.uniform(3, 22)
    if chance(rng, 0.4):
        waves = np.sin(np.arange(side) / rng.uniform(2, 9) + 4 * np.sin(np.arange(side)[:, None] / rng.uniform(30, 90)))
        texture = texture + waves.astype(np.float32) * rng.uniform(4, 20)
    return np.clip(plain + texture[..., None], 0, 255).astype(np.uint8)
