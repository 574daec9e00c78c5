"""Makes layout.npz beside it: answers of PaddleX 3.7.2 and PaddlePaddle 3.3.1 to random layout rows and anchors.

Run it by hand where both are installed (`python make_layout.py`); the tests read the file alone. Scores of layout rows
are all different: where some are equal, PaddleX's order is that of numpy's default sort, which depends on the
processor. Scores and boxes of anchors are often equal: the order is defined there.
"""

import importlib
import json
from pathlib import Path

import numpy as np

LABELS = {
    "23 classes": [
        *("paragraph_title", "image", "text", "number", "abstract", "content", "figure_title", "formula", "table"),
        *("table_title", "reference", "doc_title", "footnote", "header", "algorithm", "footer", "seal", "chart_title"),
        *("chart", "formula_number", "header_image", "footer_image", "aside_text"),
    ],
    "3 classes": ["image", "table", "seal"],
    "no image": ["text", "formula", "seal"],
}
MODES = ["large", "small", "union"]
LAYOUT_SETS, NMS_SETS = 120, 100


def random_rows(rng: np.random.Generator, width: int, height: int, classes: int) -> np.ndarray:
    """Rows of boxes scattered, clustered, on a grid, nested or nearly as large as the page."""
    count = int(rng.choice([0, 1, 2, 10, 20, 40, 40]))
    size = np.array([width, height])
    low, high = rng.uniform(-0.1, 1, (2, count, 2))
    kind = rng.choice(["scattered", "clustered", "grid", "nested", "pages"])
    first = low * size
    second = first + high * size * 0.4
    if kind == "clustered":
        middle = rng.integers(0, max(1, count // 3), count)
        first, second = (corner[middle] + rng.normal(0, 4, (count, 2)) for corner in (first, second))
    elif kind == "grid":
        first, second = (np.round(corner / 50) * 50 for corner in (first, second))
    elif kind == "nested":
        first, second = low * size * 0.4, (1 - high * 0.4) * size
    elif kind == "pages":
        first, second = low * size * 0.1, (1 - high * 0.1) * size
    ids = rng.integers(-1, classes, count) if rng.random() < 0.5 else rng.choice([0, 1, 2], count)
    scores = rng.permutation(np.linspace(0.01, 0.99, count))
    return np.column_stack((ids, scores, first, second)).astype(np.float32)


def random_options(rng: np.random.Generator, classes: int) -> dict:
    """Arguments of `postprocess_layout`, as JSON writes them; ratios of objects are pairs, as PaddleX wants them."""

    def some_classes() -> list[int]:
        return rng.permutation(classes)[: rng.integers(1, classes)].tolist()

    def ratio() -> float:
        return rng.choice([0.5, 0.9, 1.0, 1.05, 1.1, 2.0]).item()

    by_class = rng.random(3) < 0.35
    return {
        "threshold": {i: rng.choice([0.1, 0.375, 0.8]).item() for i in some_classes()}
        if by_class[0]
        else rng.choice([0.0, 0.25, 0.5]).item(),
        "nms": bool(rng.random() < 0.6),
        "unclip_ratio": {i: [ratio(), ratio()] for i in some_classes()}
        if by_class[1]
        else rng.choice([1.0, ratio()]).item(),
        "merge_mode": {i: rng.choice(MODES).item() for i in some_classes()}
        if by_class[2]
        else rng.choice(MODES).item(),
    }


def layout_answers() -> dict[str, np.ndarray]:
    """PaddleX's postprocessing of random rows, all sets in one array each."""
    processors = importlib.import_module("paddlex.inference.models.object_detection.processors")
    rng = np.random.default_rng(2026)
    sets, rows, answers = [], [], []
    while len(sets) < LAYOUT_SETS:
        name = rng.choice(list(LABELS)).item()
        width, height = rng.integers(20, 3000, 2).tolist()
        given = random_rows(rng, width, height, len(LABELS[name]))
        options = random_options(rng, len(LABELS[name]))
        if not len(given) and isinstance(options["threshold"], dict):
            continue  # PaddleX raises IndexError
        found = processors.DetPostProcess(LABELS[name]).apply(
            given.copy(), (width, height), *(options[key] for key in ("threshold", "nms", "unclip_ratio", "merge_mode"))
        )
        sets.append({"labels": name, "page_size": [width, height], "rows": len(given), "boxes": len(found), **options})
        rows.append(given)
        answers += [[box["cls_id"], box["score"], *box["coordinate"]] for box in found]
    return {
        "layout_sets": np.array(json.dumps(sets)),
        "layout_rows": np.concatenate(rows),
        "layout_answers": np.array(answers, np.float32),
    }


def nms_answers() -> dict[str, np.ndarray]:
    """PaddlePaddle's operator on random anchors, all sets in one array each."""
    paddle = importlib.import_module("paddle")
    rng = np.random.default_rng(2027)
    sets, given_boxes, given_scores, answers = [], [], [], []
    for _ in range(NMS_SETS):
        anchors, classes = int(rng.choice([1, 10, 40, 40])), int(rng.integers(1, 4))
        corner, size = rng.uniform(0, 100, (2, anchors, 2))
        kind = rng.choice(["scattered", "grid", "equal", "flat", "inside out"])
        if kind == "grid":
            corner, size = np.round(corner / 20) * 20, np.round(size / 20) * 20
        elif kind == "equal":
            one_of = rng.integers(0, max(1, anchors // 4), anchors)
            corner, size = corner[one_of], size[one_of]
        elif kind == "flat":
            size *= rng.integers(0, 2, (anchors, 2))
        elif kind == "inside out":
            size *= rng.choice([-1, 1], (anchors, 2))
        boxes = np.hstack((corner, corner + size)).astype(np.float32)
        scores = rng.uniform(0, 1, (classes, anchors))
        scores = (np.round(scores * 16) / 16 if rng.random() < 0.6 else scores).astype(np.float32)
        options = {
            "score_threshold": rng.choice([0.0, 0.025, 0.3, 0.5]).item(),
            "nms_threshold": rng.choice([0.0, 0.25, 0.5, 0.6, 1.0]).item(),
            "nms_top_k": rng.choice([-1, -1, 0, 1, 5, 1000]).item(),
            "keep_top_k": rng.choice([-1, -1, 0, 1, 10, 100]).item(),
        }
        rows, _, _ = paddle._C_ops.multiclass_nms3(
            *(paddle.to_tensor(array[None]) for array in (boxes, scores)),
            None,
            *(options[key] for key in ("score_threshold", "nms_top_k", "keep_top_k", "nms_threshold")),
            True,
            1.0,
            -1,
        )
        rows = rows.numpy().reshape(-1, 6)
        sets.append({"anchors": anchors, "classes": classes, "rows": len(rows), **options})
        given_boxes.append(boxes)
        given_scores.append(scores.ravel())
        answers.append(rows)
    return {
        "nms_sets": np.array(json.dumps(sets)),
        "nms_boxes": np.concatenate(given_boxes),
        "nms_scores": np.concatenate(given_scores),
        "nms_answers": np.concatenate(answers),
    }


if __name__ == "__main__":
    labels = {"labels": np.array(json.dumps(LABELS))}
    np.savez_compressed(Path(__file__).with_name("layout.npz"), **labels, **layout_answers(), **nms_answers())
