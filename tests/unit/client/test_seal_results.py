"""Results of the `seal_recognition` pipeline: keys, order, types, printing, pictures, saving, the older form."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from paddlex_triton.client.exceptions import InvalidImageError, ServerError, UnsupportedError
from paddlex_triton.client.pages import Page
from paddlex_triton.client.results import LayoutDetectionResult, OCRResult, SealRecognitionResult
from paddlex_triton.ops.orientation import turn_page

OFF = {"use_layout_detection": False}
TURNED = {"use_doc_orientation_classify": True}
# Every line's outline in the answers of `seal_tensors`.
BENT = [[2, 20], [10, 5], [30, 2], [40, 12], [30, 14], [12, 22]]
SEAL_KEYS = [
    "input_path",
    "page_index",
    "model_settings",
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
]


def test_one_seal(seal_tensors, page):
    answer = seal_tensors([["公司"]], recognition={"score_thresh": 0})
    result = SealRecognitionResult.from_tensors(answer, page)
    assert result.json == {
        "res": {
            "input_path": "in/scan.png",
            "page_index": None,
            "model_settings": {"use_doc_preprocessor": False, "use_layout_detection": True},
            "layout_det_res": {
                "input_path": None,
                "page_index": None,
                "boxes": [{"cls_id": 16, "label": "seal", "score": 0.75, "coordinate": [5.0, 10.0, 55.0, 60.0]}],
            },
            "seal_res_list": [
                {
                    "input_path": None,
                    "page_index": None,
                    "model_settings": {"use_doc_preprocessor": False, "use_textline_orientation": False},
                    "dt_polys": [BENT],
                    "text_det_params": {
                        "limit_side_len": 736,
                        "limit_type": "min",
                        "thresh": 0.2,
                        "max_side_limit": 4000,
                        "box_thresh": 0.6,
                        "unclip_ratio": 0.5,
                    },
                    "text_type": "seal",
                    "textline_orientation_angles": [-1],
                    "text_rec_score_thresh": 0,
                    "return_word_box": False,
                    "rec_texts": ["公司"],
                    "rec_scores": [0.5],
                    "rec_polys": [BENT],
                    "rec_boxes": [],
                }
            ],
        }
    }
    assert list(result.json["res"]) == [
        "input_path",
        "page_index",
        "model_settings",
        "layout_det_res",
        "seal_res_list",
    ]
    assert list(result.json["res"]["seal_res_list"][0]) == SEAL_KEYS
    assert json.dumps(result.json["res"]["seal_res_list"][0]["text_rec_score_thresh"]) == "0"


def test_types_of_the_object(seal_tensors, page):
    result = SealRecognitionResult.from_tensors(seal_tensors([["a"], ["b", "c"]]), page)
    assert isinstance(result["layout_det_res"], LayoutDetectionResult)
    assert [type(seal) for seal in result["seal_res_list"]] == [OCRResult, OCRResult]
    assert [seal["seal_region_id"] for seal in result["seal_res_list"]] == [1, 2]
    assert [seal["rec_texts"] for seal in result["seal_res_list"]] == [["a"], ["b", "c"]]
    assert "seal_region_id" not in json.dumps(result.json)
    polygon = result["seal_res_list"][1]["dt_polys"][0]
    assert (polygon.dtype, polygon.shape) == (np.dtype(np.int64), (6, 2))
    box = result["layout_det_res"]["boxes"][0]
    assert [type(box[name]) for name in ("cls_id", "label", "score")] == [int, str, float]
    assert [type(value) for value in box["coordinate"]] == [np.float32] * 4
    assert list(result.settings) == [
        "doc_preprocessor",
        "layout_detection",
        "seal_text_detection",
        "text_recognition",
    ]
    assert "networks" not in json.dumps(result.json)


def test_coordinates_on_the_border_are_ints(seal_tensors, page):
    boxes = [
        (2, "text", [0, 0, 200, 120]),
        (2, "text", [0.5, 0.25, 199.5, 119.75]),
        (2, "text", [120, 200, 120, 200]),
    ]
    result = SealRecognitionResult.from_tensors(seal_tensors([], boxes=boxes), page)
    found = [box["coordinate"] for box in result.json["res"]["layout_det_res"]["boxes"]]
    assert json.dumps(found) == "[[0, 0, 200, 120], [0.5, 0.25, 199.5, 119.75], [120.0, 200.0, 120.0, 120]]"


def test_no_seal_on_the_page(seal_tensors, page):
    result = SealRecognitionResult.from_tensors(seal_tensors([], boxes=[(2, "text", [5, 5, 50, 20])]), page)
    assert result.json["res"]["seal_res_list"] == []
    assert [box["label"] for box in result.json["res"]["layout_det_res"]["boxes"]] == ["text"]
    assert list(result.img) == ["layout_det_res"]


def test_nothing_on_the_page(seal_tensors, page):
    result = SealRecognitionResult.from_tensors(seal_tensors([]), page)
    assert result.json["res"]["layout_det_res"] == {"input_path": None, "page_index": None, "boxes": []}
    assert result.json["res"]["seal_res_list"] == []
    assert np.array_equal(np.asarray(result.img["layout_det_res"])[:, :, ::-1], page.image())


def test_layout_detection_off(seal_tensors, page):
    answer = seal_tensors([["a"]], boxes=[], layout=OFF)
    answer["regions"] = np.array([[0, 0, 200, 120]], np.int32)
    result = SealRecognitionResult.from_tensors(answer, page)
    assert result["layout_det_res"] == {}
    assert list(result.json["res"]) == ["input_path", "page_index", "model_settings", "seal_res_list"]
    assert result.json["res"]["model_settings"]["use_layout_detection"] is False
    assert {name: picture.size for name, picture in result.img.items()} == {"seal_res_region1": (400, 120)}
    assert np.array_equal(result["seal_res_list"][0]["doc_preprocessor_res"]["output_img"], page.image())


def test_a_seal_without_lines_is_between_others(seal_tensors, page):
    result = SealRecognitionResult.from_tensors(seal_tensors([["a"], [], ["b"]]), page)
    seals = result.json["res"]["seal_res_list"]
    assert [seal["rec_texts"] for seal in seals] == [["a"], [], ["b"]]
    assert list(seals[1]) == [key for key in SEAL_KEYS if key != "textline_orientation_angles"]
    assert seals[1]["dt_polys"] == []
    assert list(result.img) == ["layout_det_res", "seal_res_region1", "seal_res_region2", "seal_res_region3"]


def test_all_lines_below_the_threshold(seal_tensors, page):
    answer = seal_tensors([["a", "b"]], kept=[False, False], recognition={"score_thresh": 0.9})
    result = SealRecognitionResult.from_tensors(answer, page)
    (seal,) = result.json["res"]["seal_res_list"]
    assert seal["dt_polys"] == [BENT, BENT]
    assert [seal[key] for key in ("rec_texts", "rec_scores", "rec_polys", "rec_boxes")] == [[]] * 4
    assert (seal["textline_orientation_angles"], seal["text_rec_score_thresh"]) == ([-1, -1], 0.9)
    assert result.to_legacy()["ocr_result"][0]["dt_polys"] == []


def test_many_seals(seal_tensors, page):
    texts = [[f"{k}", f"{k}x"] for k in range(300)]
    result = SealRecognitionResult.from_tensors(seal_tensors(texts), page)
    assert [seal["rec_texts"] for seal in result["seal_res_list"]] == texts
    assert result["seal_res_list"][-1]["seal_region_id"] == 300


@pytest.mark.parametrize(
    "change",
    [
        {"scores": np.zeros(2, np.float32)},
        {"offsets": np.array([0, 6, 12], np.int32)},
        {"offsets": np.array([0, 6, 12, 19], np.int32)},
        {"offsets": np.array([0, 12, 6, 18], np.int32)},
        {"poly_scores": np.zeros(4, np.float32)},
        {"region_ids": np.array([0, 1], np.int32)},
        {"region_ids": np.array([1, 0, 1], np.int32)},
        {"region_ids": np.array([0, 1, 2], np.int32)},
        {"region_ids": np.array([-1, 0, 1], np.int32)},
        {"regions": np.zeros((1, 4), np.int32)},
        {"regions": np.zeros(3, np.int32)},
        {"regions": np.array([[5, 10, 55, 60], [65, 10, 65, 60]], np.int32)},
        {"regions": np.array([[-5, 10, 55, 60], [65, 10, 95, 60]], np.int32)},
        {"layout_scores": np.zeros(3, np.float32)},
        {"layout_labels": np.array([b"seal"], object)},
        {"layout_boxes": np.zeros((1, 4), np.float32)},
        {"layout_detection_settings": np.array([b'{"use_layout_detection": true}'], object)},
        {"layout_detection_settings": np.array([b'{"use_layout_detection": true, "page_size": 3}'], object)},
        {"seal_text_detection_settings": np.array([b"[]"], object)},
        {"text_recognition_settings": np.array([b"{}"], object)},
        {"doc_preprocessor_settings": np.array([], object)},
    ],
)
def test_outputs_that_do_not_fit(seal_tensors, page, change):
    with pytest.raises(ServerError):
        SealRecognitionResult.from_tensors({**seal_tensors([["a"], ["b", "c"]]), **change}, page)


@pytest.mark.parametrize("name", SealRecognitionResult.OUTPUTS)
def test_missing_outputs(seal_tensors, page, name):
    answer = seal_tensors([["a"]], preparation={"use_doc_unwarping": True})
    del answer[name]
    with pytest.raises(ServerError, match=name):
        SealRecognitionResult.from_tensors(answer, page)


def test_what_is_fetched():
    assert "preprocessed_img" not in SealRecognitionResult.outputs_for({"return_preprocessed_img": False})
    for wanted in ({}, {"return_preprocessed_img": True}):
        assert SealRecognitionResult.outputs_for(wanted)[-1] == "preprocessed_img"
    assert "words" not in SealRecognitionResult.OUTPUTS


def test_page_preparation(seal_tensors, page):
    answer = seal_tensors([["a"]], angle=90, preparation=TURNED)
    result = SealRecognitionResult.from_tensors(answer, page)
    res = result.json["res"]
    assert list(res)[2:5] == ["model_settings", "doc_preprocessor_res", "layout_det_res"]
    assert res["model_settings"]["use_doc_preprocessor"] is True
    assert res["doc_preprocessor_res"]["angle"] == 90
    assert res["seal_res_list"][0]["model_settings"]["use_doc_preprocessor"] is False
    assert result.str["res"]["doc_preprocessor_res"] == res["doc_preprocessor_res"]
    assert {name: picture.size for name, picture in result.img.items()} == {
        "layout_det_res": (120, 200),
        "preprocessed_img": (440, 225),
        "seal_res_region1": (100, 50),
    }
    assert list(result.img) == ["layout_det_res", "preprocessed_img", "seal_res_region1"]


def test_pictures_of_a_flattened_page(seal_tensors, page):
    answer = seal_tensors([["a"], []], angle=270, preparation={**TURNED, "use_doc_unwarping": True})
    with pytest.raises(UnsupportedError, match=r"in/scan\.png: .*return_preprocessed_img=False"):
        _ = SealRecognitionResult.from_tensors(answer, page).img
    flat = np.random.default_rng(0).integers(0, 256, (200, 120, 3), dtype=np.uint8)
    answer["preprocessed_img"] = flat
    pictures = SealRecognitionResult.from_tensors(answer, page).img
    # The second seal, which has no lines, reaches to the border.
    assert np.array_equal(np.asarray(pictures["seal_res_region2"])[:, :50, ::-1], flat[10:60, 65:115])
    assert np.array_equal(np.asarray(pictures["preprocessed_img"])[:200, -120:, ::-1], flat)


def test_seals_of_a_page_that_was_turned(seal_tensors):
    noise = np.random.default_rng(0).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    page = Page(cv2.imencode(".png", noise)[1].tobytes())
    answer = seal_tensors([[], []], boxes=[], angle=180, preparation=TURNED)
    pictures = SealRecognitionResult.from_tensors(answer, page).img
    turned = turn_page(noise, 180)
    assert np.array_equal(np.asarray(pictures["layout_det_res"])[:, :, ::-1], turned)
    assert np.array_equal(np.asarray(pictures["seal_res_region2"])[:, :50, ::-1], turned[10:60, 65:115])


def test_pictures(seal_tensors):
    image = np.arange(120 * 200 * 3, dtype=np.uint32).reshape(120, 200, 3).astype(np.uint8)
    page = Page(cv2.imencode(".png", image)[1].tobytes())
    result = SealRecognitionResult.from_tensors(seal_tensors([["a"], []]), page)
    sizes = {name: picture.size for name, picture in result.img.items()}
    assert sizes == {"layout_det_res": (200, 120), "seal_res_region1": (100, 50), "seal_res_region2": (100, 50)}
    untouched = np.asarray(result.img["seal_res_region2"])[:, :50, ::-1]
    assert np.array_equal(untouched, image[10:60, 65:115])


@pytest.mark.parametrize(("preparation", "pictures"), [({}, 3), ({"angle": 90, "preparation": TURNED}, 4)])
def test_the_page_is_decoded_once_for_all_pictures(seal_tensors, page, monkeypatch, preparation, pictures):
    decoded = []
    decode = Page.image
    monkeypatch.setattr(Page, "image", lambda self: decoded.append(self.payload) or decode(self))
    result = SealRecognitionResult.from_tensors(seal_tensors([["a"], ["b"]], **preparation), page)
    assert all([result.json, result.to_legacy(), result.str])
    assert decoded == []
    assert [len(result.img), len(result.img)] == [pictures, pictures]
    assert decoded == [page.payload]


def test_a_page_that_cannot_be_decoded_here(seal_tensors):
    result = SealRecognitionResult.from_tensors(seal_tensors([["a"]]), Page(b"no image", "in/scan.png"))
    with pytest.raises(InvalidImageError, match=r"in/scan\.png"):
        _ = result.img


def test_parts_stand_on_their_own(seal_tensors, page, tmp_path):
    answer = seal_tensors([["a"]])
    result = SealRecognitionResult.from_tensors(answer, page)
    assert "page_index" in result["layout_det_res"].json["res"]
    layout = LayoutDetectionResult.from_tensors(answer, page)
    assert layout.json == result["layout_det_res"].json
    assert layout.img["res"].size == (200, 120)
    with pytest.raises(KeyError):
        _ = layout["nothing"]
    seal = result["seal_res_list"][0]
    assert seal.img["ocr_res_img"].size == (100, 50)
    with pytest.raises(KeyError):
        _ = seal["doc_preprocessor_res"]["nothing"]
    assert seal["doc_preprocessor_res"].json == {"res": {}}
    assert seal.settings.keys() == {"seal_text_detection", "text_recognition"}
    seal.save_to_img(tmp_path / "seal.png")
    assert (tmp_path / "seal.png").is_file()


def test_the_older_form(seal_tensors, page):
    boxes = [(2, "text", [0, 5, 50, 20]), (16, "seal", [5, 10, 55, 60])]
    answer = seal_tensors([["a", "b", "c"]], boxes=boxes, scores=[0.5, 0.25, 0.75], kept=[True, False, True])
    result = SealRecognitionResult.from_tensors(answer, page)
    assert json.loads(json.dumps(result.to_legacy())) == {
        "input_path": "in/scan.png",
        "layout_result": {
            "input_path": "in/scan.png",
            "boxes": [
                {"cls_id": 2, "label": "text", "score": 0.75, "coordinate": [0, 5.0, 50.0, 20.0]},
                {"cls_id": 16, "label": "seal", "score": 0.75, "coordinate": [5.0, 10.0, 55.0, 60.0]},
            ],
        },
        "ocr_result": [
            {
                "input_path": None,
                "dt_polys": [BENT, BENT],
                "dt_scores": [0.5, 1.0],
                "rec_text": ["a", "c"],
                "rec_score": [0.5, 0.75],
            }
        ],
    }
    off = SealRecognitionResult.from_tensors(seal_tensors([], boxes=[], layout=OFF), page).to_legacy()
    assert off == {"input_path": "in/scan.png", "layout_result": {}, "ocr_result": []}


def test_the_older_form_of_a_page_of_text(tensors, page):
    legacy = OCRResult.from_tensors(tensors(["a", "b"], kept=[False, True]), page).to_legacy()
    assert json.loads(json.dumps(legacy)) == {
        "input_path": "in/scan.png",
        "dt_polys": [[[10, 30], [90, 30], [90, 50], [10, 50]]],
        "dt_scores": [pytest.approx(0.9)],
        "rec_text": ["b"],
        "rec_score": [0.5],
    }


def test_print(seal_tensors, page, capsys):
    result = SealRecognitionResult.from_tensors(seal_tensors([["公司"]]), page)
    result.print()
    text = capsys.readouterr().out
    # Unlike the JSON, without the page's number.
    assert text.startswith("{'res': {'input_path': 'in/scan.png', 'model_settings': {'use_doc_preprocessor': False, ")
    assert "'rec_texts': ['公司'], 'rec_scores': array([0.5]" in text
    with np.printoptions(threshold=1, edgeitems=1):
        assert text == f"{result.str}\n"
    found = result.str["res"]
    assert list(found) == ["input_path", "model_settings", "layout_det_res", "seal_res_list"]
    assert [type(value) for value in found["layout_det_res"]["boxes"][0]["coordinate"]] == [np.float32] * 4
    assert isinstance(found["seal_res_list"][0]["dt_polys"][0], np.ndarray)
    result.print(json_format=True)
    assert capsys.readouterr().out == json.dumps(result.json, indent=4, ensure_ascii=False) + "\n"


@pytest.mark.parametrize(
    ("input_path", "page_index", "stem", "suffix"),
    [("in/scan.jpg", None, "scan", ".jpg"), ("scan.pdf", 3, "scan_3", ".png")],
)
def test_names_of_saved_files(seal_tensors, page, tmp_path, input_path, page_index, stem, suffix):
    result = SealRecognitionResult.from_tensors(
        seal_tensors([["a"], ["b"]]), Page(page.payload, input_path, page_index)
    )
    result.save_all(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{stem}_layout_det_res{suffix}",
        f"{stem}_res.json",
        f"{stem}_seal_res_region1{suffix}",
        f"{stem}_seal_res_region2{suffix}",
    ]
    assert json.loads((tmp_path / f"{stem}_res.json").read_text(encoding="utf-8")) == result.json["res"]
    with Image.open(tmp_path / f"{stem}_seal_res_region2{suffix}") as picture:
        assert picture.size == (100, 50)
