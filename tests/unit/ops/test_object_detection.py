"""A page on its way into an object detector."""

import cv2
import numpy as np
import pytest

from paddlex_triton.ops.object_detection import resize_for_detector


@pytest.mark.parametrize(("size", "target_size"), [((90, 130), (48, 64)), ((10, 20), (64, 48)), ((1, 1), (8, 8))])
@pytest.mark.parametrize("interpolation", [cv2.INTER_LINEAR, cv2.INTER_CUBIC])
def test_to_the_networks_size(size, target_size, interpolation):
    page = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    resized = resize_for_detector(page, target_size, interpolation)
    expected = cv2.resize(page, target_size[::-1], interpolation=interpolation)
    np.testing.assert_array_equal(resized.image, expected.reshape(*target_size, 3), strict=True)
    factors = np.array([target_size[0] / size[0], target_size[1] / size[1]], np.float32)
    np.testing.assert_array_equal(resized.scale_factor, factors, strict=True)


def test_a_page_of_the_right_size_is_not_copied():
    page = np.zeros((48, 64, 3), np.uint8)
    resized = resize_for_detector(page, (48, 64))
    assert resized.image is page
    assert resized.scale_factor.tolist() == [1, 1]


@pytest.mark.parametrize(("shape", "dtype"), [((0, 5, 3), "u1"), ((5, 5), "u1"), ((5, 5, 1), "u1"), ((5, 5, 3), "f4")])
def test_what_is_not_a_page(shape, dtype):
    with pytest.raises(ValueError, match=r"expected a page of uint8 \[H, W, 3\]"):
        resize_for_detector(np.zeros(shape, dtype), (48, 48))
