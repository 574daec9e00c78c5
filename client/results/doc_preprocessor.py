"""Page preparation: the result of `doc_preprocessor`, and what other results call `doc_preprocessor_res`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from paddlex_triton.client.exceptions import UnsupportedError
from paddlex_triton.client.pages import Page
from paddlex_triton.client.results.base import BaseResult, expect_outputs_to_fit, read_settings, without_name
from paddlex_triton.ops.orientation import turn_page
from paddlex_triton.pipelines import PREPARATION_SWITCHES
from paddlex_triton.settings import DocPreprocessorSettings

# What is said of a preparation besides its pages, in PaddleX's order.
_DESCRIBED = ("input_path", "page_index", "model_settings", "angle")


class DocPreprocessorResult(BaseResult):
    """Settings and angle of page preparation, and the page.

    Keys: `input_path`, `page_index`, `model_settings`, `angle` (degrees counterclockwise; -1 if it was not looked for),
    and three pages, UINT8 [H,W,3] BGR: `input_img` as it was sent, `rot_img` turned, `output_img` flattened too. As a
    part of another result it has no path and no number, and `output_img` alone if no step was used, as in PaddleX.
    Pages are decoded and turned here when they are first asked for; a flattened one must have been sent back.
    """

    OUTPUTS = ("angle", "doc_preprocessor_settings")

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], page: Page) -> DocPreprocessorResult:
        """Build it from the outputs of the `doc_preprocessor` ensemble, see `BaseResult.from_tensors`."""
        with expect_outputs_to_fit():
            settings = read_settings(tensors, DocPreprocessorSettings)
            data = {
                "input_path": page.input_path,
                "page_index": page.page_index,
                "model_settings": {name: getattr(settings, name) for name in PREPARATION_SWITCHES},
                "angle": int(tensors["angle"].reshape(-1)[0]),
            }
        result = cls(data, page, [settings])
        prepared = tensors.get("preprocessed_img")
        if prepared is not None and prepared.size:
            result["output_img"] = prepared
        return result

    @classmethod
    def part_of_result(cls, tensors: Mapping[str, np.ndarray], page: Page) -> DocPreprocessorResult:
        """Build what another pipeline's result says of its preparation, from the same outputs."""
        result = cls.from_tensors(tensors, without_name(page))
        if not any(result["model_settings"].values()):
            # PaddleX has the page alone then.
            for name in _DESCRIBED:
                del result[name]
        return result

    @classmethod
    def outputs_for(cls, params: Mapping[str, Any]) -> tuple[str, ...]:
        """The prepared page comes too, which is empty unless it was flattened or asked for."""
        return cls.OUTPUTS if params.get("return_preprocessed_img") is False else (*cls.OUTPUTS, "preprocessed_img")

    @property
    def used(self) -> bool:
        """Whether any step was used, as a part of another result."""
        return super().__contains__("model_settings")

    def __missing__(self, key: str) -> np.ndarray:
        if key == "output_img":
            self[key] = self._output_page()
        elif key == "input_img" and self.used:
            self[key] = self.page.image()
        elif key == "rot_img" and self.used:
            # Pages that were not turned have the angle -1.
            self[key] = turn_page(self["input_img"], max(self["angle"], 0))
        else:
            raise KeyError(key)
        return self[key]

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or key == "output_img" or (self.used and key in ("input_img", "rot_img"))

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, pages included."""
        try:
            return self[key]
        except KeyError:
            return default

    def _output_page(self) -> np.ndarray:
        if not self.used:
            return self.page.image()
        if self["model_settings"]["use_doc_unwarping"]:
            raise UnsupportedError(
                "the page was flattened and not sent back: predict without return_preprocessed_img=False to have it "
                "and its pictures",
                source=self.page.label,
            )
        return self["rot_img"]

    def _json_data(self) -> dict[str, Any]:
        return {name: self[name] for name in _DESCRIBED if name in self}

    def _pictures(self) -> dict[str, Image.Image]:
        from paddlex_triton.client.results.drawing_preparation import draw_side_by_side

        if not self.used:
            return {}
        turned, flattened = self["model_settings"].values()
        pages = [self[name] for name in ("input_img", "rot_img", "output_img")]
        captions = ["Original Image", f"Rotated Image ({turned}, {self['angle']})", f"Unwarping Image ({flattened})"]
        return {"preprocessed_img": draw_side_by_side(pages, captions)}

    def _picture_names(self) -> list[str]:
        return ["preprocessed_img"] if self.used else []


class RegionPreparation(DocPreprocessorResult):
    """PaddleX's `doc_preprocessor_res` where a part of a page is read: nothing was done to it.

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
