"""Result of the `seal_recognition` pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from paddlex_triton.client.pages import Page
from paddlex_triton.client.results.base import (
    BaseResult,
    expect_outputs_to_fit,
    read_settings,
    to_plain,
    without_name,
)
from paddlex_triton.client.results.doc_preprocessor import DocPreprocessorResult, RegionPreparation
from paddlex_triton.client.results.layout_detection import LayoutDetectionResult
from paddlex_triton.client.results.ocr import OCRResult
from paddlex_triton.client.results.text_lines import TextLines
from paddlex_triton.settings import LayoutDetectionSettings, SealTextDetectionSettings, TextRecognitionSettings


class SealRecognitionResult(BaseResult):
    """Seals of one page and what is written on them.

    Keys: `input_path`, `page_index`, `doc_preprocessor_res`, `layout_det_res` (a `LayoutDetectionResult` with the
    regions of all classes; an empty dict if layout detection was off), `seal_res_list` (an `OCRResult` for each seal,
    in the order of the regions, with `seal_region_id` from 1; its polygons are in pixels of the seal's region, counted
    from the region's upper left corner), `model_settings`. Without layout detection the whole page is the one region.
    """

    OUTPUTS = (
        *DocPreprocessorResult.OUTPUTS,
        *LayoutDetectionResult.OUTPUTS,
        "regions",
        "region_ids",
        "points",
        "offsets",
        "poly_scores",
        "texts",
        "scores",
        "kept",
        "angles",
        "seal_text_detection_settings",
        "text_recognition_settings",
    )

    @classmethod
    def outputs_for(cls, params: Mapping[str, Any]) -> tuple[str, ...]:
        """See `DocPreprocessorResult.outputs_for`."""
        return tuple(dict.fromkeys((*cls.OUTPUTS, *DocPreprocessorResult.outputs_for(params))))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], page: Page) -> SealRecognitionResult:
        """Build a result from the outputs of the `seal_recognition` ensemble, see `BaseResult.from_tensors`."""
        with expect_outputs_to_fit():
            preparation = DocPreprocessorResult.part_of_result(tensors, page)
            layout = read_settings(tensors, LayoutDetectionSettings)
            detection = read_settings(tensors, SealTextDetectionSettings)
            recognition = read_settings(tensors, TextRecognitionSettings)
            data = {
                "input_path": page.input_path,
                "page_index": page.page_index,
                "doc_preprocessor_res": preparation,
                "layout_det_res": LayoutDetectionResult.from_settings(tensors, layout, preparation)
                if layout.use_layout_detection
                else {},
                "seal_res_list": _seals(tensors, preparation, detection, recognition),
                "model_settings": {
                    "use_doc_preprocessor": preparation.used,
                    "use_layout_detection": layout.use_layout_detection,
                },
            }
        return cls(data, page, (*preparation.stages, layout, detection, recognition))

    def to_legacy(self) -> dict[str, Any]:
        """Return the result in the form of PaddleX 3.0 beta, of plain Python values.

        Returns:
            `input_path`, `layout_result` (`input_path` and `boxes`; empty if layout detection was off, which the beta
            could not do) and `ocr_result`, a list with `OCRResult.to_legacy` of every seal. The beta gave each seal the
            path of a temporary file as its `input_path`; here it is None.
        """
        layout = self["layout_det_res"]
        boxes = {"input_path": self["input_path"], "boxes": to_plain(layout["boxes"])} if layout else {}
        return {
            "input_path": self["input_path"],
            "layout_result": boxes,
            "ocr_result": [seal.to_legacy() for seal in self["seal_res_list"]],
        }

    def _json_data(self) -> dict[str, Any]:
        preparation, layout = self["doc_preprocessor_res"], self["layout_det_res"]
        return {
            "input_path": self["input_path"],
            "page_index": self["page_index"],
            "model_settings": self["model_settings"],
            **({"doc_preprocessor_res": preparation.json["res"]} if preparation.used else {}),
            **({"layout_det_res": layout.json["res"]} if layout else {}),
            "seal_res_list": [seal.json["res"] for seal in self["seal_res_list"]],
        }

    def _print_data(self) -> dict[str, Any]:
        data = self._json_data()
        # PaddleX prints no page number here.
        del data["page_index"]
        if layout := self["layout_det_res"]:
            data["layout_det_res"] = layout.str["res"]
        data["seal_res_list"] = [seal.str["res"] for seal in self["seal_res_list"]]
        return data

    def _pictures(self) -> dict[str, Image.Image]:
        preparation, layout = self["doc_preprocessor_res"], self["layout_det_res"]
        pictures = {"layout_det_res": layout.img["res"]} if layout else {}
        if preparation.used:
            pictures.update(preparation.img)
        for seal in self["seal_res_list"]:
            pictures[f"seal_res_region{seal['seal_region_id']}"] = seal.img["ocr_res_img"]
        return pictures

    def _picture_names(self) -> list[str]:
        layout = ["layout_det_res"] if self["layout_det_res"] else []
        seals = [f"seal_res_region{seal['seal_region_id']}" for seal in self["seal_res_list"]]
        return [*layout, *self["doc_preprocessor_res"]._picture_names(), *seals]


def _seals(
    tensors: Mapping[str, np.ndarray],
    preparation: DocPreprocessorResult,
    detection: SealTextDetectionSettings,
    recognition: TextRecognitionSettings,
) -> list[OCRResult]:
    """Build one result for every region, with the lines in it.

    Raises:
        KeyError: an output is missing.
        ValueError: lines are counted differently, or are in no region, or not in the regions' order; or a region is
            empty.
    """
    lines = TextLines.from_tensors(tensors)
    regions = tensors["regions"].reshape(-1, 4)
    if (regions[:, :2] < 0).any() or (regions[:, 2:] <= regions[:, :2]).any():
        raise ValueError("a region is empty or off the page")
    region_ids = tensors["region_ids"].reshape(-1)
    if region_ids.tolist() != sorted(region_ids.tolist()) or len(region_ids) != len(lines):
        raise ValueError("the regions of the lines are not in order, or not one for each")
    if len(region_ids) and not 0 <= region_ids[0] <= region_ids[-1] < len(regions):
        raise ValueError(f"a line is in none of the {len(regions)} regions")
    bounds = np.searchsorted(region_ids, np.arange(len(regions) + 1)).tolist()
    seals = []
    for number, region in enumerate(regions.tolist()):
        seal = OCRResult.from_lines(
            lines.between(bounds[number], bounds[number + 1]),
            without_name(preparation.page),
            RegionPreparation(preparation, region),
            detection,
            recognition,
        )
        seal["seal_region_id"] = number + 1
        seals.append(seal)
    return seals
