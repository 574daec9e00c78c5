"""Frames around people: where they lie, what is cut out with them, and the way back."""

import numpy as np
import pytest

from paddlex_triton.limits import MAX_IMAGE_SIDE, MAX_PEOPLE
from paddlex_triton.ops.keypoint_crop import crop_people, frames_of_boxes, points_to_page

TARGET = (128, 96)
# A box of 24 x 32 gives a frame of 30 x 40: the crop is a slice of the page.
SLICE = (40, 30)
NAN, INF = float("nan"), float("inf")


def frames_of(*boxes, target_size=TARGET) -> np.ndarray:
    return frames_of_boxes(np.array(boxes, np.float32).reshape(-1, 4), target_size)


@pytest.fixture(scope="module")
def page() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (90, 120, 3), dtype=np.uint8)


class TestFrames:
    @pytest.mark.parametrize("count", [0, 1, 30, MAX_PEOPLE])
    def test_count(self, count):
        frames = frames_of(*[(10, 20, 40, 50)] * count)
        assert (frames.shape, frames.dtype) == ((count, 3, 2), np.float32)

    @pytest.mark.parametrize(
        ("box", "width"),
        [
            ((100, 50, 220, 400), 328.125),  # as high as it is, 350 pixels
            ((10, 10, 300, 90), 362.5),  # as wide as it is, 290 pixels
            ((10, 10, 13, 14), 3.75),  # of the right aspect
            ((10, 10, 10, 26), 15),  # no width
            ((10, 10, 22, 10), 15),  # no height
            ((10, 20, 10, 20), 0),
        ],
    )
    def test_points(self, box, width):
        centre = np.array([[box[0] + box[2], box[1] + box[3]]]) / 2
        expected = centre + np.array([[0, 0], [0, -width / 2], [-width / 2, -width / 2]])
        np.testing.assert_array_equal(frames_of(box)[0], expected)

    def test_too_many(self):
        with pytest.raises(ValueError, match=f"{MAX_PEOPLE + 1} boxes; at most {MAX_PEOPLE} people"):
            frames_of(*[(10, 20, 40, 50)] * (MAX_PEOPLE + 1))

    @pytest.mark.parametrize("value", [NAN, INF, -INF, MAX_IMAGE_SIDE + 1, -MAX_IMAGE_SIDE - 1])
    def test_too_far(self, value):
        with pytest.raises(ValueError, match=f"not finite, or further than {MAX_IMAGE_SIDE} pixels"):
            frames_of((1, 2, 3, 4), (1, 2, value, 4))

    def test_as_far_as_can_be(self):
        far = MAX_IMAGE_SIDE
        assert np.isfinite(frames_of((-far, -far, far, far))).all()

    @pytest.mark.parametrize("box", [(11, 10, 10, 20), (10, 20, 11, 19)])
    def test_inside_out(self, box):
        with pytest.raises(ValueError, match="inside out; x1 <= x2 and y1 <= y2"):
            frames_of((1, 2, 3, 4), box)

    @pytest.mark.parametrize("boxes", [np.zeros(4, np.float32), np.zeros((1, 5), np.float32), np.zeros((1, 4))])
    def test_what_are_not_boxes(self, boxes):
        with pytest.raises(ValueError, match=r"float32 \[N, 4\] is expected"):
            frames_of_boxes(boxes, TARGET)


