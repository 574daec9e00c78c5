"""The picture of detected boxes."""

import warnings

import numpy as np
import pytest
from PIL import ImageFont

from paddlex_triton.client.results import fonts
from paddlex_triton.client.results.drawing_boxes import draw_boxes, palette_entry
from paddlex_triton.client.results.fonts import FontFace

PAGE = np.full((400, 600, 3), (10, 100, 200), np.uint8)
# PaddleX's colours, and which of them have light text.
PALETTE = bytes.fromhex(
    "FF0000 CCFF00 00FF66 0066FF CC00FF FF4D00 80FF00 00FFB2 001AFF FF00E5 "
    "FF9900 33FF00 00FFFF 3300FF FF0099 FFE500 00FF1A 00B2FF 8000FF FF004D"
)
LIGHT = {0, 3, 4, 8, 9, 13, 14, 18, 19}


@pytest.fixture(autouse=True)
def no_installed_font(monkeypatch):
    monkeypatch.delenv("PADDLE_PDX_LOCAL_FONT_FILE_PATH", raising=False)
    monkeypatch.setattr(fonts, "_installed_font", FontFace)


def box(*coordinate, label="seal", score=0.956):
    return {"cls_id": 1, "label": label, "score": score, "coordinate": list(coordinate)}


@pytest.mark.parametrize("place", range(41))
def test_colours(place):
    colour, text = palette_entry(place)
    assert bytes(colour) == PALETTE[3 * (place % 20) :][:3]
    assert text == ((255, 255, 255) if place % 20 in LIGHT else (20, 14, 53))


def test_a_page_without_boxes_stays_as_it_is():
    assert np.array_equal(np.asarray(draw_boxes(PAGE, [])), PAGE[:, :, ::-1])


def test_frames_have_the_colour_of_their_label():
    boxes = [
        box(50, 60, 150, 160),
        box(300, 60, 400, 160, label="text"),
        box(50, 260, 150, 360),
        box(300, 260, 400, 360, label="table"),
    ]
    pixels = np.asarray(draw_boxes(PAGE, boxes))
    # The third has the first one's label; the fourth takes the colour of its place.
    for (x, y), place in zip([(100, 160), (350, 160), (100, 360), (350, 360)], [0, 1, 0, 3], strict=True):
        assert tuple(pixels[y, x]) == palette_entry(place)[0]
        assert tuple(pixels[y - 50, x]) == (200, 100, 10)


def test_the_label_is_above_its_frame_or_inside_where_there_is_no_room():
    pixels = np.asarray(draw_boxes(PAGE, [box(50, 60, 350, 160), box(50, 3, 350, 50)])).astype(int)
    label = (pixels == (255, 0, 0)).all(axis=2)
    assert label[50:58, 51].all()
    assert not label[66:150, 51:90].any()
    assert label[5:14, 51].all()
    assert (pixels[50:60, 50:100].min(axis=2) > 200).any(), "the text is light"


@pytest.mark.parametrize(
    "coordinate",
    [
        (0, 0, 600, 400),
        (-20, -20, 700, 500),
        (5, 5, 5, 5),
        (590, 390, 600, 400),
        tuple(np.array([0.5, 0.5, 599.5, 399.5], np.float32)),
    ],
)
@pytest.mark.parametrize("label", ["", "seal", "a label that is a good deal longer than its box"])
def test_odd_boxes_do_not_crash(coordinate, label):
    assert draw_boxes(PAGE, [box(*coordinate, label=label)]).size == (600, 400)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_tiny_pages(size):
    page = np.zeros((*size, 3), np.uint8)
    assert draw_boxes(page, [box(0, 0, size[1], size[0])]).size == size[::-1]


def test_a_missing_font_is_said_and_does_not_crash(monkeypatch):
    with pytest.warns(UserWarning, match="no font with Chinese glyphs"):
        draw_boxes(PAGE, [box(50, 60, 350, 160, label="印章")])
    bitmap = ImageFont.load_default_imagefont()
    monkeypatch.setattr(FontFace, "at", lambda self, size: bitmap)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert draw_boxes(PAGE, [box(50, 60, 350, 160, label="印章")]).size == (600, 400)
