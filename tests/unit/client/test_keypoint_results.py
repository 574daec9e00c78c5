"""Results of the `human_keypoint_detection` pipeline: keys, order, types, printing, pictures, saving."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from paddlex_triton.client.exceptions import InvalidImageError, ServerError
from paddlex_triton.client.pages import Page
from paddlex_triton.client.results import KeypointDetectionResult

KEYS = ["coordinate", "det_score", "keypoints", "kpt_score"]


def joints_of(number):
    """Joints of a person as JSON has them; the last one is beyond the page's left border."""
    points = [[10.0 * number + k, 5.0 * k, 0.5] for k in range(16)]
    return [*points, [-8.25, 3.5, 1.25]]


def test_one_person(person_tensors, page):
    result = KeypointDetectionResult.from_tensors(person_tensors(1), page)
    assert result.json == {
        "res": {
            "input_path": "in/scan.png",
            "boxes": [
                {
                    "coordinate": [5.5, 10.25, 55.0, 90.0],
                    "det_score": 0.75,
                    "keypoints": joints_of(0),
                    "kpt_score": 0.625,
                }
            ],
        }
    }
    assert list(result.json["res"]) == ["input_path", "boxes"]
    assert list(result.json["res"]["boxes"][0]) == KEYS


def test_types_of_the_object(person_tensors, page):
    result = KeypointDetectionResult.from_tensors(person_tensors(2), page)
    box = result["boxes"][1]
    assert [type(box[name]) for name in KEYS] == [list, float, np.ndarray, np.float32]
    assert [type(value) for value in box["coordinate"]] == [np.float32] * 4
    assert (box["keypoints"].dtype, box["keypoints"].shape) == (np.dtype(np.float32), (17, 3))
    assert np.array_equal(result["input_img"], page.image())
    with pytest.raises(KeyError):
        _ = result["nothing"]


def test_settings_name_the_networks(person_tensors, page):
    result = KeypointDetectionResult.from_tensors(person_tensors(1), page)
    assert list(result.settings) == ["human_detection", "keypoint_detection"]
    assert result.settings["human_detection"]["networks"]["human_detection"]["name"] == "det"
    assert result.settings["keypoint_detection"]["networks"]["keypoint_detection"]["name"] == "kpt"
    assert "networks" not in json.dumps(result.json)


def test_coordinates_on_the_border_are_ints(person_tensors, page):
    boxes = [[0, 0, 200, 120], [0.5, 0.25, 199.5, 119.75], [120, 100, 120.5, 120]]
    result = KeypointDetectionResult.from_tensors(person_tensors(3, boxes=boxes), page)
    found = [box["coordinate"] for box in result.json["res"]["boxes"]]
    assert json.dumps(found) == "[[0, 0, 200, 120], [0.5, 0.25, 199.5, 119.75], [120.0, 100.0, 120.5, 120]]"


def test_nobody_on_the_page(person_tensors, page):
    result = KeypointDetectionResult.from_tensors(person_tensors(0), page)
    assert result.json == {"res": {"input_path": "in/scan.png", "boxes": []}}
    assert np.array_equal(np.asarray(result.img["res"])[:, :, ::-1], page.image())


def test_many_people(person_tensors, page):
    result = KeypointDetectionResult.from_tensors(person_tensors(300), page)
    assert [box["keypoints"].tolist() for box in result["boxes"]] == [joints_of(number) for number in range(300)]


@pytest.mark.parametrize(
    "change",
    [
        {"boxes": np.zeros((1, 4), np.float32)},
        {"boxes": np.zeros((3, 4), np.float32)},
        {"boxes": np.zeros(7, np.float32)},
        {"det_scores": np.zeros(3, np.float32)},
        {"keypoints": np.zeros((1, 17, 3), np.float32)},
        {"keypoints": np.zeros((2, 16, 3), np.float32)},
        {"keypoint_scores": np.zeros((2, 17), np.float32)},
        {"human_detection_settings": np.array([b"[]"], object)},
        {"human_detection_settings": np.array([b"{}"], object)},
        {"human_detection_settings": np.array([b'{"page_size": 3}'], object)},
        {"human_detection_settings": np.array([b'{"page_size": [3]}'], object)},
        {"human_detection_settings": np.array([b'{"page_size": ["3", "3"]}'], object)},
        {"keypoint_detection_settings": np.array([b"no JSON"], object)},
        {"keypoint_detection_settings": np.array([], object)},
    ],
)
def test_outputs_that_do_not_fit(person_tensors, page, change):
    with pytest.raises(ServerError):
        KeypointDetectionResult.from_tensors({**person_tensors(2), **change}, page)


