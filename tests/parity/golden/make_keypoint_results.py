"""Makes keypoint_results.npz beside it: JSON and pictures that PaddleX 3.7.2 makes of people that were made up.

Run it by hand where PaddleX is installed (`python make_keypoint_results.py SHARED`); the tests read the file alone.
PaddleX's pipeline runs as it is, from a detector's rows on; the keypoint network's answers are given. SHARED is the
folder of reference data: of the people in it the file has digests of the pictures.
"""

import hashlib
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

# Width and height of a page, and how many people are on it.
PAGES = {
    "none": (160, 120, 0),
    "one": (160, 120, 1),
    "many": (160, 120, 30),
    "beyond the borders": (90, 60, 25),
    "high": (3, 200, 2),
    "one pixel": (1, 1, 1),
}
JOINTS = 17


def gradient_page(width: int, height: int) -> np.ndarray:
    """UINT8 [H,W,3] with all values in each channel."""
    y, x, channel = np.mgrid[:height, :width, :3]
    return (3 * x + 5 * y + 85 * channel).astype(np.uint8)


def random_people(rng: np.random.Generator, width: int, height: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """A detector's rows, FP32 [N,6], and keypoints, FP32 [N,17,3]; people may reach beyond the page."""
    size = np.array([width, height])
    middle = rng.uniform(-0.1, 1.1, (count, 1, 2)) * size
    # From people of a few pixels, and one whose joints are all in one place, to people larger than the page.
    spread = rng.uniform(0, 1, (count, 1, 1)) ** 2 * size
    spread[count // 2 : count // 2 + (count > 1)] = 0
    points = middle + rng.uniform(-1, 1, (count, JOINTS, 2)) * spread
    scores = rng.choice([0.0, 0.0999, 0.1, 0.5, 1.0, 1.2], (count, JOINTS, 1), p=[0.05, 0.05, 0.05, 0.35, 0.35, 0.15])
    # Boxes whose middle is on the page are not dropped.
    inside = np.clip(middle[:, 0], 0.25, size - 0.25)
    boxes = np.hstack((np.minimum(points.min(axis=1), inside - 0.2), np.maximum(points.max(axis=1), inside + 0.2)))
    rows = np.hstack((np.zeros((count, 1)), rng.uniform(0.51, 1, (count, 1)), boxes))
    return rows.astype(np.float32), np.concatenate((points, scores), axis=2).astype(np.float32)


def paddlex_result(page: np.ndarray, rows: np.ndarray, keypoints: np.ndarray) -> Any:
    """Return what PaddleX's pipeline makes of the networks' answers."""
    pipelines = importlib.import_module("paddlex.inference.pipelines.keypoint_detection.pipeline")
    processors = importlib.import_module("paddlex.inference.models.object_detection.processors")
    answers = iter(keypoints)

    def detect(image: np.ndarray, threshold: float) -> list[dict[str, Any]]:
        boxes = processors.DetPostProcess(["pedestrian"]).apply(
            rows.copy(), image.shape[1::-1], threshold, None, None, None
        )
        return [{"input_img": image, "input_path": None, "boxes": boxes}]

    def find_keypoints(_: Any) -> list[dict[str, Any]]:
        person = next(answers)
        return [{"kpts": [{"keypoints": person, "kpt_score": np.mean(person[None, :, 2], axis=1)[0]}]}]

    pipeline = object.__new__(pipelines._KeypointDetectionPipeline)
    pipeline.det_threshold, pipeline.kpt_input_size = None, (96, 128)
    pipeline.det_model, pipeline.kpt_model = detect, find_keypoints
    (result,) = pipeline.predict(page, det_threshold=0.5)
    assert next(answers, None) is None
    return result


def of_made_up_people() -> dict[str, np.ndarray]:
    """`<name>/page`, `/json` and `/picture` of every page."""
    rng = np.random.default_rng(17)
    golden = {}
    for name, (width, height, count) in PAGES.items():
        page = gradient_page(width, height)
        result = paddlex_result(page, *random_people(rng, width, height, count))
        golden[f"{name}/page"] = page
        golden[f"{name}/json"] = np.array(json.dumps(result.json))
        golden[f"{name}/picture"] = np.asarray(result.img["res"])
    return golden


def of_real_people(shared: Path) -> dict[str, list[str]]:
    """Name of image and network -> digests of the page and of the picture of it, both UINT8 [H,W,3], BGR and RGB."""
    digests = {}
    for path in sorted((shared / "reference" / "e2e_real").glob("kpt_*.json")):
        stem = path.stem.removeprefix("kpt_")
        page = cv2.imread(str(shared / "images" / "human" / f"{stem}.jpg"))
        for network, people in json.loads(path.read_text(encoding="utf-8")).items():
            rows = np.array([[0, 1, *person["box"]] for person in people], np.float32)
            keypoints = np.array([person["keypoints"] for person in people], np.float32)
            picture = paddlex_result(page, rows, keypoints).img["res"]
            digests[f"{stem}/{network}"] = [digest(page), digest(np.asarray(picture))]
    return digests


def digest(image: np.ndarray) -> str:
    """SHA-256 of the pixels."""
    return hashlib.sha256(image.tobytes()).hexdigest()


if __name__ == "__main__":
    real = {"real": np.array(json.dumps(of_real_people(Path(sys.argv[1]))))}
    np.savez_compressed(Path(__file__).with_name("keypoint_results.npz"), **of_made_up_people(), **real)
