"""The picture and its font."""

import random
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFont

from paddlex_triton.client.results import drawing, fonts
from paddlex_triton.client.results.drawing import draw_text_lines
from paddlex_triton.client.results.fonts import FontFace, find_font

PAGE = np.full((120, 200, 3), (10, 100, 200), np.uint8)
BOX = np.array([[20, 20], [180, 20], [180, 60], [20, 60]], np.int16)


@pytest.fixture(autouse=True)
def no_installed_font(monkeypatch):
    monkeypatch.delenv("PADDLE_PDX_LOCAL_FONT_FILE_PATH", raising=False)
    monkeypatch.setattr(fonts, "_installed_font", FontFace)


def halves(picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.array(picture)
    return pixels[:, : pixels.shape[1] // 2], pixels[:, pixels.shape[1] // 2 :]


def test_without_lines_the_page_is_beside_white():
    left, right = halves(draw_text_lines(PAGE, [], []))
    assert np.array_equal(left, PAGE[:, :, ::-1])
    assert (right == 255).all()


def test_lines_cover_half_of_the_page_in_seeded_colours():
    other = BOX + np.array([0, 50], np.int16)
    left, _ = halves(draw_text_lines(PAGE, [BOX, other], ["a", "b"]))
    colours = random.Random(0)
    for box in (BOX, other):
        colour = np.array([colours.randint(0, 255) for _ in range(3)])
        x, y = box.mean(axis=0).astype(int)
        assert np.abs(left[y, x] - (colour + np.array([200, 100, 10])) / 2).max() <= 1
    assert left[5, 5].tolist() == [200, 100, 10]


def test_text_is_inside_its_box():
    _, right = halves(draw_text_lines(PAGE, [BOX], ["Triton"]))
    dark = np.argwhere((right < 60).all(axis=2))
    assert len(dark) > 50
    assert (dark.min(axis=0) >= [20, 20]).all()
    assert (dark.max(axis=0) <= [60, 180]).all()
    right[20:61, 20:181] = 255
    assert (right == 255).all()


@pytest.mark.parametrize(
    ("right", "below", "text", "drawn"),
    [
        (180, 21, "a", False),
        (180, 22, "a", True),
        (180, 21, "", True),
        (24, 60, "a" * 200, True),
        (60, 30, "a" * 200, False),
    ],
)
def test_lines_too_small_for_letters_are_left_out(right, below, text, drawn):
    box = np.array([[20, 20], [right, 20], [right, below], [20, below]])
    left, beside = halves(draw_text_lines(PAGE, [box], [text]))
    assert (beside != 255).any() == drawn
    assert (left != PAGE[:, :, ::-1]).any()


def test_the_text_turns_with_the_box():
    upright = halves(draw_text_lines(PAGE, [BOX], ["L"]))[1]
    turned = halves(draw_text_lines(PAGE, [BOX[[2, 3, 0, 1]]], ["L"]))[1]
    ink = (upright < 60).all(axis=2)[22:59, 22:179]
    assert np.array_equal(np.argwhere(ink).shape, np.argwhere((turned < 60).all(axis=2)[22:59, 22:179]).shape)
    assert not np.array_equal(upright, turned)


@pytest.mark.parametrize(
    "box",
    [
        [[5, 5], [5, 5], [5, 5], [5, 5]],
        [[5, 5], [90, 5], [90, 5], [5, 5]],
        [[-50, -50], [20, -50], [20, 20], [-50, 20]],
        [[190, 110], [300, 110], [300, 200], [190, 200]],
        [[500, 500], [600, 500], [600, 520], [500, 520]],
        [[5, 5], [15, 5], [15, 100], [5, 100]],
        [[5, 5], [8, 5], [8, 7], [5, 7]],
        [[20, 50], [60, 20], [100, 15], [140, 20], [180, 50], [160, 60], [100, 40], [40, 60]],
    ],
)
@pytest.mark.parametrize("text", ["", "a", "12345678901234567890", "vertical"])
@pytest.mark.parametrize("limit", [0, 120 * 200])
def test_odd_boxes_do_not_crash(monkeypatch, box, text, limit):
    monkeypatch.setattr(drawing, "_WHOLE_CANVAS_PIXELS", limit)
    assert draw_text_lines(PAGE, [np.array(box)], [text]).size == (400, 120)


def test_many_lines_are_drawn_around_their_boxes_only(monkeypatch):
    boxes = [BOX, BOX + np.array([10, 50], np.int16)]
    exact = np.array(draw_text_lines(PAGE, boxes, ["Triton", "server"])).astype(int)
    monkeypatch.setattr(drawing, "_WHOLE_CANVAS_PIXELS", 2 * 120 * 200 - 1)
    around = np.array(draw_text_lines(PAGE, boxes, ["Triton", "server"])).astype(int)
    # Where a pixel lies between two of the text's, either may be taken.
    assert (exact != around).any(axis=2).sum() <= 20


def test_a_missing_font_is_said_once_and_does_not_crash():
    with pytest.warns(UserWarning, match="no font with Chinese glyphs.*PADDLE_PDX_LOCAL_FONT_FILE_PATH"):
        picture = draw_text_lines(PAGE, [BOX], ["登机牌"])
    assert picture.size == (400, 120)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_text_lines(PAGE, [BOX], ["Gate é"])


def test_pillow_without_freetype_does_not_crash(monkeypatch):
    bitmap = ImageFont.load_default_imagefont()
    monkeypatch.setattr(FontFace, "at", lambda self, size: bitmap)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for box in (BOX, np.array([[5, 5], [15, 5], [15, 100], [5, 100]])):
            assert draw_text_lines(PAGE, [box], ["登机牌 Gate"]).size == (400, 120)


def test_the_font_of_the_environment_is_used(monkeypatch, tmp_path):
    font = ImageFont.load_default(10)
    assert isinstance(font, ImageFont.FreeTypeFont)
    path = tmp_path / "font.ttf"
    path.write_bytes(font.path.getvalue())  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setenv("PADDLE_PDX_LOCAL_FONT_FILE_PATH", str(path))
    assert find_font() == FontFace(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_text_lines(PAGE, [BOX], ["登机牌"])


@pytest.mark.parametrize("content", [None, b"no font"])
def test_a_font_of_the_environment_that_is_none(monkeypatch, tmp_path, content):
    path = tmp_path / "font.ttf"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("PADDLE_PDX_LOCAL_FONT_FILE_PATH", str(path))
    with pytest.warns(UserWarning, match="not a font file"):
        assert find_font() == FontFace()
