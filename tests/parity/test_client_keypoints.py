"""People: PaddleX's own JSON and pictures, through the ensemble's tensors and back."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlex_triton.client.pages import Page, page_from_array
from paddlex_triton.client.results import KeypointDetectionResult
from paddlex_triton.settings import HumanDetectionSettings, KeypointDetectionSettings

GOLDEN = Path(__file__).parent / "golden" / "keypoint_results.npz"
NETWORKS = ["PP-TinyPose_128x96", "PP-TinyPose_256x192"]
# Width and height of the page of the stand-in networks.
STANDIN_SIZE = (480, 400)


def result_of(res: dict[str, Any], page: Page, size: tuple[int, int]) -> KeypointDetectionResult:
    """From what the `human_keypoint_detection` ensemble answers when PaddleX's result is `res`."""
    detection = HumanDetectionSettings(networks={}, page_size=size, threshold=0.5)
    boxes = res["boxes"]
    tensors = {
        "boxes": np.array([box["coordinate"] for box in boxes], np.float32).reshape(-1, 4),
        "det_scores": np.array([box["det_score"] for box in boxes], np.float32),
        "keypoints": np.array([box["keypoints"] for box in boxes], np.float32).reshape(-1, 17, 3),
        "keypoint_scores": np.array([box["kpt_score"] for box in boxes], np.float32),
        "human_detection_settings": np.array([detection.encode()], dtype=object),
        "keypoint_detection_settings": np.array([KeypointDetectionSettings(networks={}).encode()], dtype=object),
    }
    return KeypointDetectionResult.from_tensors(tensors, page)


@pytest.mark.parametrize("name", ["none", "one", "many", "beyond the borders", "high", "one pixel"])
def test_made_up_people(name: str):
    with np.load(GOLDEN) as golden:
        image, text, picture = (golden[f"{name}/{part}"] for part in ("page", "json", "picture"))
    expected = json.loads(str(text))
    result = result_of(expected["res"], page_from_array(image), image.shape[1::-1])
    # Texts of JSON: the order of keys and the form of numbers count too.
    assert json.dumps(result.json) == str(text)
    assert list(result.img) == ["res"]
    np.testing.assert_array_equal(np.asarray(result.img["res"]), picture, strict=True)


@pytest.mark.parametrize("name", ["e2e_kpt", "e2e_kpt_none"])
def test_standin_networks(shared: Path, name: str):
    reference = json.loads((shared / "reference" / "e2e_standin" / f"{name}.json").read_text(encoding="utf-8"))
    result = result_of(reference["res"], Page(b"", reference["res"]["input_path"]), STANDIN_SIZE)
    assert json.dumps(result.json) == json.dumps(reference)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("stem", ["000000014439", "000000570688", "keypoint_detection_002_hrnet_demo"])
def test_pictures_of_real_people(shared: Path, stem: str, network: str):
    page = Page((shared / "images" / "human" / f"{stem}.jpg").read_bytes())
    people = json.loads((shared / "reference" / "e2e_real" / f"kpt_{stem}.json").read_text(encoding="utf-8"))[network]
    boxes = [{**person, "coordinate": person["box"], "det_score": 1.0} for person in people]
    image = page.image()
    height, width = image.shape[:2]
    picture = np.asarray(result_of({"boxes": boxes}, page, (width, height)).img["res"])
    with np.load(GOLDEN) as golden:
        of_page, of_picture = json.loads(str(golden["real"]))[f"{stem}/{network}"]
    assert hashlib.sha256(image.tobytes()).hexdigest() == of_page, "the image is decoded otherwise than by PaddleX"
    assert hashlib.sha256(picture.tobytes()).hexdigest() == of_picture
