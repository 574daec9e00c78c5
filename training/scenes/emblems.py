"""Ornaments in the middle of seals, which also serve as logos on pages: nothing of them is text."""

from __future__ import annotations

import cv2
import numpy as np

from training.scenes.textures import chance

_SHIFT = 4


def fill(ink: np.ndarray, contours: list[np.ndarray], pose: np.ndarray) -> None:
    """Fill contours given in a seal's units; where two overlap there is a hole.

    Args:
        ink: uint8 [H, W], changed in place.
        contours: float64 [n, 2] each.
        pose: float64 [2, 3], from the seal's units to pixels.
    """
    placed = [np.round((contour @ pose[:, :2].T + pose[:, 2]) * (1 << _SHIFT)).astype(np.int32) for contour in contours]
    cv2.fillPoly(ink, placed, (255,), cv2.LINE_AA, _SHIFT)


def stroke(ink: np.ndarray, points: np.ndarray, pose: np.ndarray, thickness: float, closed: bool = False) -> None:
    """Draw a line along points in a seal's units, its thickness in pixels."""
    placed = np.round((points @ pose[:, :2].T + pose[:, 2]) * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(ink, [placed], closed, (255,), max(1, round(thickness)), cv2.LINE_AA, _SHIFT)


def ellipse(radii: tuple[float, float], points: int = 180) -> np.ndarray:
    """Return the contour of an ellipse around the origin, float64 [points, 2]."""
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack([radii[0] * np.sin(turn), -radii[1] * np.cos(turn)], axis=1)


def ring(ink: np.ndarray, radii: tuple[float, float], thickness: float, pose: np.ndarray) -> None:
    """Draw an elliptic ring; the radii are those of its outer edge, all lengths in the seal's units."""
    inner = (radii[0] - thickness, radii[1] - thickness)
    fill(ink, [ellipse(radii), ellipse(inner)], pose)


def star(radius: float, points: int = 5, depth: float = 0.382) -> np.ndarray:
    """Return the contour of a star standing on two points, float64 [2 points, 2]."""
    turn = np.arange(2 * points) * np.pi / points
    reach = np.where(np.arange(2 * points) % 2 == 0, radius, radius * depth)
    return np.stack([reach * np.sin(turn), -reach * np.cos(turn)], axis=1)


def draw_ornament(
    rng: np.random.Generator, ink: np.ndarray, centre: tuple[float, float], radius: float, pose: np.ndarray
) -> None:
    """Draw a star, crossed tools, a logo or a mesh around a point, all in the seal's units."""
    local = pose.copy()
    local[:, 2] += pose[:, :2] @ np.asarray(centre)
    pixels = radius * float(np.sqrt(abs(np.linalg.det(pose[:, :2]))))
    kind = rng.random()
    if kind < 0.6:
        _star(rng, ink, radius, local, pixels)
    elif kind < 0.78:
        _tools(rng, ink, radius, local, pixels)
    elif kind < 0.9:
        draw_logo(rng, ink, radius, local, pixels)
    else:
        _mesh(rng, ink, radius, local, pixels)


def _star(rng: np.random.Generator, ink: np.ndarray, radius: float, pose: np.ndarray, pixels: float) -> None:
    contours = [star(radius)]
    if chance(rng, 0.1):
        stroke(ink, contours[0], pose, max(1.0, pixels * 0.06), closed=True)
        return
    fill(ink, contours, pose)


def _tools(rng: np.random.Generator, ink: np.ndarray, radius: float, pose: np.ndarray, pixels: float) -> None:
    """Draw strokes like a hammer and a sickle."""
    thick = pixels * rng.uniform(0.12, 0.24)
    start, sweep = rng.uniform(-0.6, 0.4), rng.uniform(3.4, 4.6)
    turn = np.linspace(start, start + sweep, 24)
    stroke(ink, np.stack([np.sin(turn), -np.cos(turn)], 1) * radius * 0.8, pose, thick)
    for _ in range(int(rng.integers(2, 4))):
        stroke(ink, rng.uniform(-0.75, 0.75, (2, 2)) * radius, pose, thick)
    handle = np.array([[0.55, 0.6], [-0.5, -0.45]]) * radius
    stroke(ink, handle, pose, thick)
    stroke(ink, np.array([[-0.8, -0.2], [-0.2, -0.75]]) * radius, pose, thick * 1.2)


def draw_logo(rng: np.random.Generator, ink: np.ndarray, radius: float, pose: np.ndarray, pixels: float) -> None:
    """Draw a made-up mark of a firm: blots, loops, stripes, wedges or rays."""
    kind = int(rng.integers(5))
    if kind == 0:
        lobes, phase = int(rng.integers(3, 9)), rng.uniform(0, 6.3)
        turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
        reach = radius * (0.72 + rng.uniform(0.08, 0.28) * np.sin(lobes * turn + phase))
        shape = np.stack([reach * np.sin(turn), -reach * np.cos(turn)], 1)
        fill(ink, [shape, shape * rng.uniform(0.2, 0.7)] if chance(rng, 0.5) else [shape], pose)
    elif kind == 1:
        for _ in range(int(rng.integers(2, 5))):
            radii = (radius * rng.uniform(0.3, 1.0), radius * rng.uniform(0.3, 1.0))
            turned = pose.copy()
            turned[:, :2] = pose[:, :2] @ _turn(rng.uniform(0, 3.2))
            stroke(ink, ellipse(radii, 60), turned, pixels * rng.uniform(0.06, 0.16), closed=True)
    elif kind == 2:
        fill(ink, [ellipse((radius, radius)), rng.uniform(-0.9, 0.9, (int(rng.integers(3, 6)), 2)) * radius], pose)
    elif kind == 3:
        for angle in np.linspace(0, 2 * np.pi, int(rng.integers(5, 13)), endpoint=False):
            wedge = np.array([[0.0, -0.25], [0.14, -1.0], [-0.14, -1.0]]) @ _turn(angle).T
            fill(ink, [wedge * radius], pose)
    else:
        fill(
            ink,
            [rng.uniform(-1, 1, (int(rng.integers(3, 7)), 2)) * radius for _ in range(int(rng.integers(1, 4)))],
            pose,
        )


def _mesh(rng: np.random.Generator, ink: np.ndarray, radius: float, pose: np.ndarray, pixels: float) -> None:
    """Draw circles, crosshairs and a net of thin lines."""
    thin = max(1.0, pixels * rng.uniform(0.02, 0.05))
    for share in np.linspace(0.3, 1.0, int(rng.integers(2, 5))):
        stroke(ink, ellipse((radius * share, radius * share), 60), pose, thin, closed=True)
    for angle in np.linspace(0, np.pi, int(rng.integers(2, 7)), endpoint=False):
        along = np.array([np.cos(angle), np.sin(angle)]) * radius
        stroke(ink, np.stack([-along, along]), pose, thin)


def _turn(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
