"""The two ends of a curved text line and the lines along it, as PaddleX finds them in a polygon.

The score of an edge as an end of the line is that of MMOCR's TextSnake targets (`find_head_tail`), with PaddleX's
weights.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from paddlex_triton.ops.seal_polygon import edge_lengths, lengths_of

# Pieces that a line along the text is divided into.
SEGMENTS = 15
# Weights of an edge's score: turn at its ends, its neighbours pointing apart, distance from the centre, being half-way.
_TURN, _APART, _DISTANCE, _HALF_WAY = 0.5, 0.15, 0.35, 0.1
# Share of the tail's score in that of a pair of head and tail.
_TAIL = 0.3
# A quadrilateral's vertical sides must be this many times as long as the horizontal ones to be the lines along it.
_VERTICAL_RATIO = 2.0
# Pairs of edges that are scored at once; bounds the memory.
_PAIRS_AT_ONCE = 1 << 18

Edge = tuple[int, int]


def head_and_tail(points: np.ndarray) -> tuple[Edge, Edge]:
    """Find the edges in which the text begins and ends.

    Args:
        points: int32 [n, 2] x, y, n >= 4.

    Returns:
        Indices of the two points of the head and of the tail. The head's second point comes before the tail's.
    """
    count = len(points)
    if count == 4:
        return _ends_of_quad(points)
    head, offset = _best_pair(_edge_scores(points))
    tail = (head + offset + 2) % count
    head_edge, tail_edge = (head, (head + 1) % count), (tail, (tail + 1) % count)
    return (head_edge, tail_edge) if head_edge[1] <= tail_edge[1] else (tail_edge, head_edge)


def side_lines(points: np.ndarray, head: Edge, tail: Edge) -> tuple[np.ndarray, np.ndarray]:
    """Return the points from the head's end to the tail's start, and on from the tail's end to the head's start.

    Args:
        points: [n, 2] x, y.
        head: as `head_and_tail` gives it.
        tail: likewise.

    Returns:
        Two lines of at least 2 points, together all points.
    """
    tail_end = tail[1] or len(points)
    twice = np.concatenate((points, points))
    return twice[head[1] : tail_end], twice[tail_end : head[1] + len(points)]


def divide_line(line: np.ndarray, segments: int = SEGMENTS) -> np.ndarray:
    """Lay points at equal distances along a line.

    Args:
        line: [n, 2] x, y, n >= 2.
        segments: pieces of equal length.

    Returns:
        float64 [segments + 1, 2], the first and last point of the line included; of a line without length only those
        two.
    """
    lengths = edge_lengths(line)
    # Not pairwise: PaddleX adds up edge by edge.
    ends = lengths.cumsum()
    steps = np.arange(1, segments) * (float(ends[-1]) / (segments + 1e-8))
    edges = np.searchsorted(ends, steps, side="right")
    inside = edges < len(lengths)
    steps, edges = steps[inside], edges[inside]
    starts = np.concatenate(([0.0], ends))[edges]
    shares = ((steps - starts) / lengths[edges])[:, None]
    return np.concatenate((line[:1], line[edges] + (line[edges + 1] - line[edges]) * shares, line[-1:]))


def text_outline(points: np.ndarray) -> np.ndarray:
    """Return the upper line along the text from its start to its end, then the lower line back.

    Args:
        points: int32 [n, 2] x, y of the main vertices, n >= 4.

    Returns:
        float32 [m, 2], m even: 32 points, or fewer when a side has no length.
    """
    upper, lower = (divide_line(line) for line in side_lines(points, *head_and_tail(points)))
    if np.mean(upper, axis=0)[1] > np.mean(lower, axis=0)[1]:
        upper, lower = lower, upper
    return np.concatenate((upper, lower)).astype(np.float32)


def _edge_scores(points: np.ndarray) -> np.ndarray:
    """How much each edge (from a point to the next) looks like an end of the line; float64 [n]."""
    count = len(points)
    # From the edge before the first to the one after the last.
    around = np.concatenate((points[-1:], points, points[:2]))
    edges = (around[1:] - around[:-1]).astype(np.float64)
    units = edges / (lengths_of(edges) + 1e-8)[:, None]
    angles = _angles(units[:-1], units[1:])
    turn = (angles[:-1] + angles[1:]) / np.pi
    apart = _angles(units[:-2], units[2:]) / np.pi
    radii = lengths_of(around[1:-1] - np.mean(points, axis=0))
    distances = np.maximum(radii[1:], radii[:-1])
    # Points that all are the same have no distances: their scores are not numbers, as in PaddleX.
    with np.errstate(invalid="ignore"):
        scores = _TURN * turn + _APART * apart + _DISTANCE * (distances / np.max(distances))
    if count % 2 == 0:
        scores[[count // 2 - 1, -1]] += _HALF_WAY
    return scores


def _best_pair(scores: np.ndarray) -> tuple[int, int]:
    """Find the first best pair of head and tail: the head's index, and the tail's distance from the edge after next."""
    count = len(scores)
    weights = _tail_weights(count)
    tails = np.lib.stride_tricks.sliding_window_view(np.concatenate((scores, scores))[2:], count - 3)
    best, best_score = (0, 0), -math.inf
    rows = max(1, _PAIRS_AT_ONCE // count)
    for start in range(0, count, rows):
        stop = min(start + rows, count)
        pairs = scores[start:stop, None] + tails[start:stop] * weights * _TAIL
        row, column = divmod(int(pairs.argmax()), count - 3)
        score = float(pairs[row, column])
        if score > best_score:
            best, best_score = (start + row, column), score
    return best


@lru_cache(maxsize=256)
def _tail_weights(count: int) -> np.ndarray:
    """Weight of a tail by its distance from the head, greatest half-way round."""
    position = np.arange(count - 3) / float(count - 4)
    bell = 1.0 / (np.sqrt(2.0 * np.pi) * 0.5) * np.exp(-np.square((position - 0.5) / 0.5) / 2)
    return bell / np.max(bell)


def _ends_of_quad(points: np.ndarray) -> tuple[Edge, Edge]:
    corners = points.tolist()
    sides = [(corners[i], corners[(i + 1) % 4]) for i in range(4)]
    slopes = [abs((y2 - y1) / ((x2 - x1) + 1e-8)) for (x1, y1), (x2, y2) in sides]
    lengths = [math.sqrt((x2 - x1) ** 2 + (y2 - y1) ** 2) for (x1, y1), (x2, y2) in sides]
    even, odd = ((0, 1), (2, 3)), ((3, 0), (1, 2))
    if slopes[0] + slopes[2] < slopes[1] + slopes[3]:
        horizontal, vertical = (even, lengths[0] + lengths[2]), (odd, lengths[3] + lengths[1])
    else:
        horizontal, vertical = (odd, lengths[3] + lengths[1]), (even, lengths[0] + lengths[2])
    return horizontal[0] if vertical[1] > horizontal[1] * _VERTICAL_RATIO else vertical[0]


def _angles(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Angles between unit vectors, radians."""
    products = one * other
    return np.arccos(np.clip(products[:, 0] + products[:, 1], -1.0, 1.0))
