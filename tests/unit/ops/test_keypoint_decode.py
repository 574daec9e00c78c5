"""Heatmaps to keypoints: DARK's refinement and where it stays away, the flip test, scores."""

import numpy as np
import pytest

from paddlex_triton.ops.keypoint_crop import frames_of_boxes, points_to_page
from paddlex_triton.ops.keypoint_decode import decode_heatmaps, keypoints_on_page

JOINTS = 17
SIZE = HEIGHT, WIDTH = 32, 24
NAN, INF = float("nan"), float("inf")


def gaussian(x: float, y: float, *, top=0.75, sigma=2.0, size=SIZE) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    return (top * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))).astype(np.float32)


def decode_one(heatmap: np.ndarray) -> tuple[list[float], float]:
    points, scores = decode_heatmaps(heatmap[None, None].astype(np.float32))
    return points[0, 0].tolist(), float(scores[0, 0])


def random_heatmaps(count: int) -> np.ndarray:
    rng = np.random.default_rng(count)
    peaks = [[gaussian(*rng.uniform((0, 0), (WIDTH, HEIGHT))) for _ in range(JOINTS)] for _ in range(count)]
    noise = rng.normal(0, 0.02, (count, JOINTS, *SIZE)).astype(np.float32)
    return np.array(peaks, np.float32).reshape(noise.shape) + noise


class TestDecoding:
    @pytest.mark.parametrize("x", [2.75, 7, 11.3, 20.4])
    @pytest.mark.parametrize("y", [3.3, 16, 27.6])
    @pytest.mark.parametrize("sigma", [1.5, 2.0, 3.0])
    def test_finds_the_centre_of_a_gaussian(self, x, y, sigma):
        point, score = decode_one(gaussian(x, y, sigma=sigma))
        assert np.abs(np.subtract(point, (x, y))).max() < 0.05
        assert 0.65 < score <= 0.75

    @pytest.mark.parametrize("count", [0, 1, 30])
    def test_count(self, count):
        points, scores = decode_heatmaps(random_heatmaps(count))
        assert (points.shape, points.dtype) == ((count, JOINTS, 2), np.float32)
        assert (scores.shape, scores.dtype) == ((count, JOINTS), np.float32)

    def test_joints_do_not_influence_each_other_and_heatmaps_stay(self):
        heatmaps = random_heatmaps(5)
        given = heatmaps.copy()
        points, scores = decode_heatmaps(heatmaps)
        np.testing.assert_array_equal(heatmaps, given)
        for person in range(5):
            for joint in range(JOINTS):
                alone, score = decode_heatmaps(heatmaps[person : person + 1, joint : joint + 1])
                np.testing.assert_array_equal(alone[0, 0], points[person, joint])
                assert score[0, 0] == scores[person, joint] == heatmaps[person, joint].max()
        assert (points != points.round()).any(axis=2).sum() > 50

    @pytest.mark.parametrize("x", [0, 1, 2, 21, 22, 23])
    @pytest.mark.parametrize("y", [0, 1, 2, 29, 30, 31])
    def test_the_two_outermost_rows_and_columns_stay_at_whole_pixels(self, x, y):
        point, score = decode_one(gaussian(x + 0.25, y - 0.25))
        assert score == gaussian(x + 0.25, y - 0.25).max()
        if x in (2, 21) and y in (2, 29):
            assert point != [x, y]
            assert np.abs(np.subtract(point, (x + 0.25, y - 0.25))).max() < 0.25
        else:
            assert point == [x, y]

    @pytest.mark.parametrize("top", [0.0, -0.5])
    def test_a_map_that_is_nowhere_above_zero(self, top):
        heatmap = np.full(SIZE, -1.0)
        heatmap[10, 12] = top
        assert decode_one(heatmap) == ([0, 0], top)

    def test_of_equal_maxima_the_first(self):
        heatmap = np.zeros(SIZE)
        for y, x in ((20, 4), (10, 15), (10, 6)):
            heatmap[y, x] = 0.5
        assert decode_one(heatmap) == ([6, 10], 0.5)

    def test_no_step_without_a_curvature(self):
        """Everything is below the least value that the logarithm is taken of: both derivatives vanish."""
        assert decode_one(gaussian(12.25, 10.25, top=1e-12))[0] == [12, 10]

    def test_no_step_where_it_is_not_finite(self):
        """Smoothed, this map is nowhere above zero: scaling it divides by zero, and PaddleX fails."""
        heatmap = np.zeros(SIZE)
        heatmap[10, 11:14] = -60, 5, -60
        assert decode_one(heatmap) == ([12, 10], 5)

    def test_no_step_where_a_value_overflows(self):
        """The peak is smoothed away, the factor negative, and one value scaled by it infinite."""
        heatmap = np.full(SIZE, -1e-3)
        heatmap[9:12, 11:14] = -60
        heatmap[10, 12:14] = 5, -2e35
        assert decode_one(heatmap) == ([12, 10], 5)

    def test_a_peak_among_negative_values(self):
        heatmap = np.full(SIZE, -50.0)
        heatmap[10, 12] = 5
        assert decode_one(heatmap) == ([12, 10], 5)

    @pytest.mark.parametrize("size", [(1, 1), (4, 9), (9, 4), (5, 5)])
    def test_small_maps(self, size):
        heatmap = np.zeros(size)
        heatmap[size[0] // 2, size[1] // 2] = 1
        assert decode_one(heatmap) == ([size[1] // 2, size[0] // 2], 1)

    @pytest.mark.parametrize("value", [NAN, INF])
    def test_a_network_at_fault(self, value):
        heatmaps = random_heatmaps(2)
        heatmaps[1, 3, 4, 5] = value
        with pytest.raises(RuntimeError, match="not finite"):
            decode_heatmaps(heatmaps)

    @pytest.mark.parametrize(
        "heatmaps",
        [
            np.zeros((17, 32, 24), np.float32),
            np.zeros((1, 17, 32, 24)),
            np.zeros((1, 0, 32, 24), np.float32),
            np.zeros((1, 17, 0, 24), np.float32),
        ],
    )
    def test_what_are_not_heatmaps(self, heatmaps):
        with pytest.raises(ValueError, match=r"float32 \[N, J, h, w\] with joints and pixels is expected"):
            decode_heatmaps(heatmaps)


class TestOnPage:
    BOX = np.array([[10, 20, 60, 120]], np.float32)

    @pytest.mark.parametrize("count", [0, 1, 30])
    def test_points_scores_and_their_mean(self, count):
        heatmaps = random_heatmaps(count)
        frames = frames_of_boxes(np.repeat(self.BOX, count, axis=0), (128, 96))
        found = keypoints_on_page(heatmaps, frames)
        points, scores = decode_heatmaps(heatmaps)
        np.testing.assert_array_equal(found.keypoints[..., :2], points_to_page(points, frames, SIZE), strict=True)
        np.testing.assert_array_equal(found.keypoints[..., 2], scores, strict=True)
        assert (found.scores.shape, found.scores.dtype) == ((count,), np.float32)
        np.testing.assert_allclose(found.scores, [row.mean(dtype=np.float64) for row in scores], rtol=1e-6)

    def test_a_frame_for_each(self):
        with pytest.raises(ValueError, match="2 people's heatmaps and 1 frames"):
            keypoints_on_page(random_heatmaps(2), frames_of_boxes(self.BOX, (128, 96)))
