"""Pictures of answers."""

import base64

import cv2
import numpy as np
import pytest
from PIL import Image

from paddlex_triton.gateway.pictures import encode


def decoded(picture: str) -> np.ndarray:
    found = cv2.imdecode(np.frombuffer(base64.b64decode(picture), np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return found


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("largest", [None, (100_000, 100_000)])
@pytest.mark.parametrize(("width", "scaled"), [(65_500, 65_500), (65_501, 65_500), (70_000, 65_500)])
def test_pictures_that_a_jpeg_cannot_hold_are_scaled(suffix, largest, width, scaled):
    for wide in (np.zeros((1, width, 3), np.uint8), Image.new("RGB", (width, 1))):
        assert decoded(encode(wide, largest, suffix)).shape == (1, scaled, 3)
    assert decoded(encode(np.zeros((width, 1, 3), np.uint8), largest, suffix)).shape == (scaled, 1, 3)


def test_colours_are_turned_for_pillow_alone():
    red = Image.new("RGB", (2, 2), "red")
    assert decoded(encode(red, None, ".png"))[0, 0].tolist() == [0, 0, 255]
    assert decoded(encode(np.full((2, 2, 3), (0, 0, 255), np.uint8), None, ".png"))[0, 0].tolist() == [0, 0, 255]
