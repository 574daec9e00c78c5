"""Result of the `OCR` pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from paddlex_triton.client.pages import Page
from paddlex_triton.client.results.base import BaseResult, expect_outputs_to_fit, read_settings, to_plain
from paddlex_triton.client.results.doc_preprocessor import DocPreprocessorResult
from paddlex_triton.client.results.text_lines import TextLines
from paddlex_triton.settings import (
    LineDetectionSettings,
    StageSettings,
    TextDetectionSettings,
    TextRecognitionSettings,
)

_DETECTION_PARAMS = ("limit_side_len", "limit_type", "thresh", "max_side_limit", "box_thresh", "unclip_ratio")
# What PaddleX's arrays of points hold, by the kind of text.
_POLYGON_DTYPES = {"general": np.int16, "seal": np.int64}
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
    """Text lines of one page, or of one seal on it.

    Keys: `input_path`, `page_index`, `doc_preprocessor_res`, `dt_polys` (INT16 [4,2] each, x,y page pixels, order TL,
    TR,BR,BL; INT64 [n,2] of a seal, x,y pixels of the seal's region; of all detected lines), `model_settings`,
    `text_det_params`, `text_type` ("general" or "seal"), `text_rec_score_thresh`,
    `return_word_box`, `rec_texts`, `rec_scores`, `rec_polys` (of the lines that reached the score threshold),
    `textline_orientation_angles` (one per detected line: 0, 1 for upside down, -1 if not looked at; absent if
    nothing was detected), `rec_boxes` (INT16 [K,4], xmin,ymin,xmax,ymax; empty for a seal).
    With word boxes also `text_word`, `text_word_region` and `text_word_boxes`, a list per line. A seal's result has
    its number on the page too: `seal_region_id`, from 1.

    Attributes:
        detection_scores: of the lines in `rec_polys`, mean probability of text inside the polygon. PaddleX has no key
            for them.
    """

    OUTPUTS = (
        *DocPreprocessorResult.OUTPUTS,
        "points",
        "offsets",
        "poly_scores",
        "texts",
        "scores",
        "kept",
        "angles",
        "text_detection_settings",
        "text_recognition_settings",
    )

    def __init__(
        self,
        data: Mapping[str, Any],
        page: Page,
        stages: Iterable[StageSettings] = (),
        *,
        detection_scores: Sequence[float] = (),
    ) -> None:
        super().__init__(data, page, stages)
        self.detection_scores = list(detection_scores)

    @classmethod
    def outputs_for(cls, params: Mapping[str, Any]) -> tuple[str, ...]:
        """Add word boxes only if they were asked for; see `DocPreprocessorResult.outputs_for` too."""
        words = ("words",) if params.get("return_word_box") else ()
        return tuple(dict.fromkeys((*cls.OUTPUTS, *DocPreprocessorResult.outputs_for(params), *words)))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], page: Page) -> OCRResult:
        """Build a result from the outputs of the `ocr` ensemble, see `BaseResult.from_tensors`."""
        with expect_outputs_to_fit():
            preparation = DocPreprocessorResult.part_of_result(tensors, page)
            detection = read_settings(tensors, TextDetectionSettings)
            recognition = read_settings(tensors, TextRecognitionSettings)
            return cls.from_lines(TextLines.from_tensors(tensors), page, preparation, detection, recognition)

    @classmethod
    def from_lines(
        cls,
        lines: TextLines,
        page: Page,
        preparation: DocPreprocessorResult,
        detection: LineDetectionSettings,
        recognition: TextRecognitionSettings,
    ) -> OCRResult:
        """Build a result from the lines of a page, or of a region of it.

        Args:
            lines: all of them, kept or not.
            page: what the result is called after.
            preparation: what was done to the page; its `["output_img"]` is what the lines lie on.
            detection: settings of the stage that found the lines.
            recognition: settings of the stage that read them.

        Raises:
            ValueError: the words of a line are no JSON.
        """
        rows = [row for row, kept in enumerate(lines.kept) if kept]
        data = _fields(lines, rows, page, preparation, detection, recognition)
        scores = [lines.detection_scores[row] for row in rows]
        return cls(data, page, (*preparation.stages, detection, recognition), detection_scores=scores)

    def to_legacy(self) -> dict[str, Any]:
        """Return the result in the form of PaddleX 3.0 beta, of plain Python values.

        Returns:
            `input_path`, `dt_polys`, `dt_scores`, `rec_text` and `rec_score`. The beta knew no score threshold: its
            four lists were about all lines that were found, line by line. Here they are about those that reached
            `text_rec_score_thresh`, which is all of them at PaddleX's default of 0: entry k of each is still the same
            line, and the caller's threshold is not undone.
        """
        return {
            "input_path": self["input_path"],
            "dt_polys": to_plain(self["rec_polys"]),
            "dt_scores": list(self.detection_scores),
            "rec_text": list(self["rec_texts"]),
            "rec_score": list(self["rec_scores"]),
        }

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

    def _picture_names(self) -> list[str]:
        return ["ocr_res_img", *self["doc_preprocessor_res"]._picture_names()]


def _fields(
    lines: TextLines,
    rows: list[int],
    page: Page,
    preparation: DocPreprocessorResult,
    detection: LineDetectionSettings,
    recognition: TextRecognitionSettings,
) -> dict[str, Any]:
    """Return all keys of the result, in PaddleX's order; `rows` are the lines that reached the threshold."""
    text_type = detection.text_type
    polygons = [polygon.astype(_POLYGON_DTYPES[text_type]) for polygon in lines.polygons]
    rec_polys = [polygons[row] for row in rows]
    words = _words([lines.words[row] for row in rows]) if recognition.return_word_box else {}
    data: dict[str, Any] = {
        "input_path": page.input_path,
        "page_index": page.page_index,
        "doc_preprocessor_res": preparation,
        "dt_polys": polygons,
        "model_settings": {
            "use_doc_preprocessor": preparation.used,
            "use_textline_orientation": recognition.use_textline_orientation,
        },
        "text_det_params": {name: getattr(detection, name) for name in _DETECTION_PARAMS},
        "text_type": text_type,
        "text_rec_score_thresh": recognition.score_thresh,
        "return_word_box": recognition.return_word_box,
        "rec_texts": [lines.texts[row] for row in rows],
        "rec_scores": [lines.scores[row] for row in rows],
        "rec_polys": rec_polys,
        **words,
    }
    if polygons:
        data["textline_orientation_angles"] = lines.angles
    data["rec_boxes"] = boxes_around(rec_polys) if text_type == "general" else np.array([])
    if words:
        data["text_word_boxes"] = [boxes_around(line) for line in words["text_word_region"]]
    return data


def _words(lines: list[bytes]) -> dict[str, list[Any]]:
    """Read the words of lines: JSON `{"words": [str], "regions": [[[x, y] * 4]]}` each."""
    read = [json.loads(line or b'{"words": [], "regions": []}') for line in lines]
    # PaddleX's regions are tuples of points.
    regions = [[tuple(map(tuple, region)) for region in line["regions"]] for line in read]
    return {"text_word": [line["words"] for line in read], "text_word_region": regions}


def _has_area(region: Any) -> bool:
    """Tell whether a word's box is a pixel wide and a pixel high."""
    corners = np.array(region, np.float64)
    return all(np.linalg.norm(corners[0] - corners[other]) >= 1 for other in (1, 3))


def boxes_around(polygons: list[Any]) -> np.ndarray:
    """Return the upright boxes around polygons with equal numbers of points.

    Args:
        polygons: K arrays or lists [n,2], x and y in pixels.

    Returns:
        [K,4] xmin,ymin,xmax,ymax of the polygons' dtype; FP64 [0] if there are none, as PaddleX has it.
    """
    if not polygons:
        return np.array([])
    points = np.array(polygons)
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