class TestCrops:
    @pytest.mark.parametrize("count", [0, 1, 30])
    def test_count(self, page, count):
        crops = crop_people(page, frames_of(*[(10, 20, 40, 50)] * count), TARGET)
        assert (crops.shape, crops.dtype) == ((count, *TARGET, 3), np.uint8)
        assert crops.flags["C_CONTIGUOUS"]

    @pytest.mark.parametrize(
        ("x", "y"), [(60, 45), (15, 20), (0, 0), (120, 90), (3, 88), (-15, 45), (60, 111), (-500, 9000)]
    )
    def test_a_frame_on_whole_pixels_is_a_slice_black_beyond_the_page(self, page, x, y):
        (crop,) = crop_people(page, frames_of((x - 12, y - 16, x + 12, y + 16), target_size=SLICE), SLICE)
        rows, columns = np.mgrid[y - 20 : y + 20, x - 15 : x + 15]
        on_page = (rows >= 0) & (rows < page.shape[0]) & (columns >= 0) & (columns < page.shape[1])
        expected = page[rows % page.shape[0], columns % page.shape[1]] * on_page[..., None]
        np.testing.assert_array_equal(crop, expected, strict=True)

    def test_people_do_not_influence_each_other(self, page):
        frames = frames_of((10, 20, 40, 50), (-20, 60, 30, 130), (0, 0, 120, 90), (70.5, 10.25, 71, 80))
        together = crop_people(page, frames, TARGET)
        alone = [crop_people(page, frames[index : index + 1], TARGET)[0] for index in range(len(frames))]
        np.testing.assert_array_equal(together, np.stack(alone), strict=True)
        np.testing.assert_array_equal(crop_people(page, frames[1:3], TARGET), together[1:3], strict=True)

    def test_a_gradient_keeps_its_slope(self):
        ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (100, 200, 3))
        (crop,) = crop_people(ramp, frames_of((60, 10, 140, 90)), TARGET)
        # The frame is 100 pixels wide around 100, the crop 96.
        expected = (np.arange(96) - 48) * 100 / 96 + 100
        assert np.abs(crop[64, :, 0] - expected).max() <= 1

    def test_a_box_of_no_size_shows_a_single_pixel(self, page):
        (crop,) = crop_people(page, frames_of((10, 20, 10, 20)), TARGET)
        assert (crop == crop[0, 0]).all()

    def test_a_read_only_page_and_one_cut_out_of_a_larger(self, page):
        frames = frames_of((10, 20, 40, 50))
        expected = crop_people(page[5:80, 5:100].copy(), frames, TARGET)
        locked = page.copy()
        locked.flags.writeable = False
        np.testing.assert_array_equal(crop_people(locked[5:80, 5:100], frames, TARGET), expected, strict=True)

    @pytest.mark.parametrize(
        ("shape", "dtype"), [((0, 5, 3), "u1"), ((5, 5), "u1"), ((5, 5, 4), "u1"), ((5, 5, 3), "f4")]
    )
    def test_what_is_not_a_page(self, shape, dtype):
        with pytest.raises(ValueError, match=r"expected a page of uint8 \[H, W, 3\]"):
            crop_people(np.zeros(shape, dtype), frames_of((1, 1, 3, 3)), TARGET)

    @pytest.mark.parametrize("axis", [0, 1])
    def test_longest_side(self, axis):
        shape = [1, 1, 3]
        shape[axis] = MAX_IMAGE_SIDE
        frames = frames_of((0, 0, 5, 5))
        assert crop_people(np.zeros(shape, np.uint8), frames, TARGET).shape == (1, *TARGET, 3)
        shape[axis] += 1
        with pytest.raises(ValueError, match=f"a side may have {MAX_IMAGE_SIDE}"):
            crop_people(np.zeros(shape, np.uint8), frames, TARGET)


class TestBack:
    def test_corners_and_centre_of_a_crop(self):
        # 290 pixels wide, padded to 362.5, at 3 to 4.
        frames = frames_of((10, 10, 300, 90))
        points = np.array([[[0, 0], [48, 64], [96, 128], [96, 0]]], np.float32)
        half_w, half_h = 362.5 / 2, 362.5 / 1.5
        expected = [[155 - half_w, 50 - half_h], [155, 50], [155 + half_w, 50 + half_h], [155 + half_w, 50 - half_h]]
        found = points_to_page(points, frames, TARGET)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found[0], expected, rtol=1e-6)
        np.testing.assert_allclose(points_to_page(points / 4, frames, (32, 24))[0], expected, rtol=1e-6)

    @pytest.mark.parametrize("count", [0, 1, 30])
    def test_each_person_by_their_frame(self, count):
        boxes = [(10 * index, 5, 10 * index + 24, 37) for index in range(count)]
        points = np.full((count, 17, 2), (3, 7), np.float32)
        found = points_to_page(points, frames_of(*boxes, target_size=SLICE), SLICE)
        assert (found.shape, found.dtype) == ((count, 17, 2), np.float32)
        for index in range(count):
            np.testing.assert_allclose(found[index], np.full((17, 2), (10 * index - 3 + 3, 1 + 7)), atol=1e-4)

    def test_a_box_of_no_size_has_all_its_joints_in_its_centre(self):
        points = np.array([[[0, 0], [95, 3]]], np.float32)
        assert points_to_page(points, frames_of((10, 20, 10, 20)), TARGET).tolist() == [[[10, 20]] * 2]
