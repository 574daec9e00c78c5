"""Random polygons like those of curved text lines, and unlike them: for measurements and for tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Size = tuple[int, int]


def random_arc(rng: np.random.Generator, length: float = 700, height: float = 60) -> np.ndarray:
    """Draw the outline of a line of text on the upper half of a round seal, as a detector gives it.

    Args:
        rng: source of everything that is not given.
        length: about that of the arc's chord, pixels.
        height: about that of the text, pixels.

    Returns:
        int64 [n, 2] x, y in pixels, clockwise on screen, n from 24 to 78, near the origin, never negative.
    """
    half_angle = rng.uniform(0.6, 1.4)
    radius = length * rng.uniform(0.97, 1.03) / 2 / np.sin(half_angle)
    points = _band(_circle(np.linspace(-half_angle, half_angle, rng.integers(12, 40)), radius), height)
    points = _turned(points + rng.uniform(-1.5, 1.5, points.shape), rng.uniform(-0.15, 0.15))
    return np.rint(points - points.min(axis=0) + rng.uniform(5, 60, 2)).astype(np.int64)


def random_polygons(rng: np.random.Generator, count: int, page_size: Size) -> list[np.ndarray]:
    """Draw polygons of every kind in turn: arcs, rings, waves, ellipses, stars, quads, thin, tiny and degenerate ones.

    Args:
        rng: source of randomness.
        count: number of polygons.
        page_size: height and width of the page that they are on, pixels.

    Returns:
        int64 [n, 2] each, n >= 1, x from 0 to the width and y from 0 to the height, both included.
    """
    height, width = page_size
    polygons = []
    for index in range(count):
        points = _KINDS[index % len(_KINDS)](rng)
        if rng.random() < 0.3:
            points = np.rint(points * rng.choice([0.1, 0.25, 0.5]))
        points = points - points.min(axis=0)
        # Some lie on the page's edge, some beyond it before they are clipped.
        room = np.array((width, height)) - points.max(axis=0)
        offset = rng.uniform(-0.1, 1.1, 2) * room if rng.random() < 0.2 else rng.random(2) * np.maximum(room, 0)
        polygons.append(np.clip(np.rint(points + offset), 0, (width, height)).astype(np.int64))
    return polygons


def _arc(rng: np.random.Generator) -> np.ndarray:
    angles = np.linspace(0, rng.uniform(0.3, 6.2), rng.integers(3, 50)) + rng.uniform(0, 6.3)
    radius = rng.uniform(5, 400)
    return _band(_circle(angles, radius), radius * rng.uniform(0.05, 0.9)) + _noise(rng)


def _ring(rng: np.random.Generator) -> np.ndarray:
    """Closed all round but for a gap of a pixel or so."""
    radius = rng.uniform(10, 300)
    angles = np.linspace(0, 2 * np.pi - rng.uniform(0.5, 3) / radius, rng.integers(12, 60)) + rng.uniform(0, 6.3)
    return _band(_circle(angles, radius), radius * rng.uniform(0.1, 0.7))


def _wave(rng: np.random.Generator) -> np.ndarray:
    x = np.linspace(0, rng.uniform(20, 700), rng.integers(6, 50))
    y = np.sin(x / x[-1] * rng.uniform(2, 9)) * rng.uniform(5, 120)
    return _turned(_band(np.stack((x, y), axis=1), rng.uniform(3, 60)), rng.uniform(0, 6.3)) + _noise(rng)


def _ellipse(rng: np.random.Generator) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, rng.integers(5, 60), endpoint=False)
    return _turned(_circle(angles, 1) * rng.uniform(1, 300, 2), rng.choice([0, 0.5, np.pi / 4, 1.3]))


def _star(rng: np.random.Generator) -> np.ndarray:
    """Symmetric, or with spikes of random length."""
    count = int(rng.integers(4, 40))
    radii = np.where(np.arange(count) % 2, 1, rng.uniform(0.2, 1)) if rng.random() < 0.5 else rng.uniform(0.2, 1, count)
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.rint(_circle(angles, 1) * radii[:, None] * rng.uniform(3, 300))


def _steps(rng: np.random.Generator) -> np.ndarray:
    """Right angles only: U, L and stairs, many of them symmetric."""
    a, b, c = rng.integers(2, 200, 3).tolist()
    shapes = (
        [(0, 0), (a, 0), (a, b + c), (0, b + c), (0, b), (a // 2, b), (a // 2, c), (0, c)],
        [(0, 0), (a, 0), (a, c), (a + b, c), (a + b, 2 * c), (0, 2 * c)],
        [(0, 0), (3 * a, 0), (3 * a, b), (2 * a, b), (2 * a, c // 2), (a, c // 2), (a, b), (0, b)],
        [(0, 0), (a, 0), (a, a), (0, a), (0, a - 1), (a - 1, a - 1), (a - 1, 1), (0, 1)],
    )
    points = np.array(shapes[rng.integers(len(shapes))], float)
    return _turned(points, rng.choice([0, np.pi / 2, np.pi, np.pi / 4]))


def _quad(rng: np.random.Generator) -> np.ndarray:
    return rng.random((4, 2)) * rng.uniform(1, 400, 2)


def _thin(rng: np.random.Generator) -> np.ndarray:
    """One or two pixels wide, upright or not."""
    along = np.sort(rng.uniform(0, rng.uniform(4, 400), rng.integers(2, 30)))
    bend = (along / along[-1]) ** 2 * rng.choice([0, 2, 30])
    line = np.stack((bend, along), axis=1)
    return _turned(np.rint(_band(line, rng.choice([1, 2, 3]))), rng.choice([0, 0, np.pi / 2, 0.3]))


def _tiny(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, rng.integers(2, 9), (rng.integers(4, 14), 2)).astype(float)


def _upright_sliver(rng: np.random.Generator) -> np.ndarray:
    """Between two neighbouring columns: the straightened line may be less than a pixel wide."""
    up = np.sort(rng.choice(60, rng.integers(3, 9), replace=False))[::-1]
    down = np.sort(rng.integers(up[1], up[0] + 5, 2))
    x = np.concatenate((np.ones(len(down)), np.zeros(len(up))))
    return np.stack((x, np.concatenate((down, up))), axis=1) * np.array((1, rng.choice([1, 5])))


def _scribble(rng: np.random.Generator) -> np.ndarray:
    """Crosses itself, mostly."""
    return rng.random((rng.integers(4, 12), 2)) * rng.uniform(2, 300)


def _degenerate(rng: np.random.Generator) -> np.ndarray:
    """Few points, the same point again and again, or all on a line."""
    points = rng.integers(0, 100, (rng.integers(1, 6), 2)).astype(float)
    kind = rng.integers(4)
    if kind == 0:
        return points
    if kind == 1:
        return np.repeat(points, rng.integers(1, 4), axis=0)
    if kind == 2:
        return np.arange(len(points))[:, None] * rng.integers(0, 20, 2)
    return np.concatenate((points, points[::-1]))


def _repeated(rng: np.random.Generator) -> np.ndarray:
    """Return an arc with points repeated."""
    points = _arc(rng)
    return points[np.sort(rng.integers(0, len(points), 2 * len(points)))]


_KINDS: tuple[Callable[[np.random.Generator], np.ndarray], ...] = (
    _arc,
    _ring,
    _wave,
    _ellipse,
    _star,
    _steps,
    _quad,
    _thin,
    _tiny,
    _upright_sliver,
    _scribble,
    _degenerate,
    _repeated,
    random_arc,
)


def _circle(angles: np.ndarray, radius: float) -> np.ndarray:
    """Points from straight up, clockwise on screen."""
    return np.stack((np.sin(angles), -np.cos(angles)), axis=1) * radius


def _band(line: np.ndarray, height: float) -> np.ndarray:
    """Return a line's outline, half the height to its left and half to its right; clockwise on screen."""
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    left = np.stack((along[:, 1], -along[:, 0]), axis=1) * height / 2
    return np.concatenate((line + left, (line - left)[::-1]))


def _turned(points: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array(((cos, sin), (-sin, cos)))


def _noise(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-1, 1, 2) * rng.integers(0, 2)
