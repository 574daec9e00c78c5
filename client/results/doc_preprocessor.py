"""What page preparation did: the part of a result that PaddleX calls `doc_preprocessor_res`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from paddlex_triton.client.exceptions import UnsupportedError
from paddlex_triton.client.pages import Page
from paddlex_triton.client.results.base import BaseResult, read_settings

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
        return {}
