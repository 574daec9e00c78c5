"""Result of the `OCR` pipeline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from paddlex_triton.client.exceptions import ServerError
from paddlex_triton.client.pages import Page
from paddlex_triton.client.results.base import BaseResult, read_settings, texts_of, unpack_polygons
from paddlex_triton.client.results.doc_preprocessor import DocPreprocessorResult

_DETECTION_PARAMS = ("limit_side_len", "limit_type", "thresh", "max_side_limit", "box_thresh", "unclip_ratio")
_JSON_KEYS = (
    "input_path",
    "page_index",
    "model_settings",
    "doc_preprocessor_res",
    "dt_polys",
    "text_det_params",
    "text_type",
    "textline_orientation_angles",
    "text_rec_score_thresh",
    "return_word_box",
    "rec_texts",
    "rec_scores",
    "rec_polys",
    "rec_boxes",
    "text_word_boxes",
    "text_word",
)


class OCRResult(BaseResult):
    """Text lines of one page.

    Keys: `input_path`, `page_index`, `doc_preprocessor_res`, `dt_polys` (INT16 [4,2] each, x,y page pixels, order TL,
    TR,BR,BL; of all detected lines), `model_settings`, `text_det_params`, `text_type`, `text_rec_score_thresh`,
    `return_word_box`, `rec_texts`, `rec_scores`, `rec_polys` (of the lines that reached the score threshold),
    `textline_orientation_angles` (one per detected line: 0, 1 for upside down, -1 if not looked at; absent if
    nothing was detected), `rec_boxes` (INT16 [K,4], xmin,ymin,xmax,ymax).
    With word boxes also `text_word`, `text_word_region` and `text_word_boxes`, a list per line.
    """

    OUTPUTS = (
        *DocPreprocessorResult.OUTPUTS,
        "points",
        "offsets",
        "texts",
        "scores",
        "kept",
        "angles",
        "text_detection_settings",
        "text_recognition_settings",
    )

    @classmethod
    def outputs_for(cls, params: Mapping[str, Any]) -> tuple[str, ...]:
        """Word boxes and the prepared page are fetched only when they were asked for."""
        words = ("words",) if params.get("return_word_box") else ()
        return tuple(dict.fromkeys((*cls.OUTPUTS, *DocPreprocessorResult.outputs_for(params), *words)))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], page: Page) -> OCRResult:
        """Build a result from the outputs of the `ocr` ensemble, see `BaseResult.from_tensors`."""
        detection = read_settings(tensors["text_detection_settings"], "text_detection")
        recognition = read_settings(tensors["text_recognition_settings"], "text_recognition")
        preparation = DocPreprocessorResult.from_tensors(tensors, page)
        try:
            data = _fields(tensors, page, preparation, detection, recognition)
        except (KeyError, ValueError) as error:
            raise ServerError(f"the answer's outputs do not fit each other: {error!r}") from None
        return cls(data, page, {**preparation.settings, "text_detection": detection, "text_recognition": recognition})

    def _json_data(self) -> dict[str, Any]:
        preparation = self["doc_preprocessor_res"]
        data = {name: self[name] for name in _JSON_KEYS if name in self}
        data["doc_preprocessor_res"] = preparation.json["res"] if preparation.used else None
        return {name: value for name, value in data.items() if name != "doc_preprocessor_res" or preparation.used}

    def _print_data(self) -> dict[str, Any]:
        data = self._json_data()
        arrays = ["textline_orientation_angles", "rec_scores", "rec_boxes"]
        if self["text_type"] != "seal":
            arrays += ["dt_polys", "rec_polys"]
        return {name: np.array(value) if name in arrays else value for name, value in data.items()}

    def _pictures(self) -> dict[str, Image.Image]:
        from paddlex_triton.client.results.drawing import draw_text_lines

        preparation = self["doc_preprocessor_res"]
        if "text_word_region" in self:
            regions = [region for line in self["text_word_region"] for region in line]
            words = [word for line in self["text_word"] for word in line]
            # Words without an area take no colour either.
            shown = [(region, word) for region, word in zip(regions, words, strict=True) if _has_area(region)]
            polygons, texts = [region for region, _ in shown], [word for _, word in shown]
        else:
            polygons, texts = self["rec_polys"], self["rec_texts"]
        pictures = {"ocr_res_img": draw_text_lines(preparation["output_img"], polygons, texts)}
        return {**pictures, **preparation.img} if preparation.used else pictures


def _fields(
    tensors: Mapping[str, np.ndarray],
    page: Page,
    preparation: DocPreprocessorResult,
    detection: Mapping[str, Any],
    recognition: Mapping[str, Any],
) -> dict[str, Any]:
    """All keys of the result, in PaddleX's order."""
    text_type = detection["text_type"]
    polygons = _polygons(tensors, text_type)
    kept = tensors["kept"].reshape(-1).astype(bool)
    texts, scores = texts_of(tensors["texts"]), tensors["scores"].reshape(-1).tolist()
    angles = tensors["angles"].reshape(-1).tolist()
    lengths = {len(polygons), len(texts), len(scores), len(kept), len(angles)}
    if len(lengths) != 1:
        raise ValueError(f"lines are counted differently: {sorted(lengths)}")
    rows = [index for index, keep in enumerate(kept) if keep]
    rec_polys = [polygons[row] for row in rows]
    words = _words(tensors, rows) if recognition["return_word_box"] else {}
    data: dict[str, Any] = {
        "input_path": page.input_path,
        "page_index": page.page_index,
        "doc_preprocessor_res": preparation,
        "dt_polys": polygons,
        "model_settings": {
            "use_doc_preprocessor": preparation.used,
            "use_textline_orientation": recognition["use_textline_orientation"],
        },
        "text_det_params": {name: detection[name] for name in _DETECTION_PARAMS},
        "text_type": text_type,
        "text_rec_score_thresh": recognition["score_thresh"],
        "return_word_box": recognition["return_word_box"],
        "rec_texts": [texts[row] for row in rows],
        "rec_scores": [scores[row] for row in rows],
        "rec_polys": rec_polys,
        **words,
    }
    if polygons:
        data["textline_orientation_angles"] = angles
    data["rec_boxes"] = boxes_around(rec_polys) if text_type == "general" else np.array([])
    if words:
        data["text_word_boxes"] = [boxes_around(line) for line in words["text_word_region"]]
    return data