@pytest.mark.parametrize("name", KeypointDetectionResult.OUTPUTS)
def test_missing_outputs(person_tensors, page, name):
    answer = person_tensors(1)
    del answer[name]
    with pytest.raises(ServerError, match=name):
        KeypointDetectionResult.from_tensors(answer, page)


def test_the_page_is_decoded_for_pictures_alone(person_tensors, page, monkeypatch):
    decoded = []
    decode = Page.image
    monkeypatch.setattr(Page, "image", lambda self: decoded.append(self) or decode(self))
    result = KeypointDetectionResult.from_tensors(person_tensors(2), page)
    assert all([result.json, result.str])
    assert decoded == []
    first, second = result.img["res"], result.img["res"]
    assert decoded == [page]
    assert first == second
    assert "input_img" not in result.json["res"]
    assert "input_img" not in result.str["res"]


def test_the_picture_shows_joints_in_their_places(person_tensors):
    image = np.full((120, 200, 3), 255, np.uint8)
    page = Page(cv2.imencode(".png", image)[1].tobytes())
    picture = KeypointDetectionResult.from_tensors(person_tensors(1), page).img["res"]
    seen = np.argwhere((np.asarray(picture) != image).any(axis=2))
    # The lowest joint is at 15, 75; each is a dot of 2 pixels around its place.
    assert (seen.min(axis=0).tolist(), seen.max(axis=0).tolist()) == ([0, 0], [77, 17])


def test_a_page_that_cannot_be_decoded_here(person_tensors):
    result = KeypointDetectionResult.from_tensors(person_tensors(1), Page(b"no image", "in/scan.png"))
    with pytest.raises(InvalidImageError, match=r"in/scan\.png"):
        _ = result.img


def test_print(person_tensors, page, capsys):
    result = KeypointDetectionResult.from_tensors(person_tensors(1), page)
    _ = result.img
    result.print()
    text = capsys.readouterr().out
    assert text.startswith("{'res': {'input_path': 'in/scan.png', 'boxes': [{'coordinate': [")
    # Arrays are abbreviated.
    assert "'det_score': 0.75, 'keypoints': array([[" in text
    assert "..." in text
    result.print(json_format=True)
    assert capsys.readouterr().out == json.dumps(result.json, indent=4, ensure_ascii=False) + "\n"


@pytest.mark.parametrize(
    ("input_path", "page_index", "stem", "suffix"),
    [("in/scan.jpg", None, "scan", ".jpg"), ("scan.pdf", 3, "scan_3", ".png")],
)
def test_names_of_saved_files(person_tensors, page, tmp_path, input_path, page_index, stem, suffix):
    result = KeypointDetectionResult.from_tensors(person_tensors(2), Page(page.payload, input_path, page_index))
    result.save_all(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"{stem}_res.json", f"{stem}_res{suffix}"])
    stored = (tmp_path / f"{stem}_res.json").read_text(encoding="utf-8")
    assert stored == json.dumps(result.json["res"], indent=4)
    with Image.open(tmp_path / f"{stem}_res{suffix}") as picture:
        assert picture.size == (200, 120)


def test_files_of_ones_own_name(person_tensors, page, tmp_path):
    result = KeypointDetectionResult.from_tensors(person_tensors(1), page)
    result.save_to_json(tmp_path / "people.json")
    result.save_to_img(tmp_path / "people.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["people.json", "people.png"]
    with Image.open(tmp_path / "people.png") as picture:
        assert np.array_equal(np.asarray(picture), np.asarray(result.img["res"]))
