"""Result of layout detection: the part of a result that PaddleX calls `layout_det_res`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from paddlex_triton.client.pages import Page
from paddlex_triton.client.results.base import (
    BaseResult,
    clipped_coordinate,
    expect_outputs_to_fit,
    read_settings,
    texts_of,
    without_name,
)
from paddlex_triton.client.results.doc_preprocessor import DocPreprocessorResult
from paddlex_triton.settings import LayoutDetectionSettings, StageSettings


class LayoutDetectionResult(BaseResult):
    """Regions of one page, of all classes.

    Keys: `input_path` and `page_index` (None, as PaddleX has it), `boxes`: `cls_id`, `label`, `score` and `coordinate`
    each. A coordinate is x1, y1, x2, y2 in page pixels: NumPy's float32, but for what lies on the border of the page,
    which is an int. `["input_img"]` is the page that was searched, UINT8 [H,W,3] BGR, decoded when it is first asked
    for.
    """

    OUTPUTS = ("layout_boxes", "layout_class_ids", "layout_labels", "layout_scores", "layout_detection_settings")

    def __init__(
        self,
        data: Mapping[str, Any],
        page: Page,
        stages: Iterable[StageSettings] = (),
        *,
        preparation: DocPreprocessorResult | None = None,
    ) -> None:
        super().__init__(data, page, stages)
        self._preparation = preparation

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], page: Page) -> LayoutDetectionResult:
        """Build it from the outputs of an ensemble that looks for regions, see `BaseResult.from_tensors`."""
        with expect_outputs_to_fit():
            settings = read_settings(tensors, LayoutDetectionSettings)
            return cls.from_settings(tensors, settings, DocPreprocessorResult.from_tensors(tensors, page))

    @classmethod
    def from_settings(
        cls, tensors: Mapping[str, np.ndarray], settings: LayoutDetectionSettings, preparation: DocPreprocessorResult
    ) -> LayoutDetectionResult:
        """Build it from tensors of which some have been read.

        Args:
            tensors: the outputs named in `OUTPUTS`.
            settings: of the stage.
            preparation: of the page that was searched.

        Raises:
            KeyError: an output is missing.
            ValueError: boxes are counted differently.
        """
        width, height = settings.page_size
        rows = zip(
            tensors["layout_class_ids"].reshape(-1).tolist(),
            texts_of(tensors["layout_labels"]),
            tensors["layout_scores"].reshape(-1).tolist(),
            tensors["layout_boxes"].reshape(-1, 4).astype(np.float32),
            strict=True,
        )
        boxes = [
            {"cls_id": class_id, "label": label, "score": score, "coordinate": clipped_coordinate(box, width, height)}
            for class_id, label, score, box in rows
        ]
        data = {"input_path": None, "page_index": None, "boxes": boxes}
        return cls(data, without_name(preparation.page), [settings], preparation=preparation)

    def __missing__(self, key: str) -> np.ndarray:
        if key != "input_img":
            raise KeyError(key)
        self[key] = self.page.image() if self._preparation is None else self._preparation["output_img"]
        return self[key]

    def _json_data(self) -> dict[str, Any]:
        return {name: self[name] for name in ("input_path", "page_index", "boxes")}

    def _pictures(self) -> dict[str, Image.Image]:
        from paddlex_triton.client.results.drawing_boxes import draw_boxes

        return {"res": draw_boxes(self["input_img"], self["boxes"])}

    def _picture_names(self) -> list[str]:
        return ["res"]