def _polygons(tensors: Mapping[str, np.ndarray], text_type: str) -> list[Any]:
    """General: INT16 [4,2] arrays. Seal: lists of points, whose number differs."""
    polygons = unpack_polygons(tensors["points"], tensors["offsets"])
    return [polygon.astype(np.int16) if text_type == "general" else polygon.tolist() for polygon in polygons]


def _words(tensors: Mapping[str, np.ndarray], rows: list[int]) -> dict[str, list[Any]]:
    """Words of the given lines: `words` BYTES [K], JSON `{"words": [str], "regions": [[[x, y] * 4]]}` each."""
    lines = [json.loads(tensors["words"].reshape(-1)[row] or b'{"words": [], "regions": []}') for row in rows]
    return {
        "text_word": [line["words"] for line in lines],
        "text_word_region": [line["regions"] for line in lines],
    }


def _has_area(region: Any) -> bool:
    """Whether a word's box is a pixel wide and a pixel high."""
    corners = np.array(region, np.float64)
    return all(np.linalg.norm(corners[0] - corners[other]) >= 1 for other in (1, 3))


def boxes_around(polygons: list[Any]) -> np.ndarray:
    """Upright boxes around polygons with equal numbers of points.

    Args:
        polygons: K arrays or lists [n,2], x and y in pixels.

    Returns:
        [K,4] xmin,ymin,xmax,ymax of the polygons' dtype; FP64 [0] if there are none, as PaddleX has it.
    """
    if not polygons:
        return np.array([])
    points = np.array(polygons)
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
