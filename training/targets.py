"""Which box the network is to answer with at which place, after FCOS: near its middle, by its size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Sides of boxes that each level learns, pixels of the input: the larger of the root of the area and half the long side.
LEVEL_SIDES = {8: (0.0, 96.0), 16: (64.0, 240.0), 32: (176.0, 380.0), 64: (300.0, np.inf)}
# How far from a box's middle its places lie: in strides, and in parts of its side. Near an edge a place could as well
# be a neighbour's, and answers with something between the two.
_RADIUS, _MIDDLE = 1.5, 0.3


@dataclass(frozen=True)
class Targets:
    """The places of one page that answer with a box.

    Attributes:
        places: int64 [P], numbers of the places.
        classes: int64 [P].
        boxes: float32 [P, 4], x1, y1, x2, y2 in pixels of the input.
    """

    places: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray


def assign(boxes: np.ndarray, classes: np.ndarray, centres: np.ndarray, strides: np.ndarray) -> Targets:
    """Give places to boxes. Of boxes of one class that want the same place the smaller has it.

    Args:
        boxes: float32 [B, 4], x1, y1, x2, y2, pixels of the input.
        classes: int64 [B].
        centres: float32 [A, 2], x, y of the places.
        strides: float32 [A], of their levels.
    """
    if not len(boxes):
        return Targets(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4), np.float32))
    wants = _wanted(boxes, centres, strides)
    sides = boxes[:, 2:] - boxes[:, :2]
    areas = sides[:, 0] * sides[:, 1]
    owner: dict[tuple[int, int], int] = {}
    # The smaller come last, and take over.
    for index in np.argsort(-areas, kind="stable").tolist():
        for place in np.flatnonzero(wants[index]).tolist():
            owner[place, int(classes[index])] = index
    keys = np.array(sorted(owner), np.int64).reshape(-1, 2)
    chosen = np.array([owner[place, of_class] for place, of_class in keys.tolist()], np.int64)
    return Targets(keys[:, 0], keys[:, 1], boxes[chosen].astype(np.float32))


def _wanted(boxes: np.ndarray, centres: np.ndarray, strides: np.ndarray) -> np.ndarray:
    """Return the places, bool [B, A], close to a box's middle, on a level for its size."""
    sides = boxes[:, 2:] - boxes[:, :2]
    size = np.maximum(np.sqrt(sides[:, 0] * sides[:, 1]), sides.max(axis=1) / 2)[:, None]
    middle = (boxes[:, 2:] + boxes[:, :2]) / 2
    off = np.abs(centres[None] - middle[:, None])
    near = (off <= np.minimum(_RADIUS * strides[None, :, None], _MIDDLE * sides[:, None])).all(axis=2)
    low = np.select([strides == stride for stride in LEVEL_SIDES], [ends[0] for ends in LEVEL_SIDES.values()])
    high = np.select([strides == stride for stride in LEVEL_SIDES], [ends[1] for ends in LEVEL_SIDES.values()])
    wants = near & (size >= low) & (size <= high)
    # A box so thin or small that no place lies near its middle has the nearest one of its finest level.
    for index in np.flatnonzero(~wants.any(axis=1)).tolist():
        level = (size[index] >= low) & (size[index] <= high)
        distance = np.where(level, off[index].max(axis=1), np.inf)
        wants[index, int(np.argmin(distance))] = True
    return wants
