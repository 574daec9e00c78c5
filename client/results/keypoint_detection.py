"""Result of the `human_keypoint_detection` pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from paddlex_triton.client.pages import Page
from paddlex_triton.client.results.base import (
    BaseResult,
    clipped_coordinate,
    expect_outputs_to_fit,
    read_settings,
)
from paddlex_triton.settings import HumanDetectionSettings, KeypointDetectionSettings

# COCO's joints of a person.
_JOINTS = 17


class KeypointDetectionResult(BaseResult):
    """People of one page and their joints.

    Keys: `input_path`, `boxes`: `coordinate`, `det_score`, `keypoints` and `kpt_score` each. A coordinate is
    x1, y1, x2, y2 in page pixels: NumPy's float32, but for what lies on the border of the page, which is an int.
    Keypoints are FP32 [17,3]: x and y in page pixels, which may lie outside the page, and score; in COCO's order.
    `["input_img"]` is the page that was searched, UINT8 [H,W,3] BGR, decoded when it is first asked for. The number of
    a document's page is in `page` alone: PaddleX gives none.
    """

    OUTPUTS = (
        "boxes",
        "det_scores",
        "keypoints",
        "keypoint_scores",
        "human_detection_settings",
        "keypoint_detection_settings",
    )

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], page: Page) -> KeypointDetectionResult:
        """Build a result from the outputs of the `human_keypoint_detection` ensemble, see `BaseResult.from_tensors`."""
        with expect_outputs_to_fit():
            detection = read_settings(tensors, HumanDetectionSettings)
            stages = detection, read_settings(tensors, KeypointDetectionSettings)
            width, height = detection.page_size
            rows = zip(
                tensors["boxes"].reshape(-1, 4).astype(np.float32),
                tensors["det_scores"].reshape(-1).tolist(),
                tensors["keypoints"].reshape(-1, _JOINTS, 3).astype(np.float32),
                tensors["keypoint_scores"].reshape(-1).astype(np.float32),
                strict=True,
            )
            boxes = [
                {
                    "coordinate": clipped_coordinate(box, width, height),
                    "det_score": det_score,
                    "keypoints": keypoints,
                    "kpt_score": kpt_score,
                }
                for box, det_score, keypoints, kpt_score in rows
            ]
        return cls({"input_path": page.input_path, "boxes": boxes}, page, stages)

    def __missing__(self, key: str) -> np.ndarray:
        if key != "input_img":
            raise KeyError(key)
        self[key] = self.page.image()
        return self[key]

    def _json_data(self) -> dict[str, Any]:
        return {name: self[name] for name in ("input_path", "boxes")}

    def _pictures(self) -> dict[str, Image.Image]:
        from paddlex_triton.client.results.drawing_keypoints import draw_skeletons

        return {"res": draw_skeletons(self["input_img"], [box["keypoints"] for box in self["boxes"]])}

    def _picture_names(self) -> list[str]:
        return ["res"]
