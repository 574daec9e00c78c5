"""What page preparation did: the part of a result that PaddleX calls `doc_preprocessor_res`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from paddlex_triton.client.exceptions import UnsupportedError
from paddlex_triton.client.pages import Page
from paddlex_triton.client.results.base import BaseResult, read_settings, without_name
from paddlex_triton.ops.orientation import turn_page

_STAGE = "doc_preprocessor"


class DocPreprocessorResult(BaseResult):
    """Settings and angle of page preparation, and the prepared page.

    Empty if neither step was used, but for `["output_img"]`: the page as the next stage saw it, UINT8 [H,W,3] BGR.
    It is decoded when it is first asked for.
    """

    OUTPUTS = ("angle", "doc_preprocessor_settings")

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], page: Page) -> DocPreprocessorResult:
        """Build it from `angle` INT32 [1], the settings and, if it was asked for, `preprocessed_img`."""
        settings = read_settings(tensors["doc_preprocessor_settings"], _STAGE)
        used = {name: bool(settings.get(name, False)) for name in ("use_doc_orientation_classify", "use_doc_unwarping")}
        data: dict[str, Any] = {}
        if any(used.values()):
            angle = int(tensors["angle"].reshape(-1)[0])
            data = {"input_path": None, "page_index": None, "model_settings": used, "angle": angle}
        result = cls(data, page, {_STAGE: settings})
        prepared = tensors.get("preprocessed_img")
        if prepared is not None and prepared.size:
            result["output_img"] = prepared
        return result

    @classmethod
    def outputs_for(cls, params: Mapping[str, Any]) -> tuple[str, ...]:
        """The prepared page is large: it is fetched only when it was asked for."""
        return (*cls.OUTPUTS, "preprocessed_img") if params.get("return_preprocessed_img") else cls.OUTPUTS

    @property
    def used(self) -> bool:
        """Whether any step was used."""
        return "model_settings" in self

    def __missing__(self, key: str) -> np.ndarray:
        if key != "output_img":
            raise KeyError(key)
        if self.used:
            raise UnsupportedError(
                "the prepared page was not sent back; predict with return_preprocessed_img=True to have it"
            )
        self[key] = self.page.image()
        return self[key]

    def _json_data(self) -> dict[str, Any]:
        return {name: self[name] for name in ("input_path", "page_index", "model_settings", "angle")}

    def _pictures(self) -> dict[str, Image.Image]:
        from paddlex_triton.client.results.drawing_preparation import draw_side_by_side

        if not self.used:
            return {}
        turned, flattened = self["model_settings"].values()
        prepared, original = self["output_img"], self.page.image()
        # Pages that were not turned have the angle -1.
        upright = turn_page(original, max(self["angle"], 0)) if flattened else prepared
        captions = ["Original Image", f"Rotated Image ({turned}, {self['angle']})", f"Unwarping Image ({flattened})"]
        return {"preprocessed_img": draw_side_by_side([original, upright, prepared], captions)}


class RegionPreparation(DocPreprocessorResult):
    """What PaddleX calls `doc_preprocessor_res` where it reads a part of a page: nothing was done to it.

    `["output_img"]` is the part of the prepared page, UINT8 [H,W,3] BGR, cut out when it is first asked for.
    """

    def __init__(self, whole: DocPreprocessorResult, region: Sequence[int]) -> None:
        """Take a part of a page.

        Args:
            whole: the preparation of the whole page, which is decoded once for all its regions.
            region: x1, y1, x2, y2 in page pixels, exclusive end.
        """
        super().__init__({}, without_name(whole.page))
        self._whole = whole
        self._region = tuple(region)

    def __missing__(self, key: str) -> np.ndarray:
        if key != "output_img":
            raise KeyError(key)
        x1, y1, x2, y2 = self._region
        self[key] = self._whole[key][y1:y2, x1:x2]
        return self[key]
