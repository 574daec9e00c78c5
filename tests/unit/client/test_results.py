"""Result objects: keys, order, types, printing, saving."""

import json
import re

import cv2
import numpy as np
import pytest
from PIL import Image

from paddlex_triton.client.exceptions import ServerError, UnsupportedError
from paddlex_triton.client.pages import Page
from paddlex_triton.client.results import RESULTS, OCRResult
from paddlex_triton.client.results.base import to_plain
from paddlex_triton.ops.orientation import turn_page
from paddlex_triton.pipelines import PIPELINES

# Of PaddleX 3.7.2's own file for a page with every switch off.
KEYS = [
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
BOX_0 = [[10, 0], [90, 0], [90, 20], [10, 20]]
BOX_1 = [[10, 30], [90, 30], [90, 50], [10, 50]]


def test_one_line(tensors, page):
    result = OCRResult.from_tensors(tensors(["你好"]), page)
    assert result.json == {
        "res": {
            "input_path": "in/scan.png",
            "page_index": None,
            "model_settings": {"use_doc_preprocessor": False, "use_textline_orientation": False},
            "dt_polys": [BOX_0],
            "text_det_params": {
                "limit_side_len": 64,
                "limit_type": "min",
                "thresh": 0.3,
                "max_side_limit": 4000,
                "box_thresh": 0.6,
                "unclip_ratio": 1.5,
            },
            "text_type": "general",
            "textline_orientation_angles": [-1],
            "text_rec_score_thresh": 0.0,
            "return_word_box": False,
            "rec_texts": ["你好"],
            "rec_scores": [0.5],
            "rec_polys": [BOX_0],
            "rec_boxes": [[10, 0, 90, 20]],
        }
    }
    assert list(result.json["res"]) == KEYS
    assert list(result.json["res"]["text_det_params"]) == [
        "limit_side_len",
        "limit_type",
        "thresh",
        "max_side_limit",
        "box_thresh",
        "unclip_ratio",
    ]


def test_types_of_the_object(tensors, page):
    result = OCRResult.from_tensors(tensors(["a", "b"]), page)
    assert isinstance(result, dict)
    assert isinstance(result["dt_polys"], list)
    assert {array.dtype for array in result["dt_polys"] + result["rec_polys"]} == {np.dtype(np.int16)}
    assert (result["rec_boxes"].dtype, result["rec_boxes"].shape) == (np.dtype(np.int16), (2, 4))
    assert [type(score) for score in result["rec_scores"]] == [float, float]
    assert np.array_equal(result["doc_preprocessor_res"]["output_img"], page.image())


def test_nothing_detected(tensors, page):
    result = OCRResult.from_tensors(tensors([]), page)
    res = result.json["res"]
    assert "textline_orientation_angles" not in res
    assert [key for key in KEYS if key != "textline_orientation_angles"] == list(res)
    assert [res[key] for key in ("dt_polys", "rec_texts", "rec_scores", "rec_polys", "rec_boxes")] == [[]] * 5
    assert result.img["ocr_res_img"].size == (400, 120)


def test_lines_below_the_threshold_stay_in_dt_polys_only(tensors, page):
    answer = tensors(["a", "b"], kept=[False, True], scores=[0.25, 0.75], recognition={"score_thresh": 0.5})
    res = OCRResult.from_tensors(answer, page).json["res"]
    assert res["dt_polys"] == [BOX_0, BOX_1]
    assert res["rec_polys"] == [BOX_1]
    assert (res["rec_texts"], res["rec_scores"], res["rec_boxes"]) == (["b"], [0.75], [[10, 30, 90, 50]])
    assert res["textline_orientation_angles"] == [-1, -1]
    assert res["text_rec_score_thresh"] == 0.5
    nothing = OCRResult.from_tensors(tensors(["a"], kept=[False]), page).json["res"]
    assert (nothing["rec_boxes"], nothing["textline_orientation_angles"]) == ([], [-1])


def test_line_orientation(tensors, page):
    answer = tensors(["a", "b"], angles=[0, 1], recognition={"use_textline_orientation": True})
    res = OCRResult.from_tensors(answer, page).json["res"]
    assert res["textline_orientation_angles"] == [0, 1]
    assert res["model_settings"]["use_textline_orientation"] is True


def test_word_boxes(tensors, page):
    words = [
        {"words": ["a", "b"], "regions": [BOX_0, [[5, 1], [9, 1], [9, 3], [5, 3]]]},
        {"words": ["c"], "regions": [BOX_1]},
    ]
    answer = tensors(["ab", "c"], words=words, recognition={"return_word_box": True})
    result = OCRResult.from_tensors(answer, page)
    res = result.json["res"]
    assert list(res) == [*KEYS, "text_word_boxes", "text_word"]
    assert res["text_word"] == [["a", "b"], ["c"]]
    assert res["text_word_boxes"] == [[[10, 0, 90, 20], [5, 1, 9, 3]], [[10, 30, 90, 50]]]
    assert result["text_word_region"][1] == [tuple(map(tuple, BOX_1))]
    assert [type(boxes) for boxes in result.str["res"]["text_word_boxes"]] == [np.ndarray, np.ndarray]
    assert OCRResult.outputs_for({"return_word_box": True})[-1] == "words"
    assert "ocr_res_img" in result.img


def test_word_boxes_of_nothing(tensors, page):
    nothing = OCRResult.from_tensors(tensors([], recognition={"return_word_box": True}), page)
    assert list(nothing.json["res"])[-2:] == ["text_word_boxes", "text_word"]
    assert [nothing.json["res"][key] for key in ("text_word_boxes", "text_word")] == [[], []]
    empty = {"words": [], "regions": []}
    answer = tensors(["", "a"], words=[empty, empty], kept=[True, False], recognition={"return_word_box": True})
    result = OCRResult.from_tensors(answer, page)
    assert [result.json["res"][key] for key in ("text_word_boxes", "text_word")] == [[[]], [[]]]
    assert np.array_equal(np.asarray(result.img["ocr_res_img"]), np.asarray(nothing.img["ocr_res_img"]))


@pytest.mark.parametrize("words", [b'{"words": ["a"]}', b"[]", b"no JSON", b'{"words": ["a"], "regions": [3]}'])
def test_words_that_cannot_be_read(tensors, page, words):
    answer = tensors(["a"], recognition={"return_word_box": True})
    answer["words"] = np.array([words], object)
    with pytest.raises(ServerError, match="do not fit"):
        OCRResult.from_tensors(answer, page)


def test_words_without_an_area_are_not_drawn(tensors, page):
    flat = [[5, 5], [5, 5], [5, 9], [5, 9]]
    pictures = []
    for line in ({"words": ["a"], "regions": [BOX_0]}, {"words": ["", "a"], "regions": [flat, BOX_0]}):
        answer = tensors(["a"], words=[line], recognition={"return_word_box": True})
        pictures.append(np.asarray(OCRResult.from_tensors(answer, page).img["ocr_res_img"]))
    assert np.array_equal(*pictures)


TURNED = {"use_doc_orientation_classify": True}
FLATTENED = {"use_doc_unwarping": True}


@pytest.fixture
def spotted() -> Page:
    """A page of 200 x 120 pixels of which no two rows or columns are equal, in a file called scan.png."""
    noise = np.random.default_rng(0).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    return Page(cv2.imencode(".png", noise)[1].tobytes(), "in/scan.png")


def test_page_preparation(tensors, page):
    answer = tensors(["a"], angle=90, preparation=TURNED)
    result = OCRResult.from_tensors(answer, page)
    res = result.json["res"]
    assert list(res)[2:5] == ["model_settings", "doc_preprocessor_res", "dt_polys"]
    assert res["model_settings"]["use_doc_preprocessor"] is True
    assert res["doc_preprocessor_res"] == {
        "input_path": None,
        "page_index": None,
        "model_settings": {"use_doc_orientation_classify": True, "use_doc_unwarping": False},
        "angle": 90,
    }
    assert list(res["doc_preprocessor_res"]) == ["input_path", "page_index", "model_settings", "angle"]
    assert list(result.str["res"]) == list(res)
    assert result.str["res"]["doc_preprocessor_res"] == res["doc_preprocessor_res"]
    for wanted in ({"return_preprocessed_img": True}, {"return_preprocessed_img": None}, {}):
        assert "preprocessed_img" in OCRResult.outputs_for(wanted)
    assert "preprocessed_img" not in OCRResult.outputs_for({"return_preprocessed_img": False})


@pytest.mark.parametrize("sent_back", [False, True])
@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_pages_that_were_only_turned_are_turned_here(tensors, spotted, angle, sent_back):
    answer = tensors(["a"], angle=angle, preparation=TURNED)
    turned = turn_page(spotted.image(), angle)
    if sent_back:
        answer["preprocessed_img"] = turned
    result = OCRResult.from_tensors(answer, spotted)
    pages = result["doc_preprocessor_res"]
    assert np.array_equal(pages["input_img"], spotted.image())
    assert np.array_equal(pages["rot_img"], turned)
    assert np.array_equal(pages["output_img"], turned)
    pictures = result.img
    assert list(pictures) == ["ocr_res_img", "preprocessed_img"]
    height, width = turned.shape[:2]
    assert pictures["ocr_res_img"].size == (2 * width, height)
    # Below the line.
    assert np.array_equal(np.asarray(pictures["ocr_res_img"])[25:, :width, ::-1], turned[25:])
    beside = np.asarray(pictures["preprocessed_img"])[:, :, ::-1]
    assert beside.shape == (max(height, 120) + 25, 200 + 2 * width, 3)
    assert np.array_equal(beside[:120, :200], spotted.image())
    assert np.array_equal(beside[:height, 200 : 200 + width], turned)
    assert np.array_equal(beside[:height, 200 + width :], turned)


@pytest.mark.parametrize("preparation", [FLATTENED, {**TURNED, **FLATTENED}])
def test_flattened_pages_must_be_sent_back(tensors, spotted, tmp_path, preparation):
    answer = tensors(["a"], angle=180, preparation=preparation)
    result = OCRResult.from_tensors(answer, spotted)
    assert result.json["res"]["doc_preprocessor_res"]["angle"] == 180
    for draw in (lambda: result.img, lambda: result.save_to_img(tmp_path), lambda: result["doc_preprocessor_res"].img):
        with pytest.raises(UnsupportedError, match=r"in/scan\.png: .*predict without return_preprocessed_img=False"):
            draw()
    assert list(tmp_path.iterdir()) == []
    result.save_to_json(tmp_path)
    answer["preprocessed_img"] = spotted.image()[::-1]
    pages = OCRResult.from_tensors(answer, spotted)["doc_preprocessor_res"]
    assert np.array_equal(pages["output_img"], spotted.image()[::-1])
    assert np.array_equal(pages["rot_img"], turn_page(spotted.image(), 180))


def test_pages_that_were_not_prepared(tensors, page):
    preparation = OCRResult.from_tensors(tensors(["a"]), page)["doc_preprocessor_res"]
    assert np.array_equal(preparation["output_img"], page.image())
    assert list(preparation) == ["output_img"]
    assert preparation.img == {}
    assert preparation.json == preparation.str == {"res": {}}
    for key in ("input_img", "rot_img", "nothing"):
        with pytest.raises(KeyError):
            _ = preparation[key]


@pytest.mark.parametrize(
    ("turned", "flattened", "angle", "middle"),
    [(False, True, -1, 200), (True, True, 180, 255), (True, True, 0, 200)],
)
def test_picture_of_page_preparation(tensors, turned, flattened, angle, middle):
    original = np.full((120, 200, 3), 200, np.uint8)
    original[:40] = 255
    page = Page(cv2.imencode(".png", original)[1].tobytes())
    used = {"use_doc_orientation_classify": turned, "use_doc_unwarping": flattened}
    answer = tensors(["a"], angle=angle, preparation=used)
    answer["preprocessed_img"] = np.full((120, 200, 3), 90, np.uint8)
    picture = np.asarray(OCRResult.from_tensors(answer, page).img["preprocessed_img"])
    assert picture.shape == (145, 600, 3)
    # The page as it was sent, turned (whose lower part is looked at) and prepared.
    assert [int(picture[110, x].min()) for x in (100, 300, 500)] == [200, middle, 90]
    captions = picture[120:]
    assert (captions.min(axis=2) < 100).any()


@pytest.mark.parametrize(
    ("input_path", "page_index", "stem", "suffix"),
    [("in/scan.jpg", None, "scan", ".jpg"), ("scan.pdf", 11, "scan_11", ".png"), ("scan.tiff", 2, "scan_2", ".tiff")],
)
def test_names_of_pictures_of_prepared_pages(tensors, page, tmp_path, input_path, page_index, stem, suffix):
    answer = tensors(["a"], angle=90, preparation=TURNED)
    result = OCRResult.from_tensors(answer, Page(page.payload, input_path, page_index))
    result.save_all(tmp_path)
    names = [f"{stem}_ocr_res_img{suffix}", f"{stem}_preprocessed_img{suffix}", f"{stem}_res.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    with Image.open(tmp_path / names[1]) as picture:
        assert picture.size == (440, 225)
    # On its own it has no name, as in PaddleX.
    result["doc_preprocessor_res"].save_to_img(tmp_path / "own")
    (own,) = (tmp_path / "own").iterdir()
    assert re.fullmatch(r"\d{10}_\d{4}_preprocessed_img\.png", own.name)


def test_settings_are_beside_the_json(tensors, page):
    result = OCRResult.from_tensors(tensors(["a"]), page)
    assert list(result.settings) == ["doc_preprocessor", "text_detection", "text_recognition"]
    assert result.settings["text_recognition"]["networks"]["text_recognition"]["name"] == "rec"
    assert "networks" not in json.dumps(result.json)


@pytest.mark.parametrize(
    "change",
    [
        {"scores": np.zeros(2, np.float32)},
        {"offsets": np.zeros(1, np.int32)},
        {"text_detection_settings": np.array([b"{}"], object)},
        {"text_recognition_settings": np.array([b"[]"], object)},
        {"doc_preprocessor_settings": np.array([], object)},
    ],
)
def test_outputs_that_do_not_fit(tensors, page, change):
    with pytest.raises(ServerError):
        OCRResult.from_tensors({**tensors(["a"]), **change}, page)


def test_print(tensors, page, capsys):
    result = OCRResult.from_tensors(tensors(["你好", "b"]), page)
    result.print()
    text = capsys.readouterr().out
    assert text.startswith("{'res': {'input_path': 'in/scan.png', 'page_index': None, 'model_settings': {")
    assert "'rec_texts': ['你好', 'b'], 'rec_scores': array([0.5, " in text
    result.print(json_format=True)
    assert capsys.readouterr().out == json.dumps(result.json, indent=4, ensure_ascii=False) + "\n"
    result.print(json_format=True, indent=2, ensure_ascii=True)
    assert "\\u4f60\\u597d" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("input_path", "page_index", "stem", "suffix"),
    [
        ("in/scan.png", None, "scan", ".png"),
        ("in/scan.v2.JPG", None, "scan.v2", ".JPG"),
        ("scan.pdf", 3, "scan_3", ".png"),
        ("scan.v2.tiff", 0, "scan.v2_0", ".tiff"),
        ("scan.sr", None, "scan", ".png"),
        ("https://host/a/scan.jpg?size=1", None, "scan", ".jpg"),
        ("https://host/", None, "result", ".png"),
        (None, None, r"\d{10}_\d{4}", ".png"),
    ],
)
def test_names_of_saved_files(tensors, page, tmp_path, input_path, page_index, stem, suffix):
    result = OCRResult.from_tensors(tensors(["a"]), Page(page.payload, input_path, page_index))
    folder = tmp_path / "new" / "folder"
    result.save_to_json(str(folder))
    result.save_to_img(folder)
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 2
    found = re.fullmatch(rf"({stem})_ocr_res_img{re.escape(suffix)}", names[0])
    assert found
    assert names[1] == f"{found[1]}_res.json"
    assert json.loads((folder / names[1]).read_text(encoding="utf-8")) == result.json["res"]
    with Image.open(folder / names[0]) as picture:
        assert picture.size == (400, 120)


def test_saving_to_a_file(tensors, page, tmp_path):
    result = OCRResult.from_tensors(tensors(["你好"]), page)
    result.save_to_json(tmp_path / "a" / "x.json", indent=2)
    expected = json.dumps(result.json["res"], indent=2, ensure_ascii=False)
    assert (tmp_path / "a" / "x.json").read_text(encoding="utf-8") == expected
    result.save_to_json(tmp_path / "a" / "x.json", ensure_ascii=True)
    assert "\\u4f60" in (tmp_path / "a" / "x.json").read_text()
    result.save_to_img(tmp_path / "b" / "x.jpg")
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["x.jpg"]
    assert cv2.imread(str(tmp_path / "b" / "x.jpg")).shape == (120, 400, 3)


def test_save_all(tensors, page, tmp_path):
    OCRResult.from_tensors(tensors(["a"]), page).save_all(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan_ocr_res_img.png", "scan_res.json"]


def test_nothing_half_written_stays(tensors, page, tmp_path, monkeypatch):
    result = OCRResult.from_tensors(tensors(["a"]), page)

    def fail(self, file, **_):
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        result.save_to_img(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_pipeline_has_a_result():
    assert set(RESULTS) == set(PIPELINES)


def test_plain_values():
    value = {"a": np.float32(0.5), "b": (np.int64(1), [np.zeros((1, 2), np.int16)]), "c": None, "d": "x"}
    assert to_plain(value) == {"a": 0.5, "b": [1, [[[0, 0]]]], "c": None, "d": "x"}


def test_str_is_the_printed_object(tensors, page, capsys):
    result = OCRResult.from_tensors(tensors(["a"]), page)
    found = result.str["res"]
    assert list(result.str) == ["res"]
    assert list(found) == list(result.json["res"])
    for name in ("dt_polys", "rec_polys", "rec_scores", "rec_boxes", "textline_orientation_angles"):
        assert isinstance(found[name], np.ndarray), name
        assert found[name].tolist() == result.json["res"][name]
    result.print()
    with np.printoptions(threshold=1, edgeitems=1):
        assert capsys.readouterr().out == f"{result.str}\n"
