"""Makes keypoint_ops.npz beside it: PaddleX 3.7.2's answers to random boxes of people and random heatmaps.

Run it by hand where PaddleX is installed (`python make_keypoint_ops.py`); the tests read the file alone. Heatmaps are
small and stored as whole numbers times a factor per person, so that maxima are often equal. `keypoints` are NaN where
PaddleX fails because it divides by zero on the way, and `scores` where that happens to one of a person's joints.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

PAGE_HEIGHT, PAGE_WIDTH = 60, 80
CROP_SIZE = 16, 12
MAP_SIZE = 16, 12
PEOPLE = 60
JOINTS = 17
KINDS = (*("peak", "peak", "peak", "noise", "edge", "negative", "zero", "plateau", "spike", "low") * 4, "pit")
FACTORS = (1.0, 1.0, 1.0, 0.013, 300.0, 1e-8, 1e-12)


def random_rows(rng: np.random.Generator) -> np.ndarray:
    """Rows whose boxes lie on the page, leave it, span it, or are hardly there; all of one class, some padding."""
    size = np.array((PAGE_WIDTH, PAGE_HEIGHT))
    corners = rng.uniform(-0.3, 1.3, (2, 2 * PEOPLE, 2)) * size
    first, second = corners.min(axis=0), corners.max(axis=0)
    spanning = rng.random((2 * PEOPLE, 2)) < 0.2
    first[spanning], second[spanning] = -1, 100
    thin = rng.random((2 * PEOPLE, 2)) < 0.1
    second[thin] = first[thin] + 0.01
    ids, scores = rng.choice([0, 0, 0, -1], 2 * PEOPLE), rng.uniform(0.3, 1, 2 * PEOPLE)
    return np.column_stack((ids, scores, first, second)).astype(np.float32)


def random_map(rng: np.random.Generator, kind: str) -> np.ndarray:
    """One joint's map, int8."""
    height, width = MAP_SIZE
    y, x = np.mgrid[:height, :width]
    centre_y, centre_x = rng.uniform(0, (height, width))
    row, column = int(centre_y), int(centre_x)
    peak = 120 * np.exp(-((y - centre_y) ** 2 + (x - centre_x) ** 2) / rng.uniform(1, 12))
    if kind == "peak":
        values = peak + rng.normal(0, 3, MAP_SIZE)
    elif kind == "noise":
        values = rng.integers(-100, 101, MAP_SIZE)
    elif kind == "edge":
        values = peak / 2
        values[rng.choice([0, 1, 2, height - 3, height - 2, height - 1]), column] = 100
    elif kind == "negative":
        values = peak - 125
    elif kind == "zero":
        values = np.zeros(MAP_SIZE)
    elif kind == "plateau":
        values = np.minimum(peak, 40)
    else:
        values = np.full(MAP_SIZE, -rng.integers(1, 100) if kind == "low" else 0)
        if kind == "pit":  # smoothed, it is nowhere above zero
            values[row, max(0, column - 1) : column + 2] = -60
        values[row, column] = 5
    return np.clip(np.round(values), -127, 127).astype(np.int8)


def decode_alone(decoder: Any, joint_map: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """One joint by itself, float32 [1, 3]; NaN where PaddleX fails."""
    try:
        return decoder.apply(joint_map, centre, scale)[0]["keypoints"]
    except np.linalg.LinAlgError:
        return np.full((1, 3), np.nan, np.float32)


def answers() -> dict[str, np.ndarray]:
    """Boxes, crops and keypoints of one page."""
    detection = importlib.import_module("paddlex.inference.models.object_detection.processors")
    keypoint = importlib.import_module("paddlex.inference.models.keypoint_detection.processors")
    pipeline = importlib.import_module("paddlex.inference.pipelines.keypoint_detection.pipeline")
    rng = np.random.default_rng(2033)
    page = rng.integers(0, 256, (PAGE_HEIGHT, PAGE_WIDTH, 3), dtype=np.uint8)
    rows = random_rows(rng)
    people = detection.DetPostProcess(["pedestrian"]).apply(
        rows.copy(), (PAGE_WIDTH, PAGE_HEIGHT), 0.5, None, None, None
    )[:PEOPLE]
    maps = np.stack([[random_map(rng, rng.choice(KINDS)) for _ in range(JOINTS)] for _ in people])
    factors = rng.choice(FACTORS, len(people)).astype(np.float32)
    # The pipeline's own method, without the networks that its constructor loads.
    frames = object.__new__(pipeline._KeypointDetectionPipeline)
    frames.kpt_input_size = CROP_SIZE[::-1]
    affine = keypoint.TopDownAffine(CROP_SIZE[::-1])
    decoder = keypoint.KptPostProcess(use_dark=True)
    crops, keypoints, scores = [], [], []
    for person, person_maps, factor in zip(people, maps, factors, strict=True):
        centre, scale = frames._box_xyxy2cs(person["coordinate"])
        crops.append(affine.apply(page, centre, scale)[0])
        try:
            (found,) = decoder.apply(person_maps * factor, centre, scale)
            scores.append(found["kpt_score"])
        except np.linalg.LinAlgError:
            joints = [decode_alone(decoder, joint_map[None] * factor, centre, scale) for joint_map in person_maps]
            found = {"keypoints": np.concatenate(joints)}
            scores.append(np.float32("nan"))
        keypoints.append(found["keypoints"])
    return {
        "page": page,
        "rows": rows,
        "boxes": np.array([person["coordinate"] for person in people], np.float32),
        "det_scores": np.array([person["score"] for person in people], np.float32),
        "crops": np.stack(crops),
        "maps": maps,
        "factors": factors,
        "keypoints": np.stack(keypoints),
        "scores": np.array(scores),
    }


if __name__ == "__main__":
    np.savez_compressed(Path(__file__).with_name("keypoint_ops.npz"), **answers())
