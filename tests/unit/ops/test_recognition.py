"""Batches of the recogniser: order, chunks, widths, merging, and what is written where."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddlex_triton.ops.recognition import (
    LineBatch,
    build_batch,
    line_widths,
    merge_batches,
    plan_batches,
    plan_regions,
    plan_tight,
)

SHAPE = (3, 48, 320)
LEAST_ASPECT = 320 / 48


def crop(h: int, w: int) -> np.ndarray:
    return np.random.default_rng(h * 10_000 + w).integers(0, 256, (h, w, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("h", "w", "expected"),
    [
        (48, 320, (320, 320)),
        (32, 100, (150, 320)),
        (48, 1, (1, 320)),
        (20, 401, (962, 962)),  # 962.4: cut off for the batch, and no wider than it
        (31, 100, (155, 320)),  # 154.8: rounded up where there is room
        (48, 3200, (3200, 3200)),
        (48, 3201, (3200, 3200)),
        (1, 30_000, (3200, 3200)),
    ],
)
def test_widths(h, w, expected):
    assert line_widths(h, w, SHAPE) == expected


def test_plan_of_nothing():
    assert plan_batches([], batch_size=6) == []
    assert merge_batches([], max_rows=32) == []


def test_plan_sorts_by_shape_and_keeps_the_order_of_equals():
    sizes = [(10, 100), (10, 20), (20, 40), (10, 90), (30, 60)]
    assert plan_batches(sizes, batch_size=2) == [
        LineBatch((1, 2), 320, (2 / LEAST_ASPECT, 2 / LEAST_ASPECT)),
        LineBatch((4, 3), 432, (2 / 9, 1)),
        LineBatch((0,), 480, (1,)),
    ]


def test_filled_parts_know_no_greatest_width():
    """PaddleX squeezes the second line, and finds words in it as if it had not."""
    (batch,) = plan_batches([(10, 500), (10, 1000)], batch_size=6)
    assert batch == LineBatch((0, 1), 3200, (0.5, 1))


@pytest.mark.parametrize("count", [1, 5, 6, 7, 12, 13])
def test_chunks(count):
    batches = plan_batches([(48, 100 + 10 * index) for index in range(count)], batch_size=6)
    assert [len(batch.indices) for batch in batches] == [6] * (count // 6) + [count % 6] * (count % 6 > 0)


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_plan_refuses_empty_crops(size):
    with pytest.raises(ValueError, match="crop 1 has no pixels"):
        plan_batches([(5, 5), size], batch_size=6)


def test_sizes_of_batches_start_at_one():
    with pytest.raises(ValueError, match="batch_size is 0"):
        plan_batches([(5, 5)], batch_size=0)
    with pytest.raises(ValueError, match="max_rows is 0"):
        merge_batches([], max_rows=0)


def test_merge():
    planned = [
        LineBatch((4, 2), 320, (0.4, 0.2)),
        LineBatch((0, 1), 320, (0.25, 0.1)),
        LineBatch((3,), 500, (1,)),
        LineBatch((5,), 320, (0.5,)),
    ]
    assert merge_batches(planned, max_rows=3) == [
        LineBatch((4, 2, 0), 320, (0.4, 0.2, 0.25)),
        LineBatch((1, 5), 320, (0.1, 0.5)),
        LineBatch((3,), 500, (1,)),
    ]
    assert merge_batches(planned, max_rows=5)[0] == LineBatch((4, 2, 0, 1, 5), 320, (0.4, 0.2, 0.25, 0.1, 0.5))


@given(
    sizes=st.lists(st.tuples(st.integers(1, 500), st.integers(1, 40_000)), max_size=40),
    batch_size=st.integers(1, 8),
    max_rows=st.integers(1, 32),
)
def test_merging_changes_nothing_of_a_crop(sizes, batch_size, max_rows):
    planned = plan_batches(sizes, batch_size=batch_size)
    merged = merge_batches(planned, max_rows)
    before, after = (
        {
            index: (batch.width, filled)
            for batch in batches
            for index, filled in zip(batch.indices, batch.filled, strict=True)
        }
        for batches in (planned, merged)
    )
    assert after == before
    assert sorted(before) == list(range(len(sizes)))
    assert sum(len(batch.indices) for batch in merged) == len(sizes)
    assert all(1 <= len(batch.indices) <= max_rows and 320 <= batch.width <= 3200 for batch in merged)
    for index, (width, filled) in before.items():
        assert line_widths(sizes[index][0], sizes[index][1], SHAPE)[0] <= width
        assert 0 < filled <= 1


def test_tight_plan_of_nothing():
    assert plan_tight([]) == []


def test_tight_plan_of_one_line():
    assert plan_tight([(48, 200)]) == [LineBatch((0,), 224, (200 / 224,))]


def test_tight_lines_of_equal_width_share_a_batch():
    sizes = [(48, 200), (48, 20), (24, 110), (48, 193), (48, 133), (96, 400)]
    planned = plan_tight(sizes)
    assert planned == [
        LineBatch((1,), 128, (20 / 128,)),
        LineBatch((4,), 160, (133 / 160,)),
        LineBatch((0, 2, 3, 5), 224, (200 / 224, 220 / 224, 193 / 224, 200 / 224)),
    ]
    assert [batch.indices for batch in merge_batches(planned, max_rows=3)] == [(1,), (4,), (0, 2, 3), (5,)]


@pytest.mark.parametrize(
    ("own", "width"),
    [(1, 128), (31, 128), (128, 128), (129, 160), (320, 320), (3168, 3168), (3169, 3200), (3200, 3200)],
)
def test_tight_widths(own, width):
    assert plan_tight([(48, own)]) == [LineBatch((0,), width, (own / width,))]


@pytest.mark.parametrize("w", [3201, 9000])
def test_tight_lines_beyond_the_greatest_width_are_squeezed_and_fill_it(w):
    (batch,) = plan_tight([(48, w)])
    assert batch == LineBatch((0,), 3200, (1,))
    x, widths = build_batch([crop(48, w)], batch)
    assert (x.shape, widths.tolist()) == ((1, 48, 3200, 3), [[3200]])


def test_tight_plan_with_other_sizes():
    shape = (3, 32, 320)
    assert [batch.width for batch in plan_tight([(32, 20)], image_shape=shape, least=1)] == [32]
    assert [batch.width for batch in plan_tight([(32, 20)], image_shape=shape, least=100, step=64)] == [128]
    assert [batch.width for batch in plan_tight([(32, 100)], image_shape=shape)] == [128]
    assert [batch.width for batch in plan_tight([(32, 100)], image_shape=shape, step=8, least=1)] == [104]
    assert [batch.width for batch in plan_tight([(32, 100)], image_shape=shape, step=8, least=1, blank=16)] == [120]
    assert [batch.width for batch in plan_tight([(32, 100)], image_shape=shape, max_width=110, blank=16)] == [110]


def test_tight_plan_refuses():
    with pytest.raises(ValueError, match="crop 1 has no pixels"):
        plan_tight([(5, 5), (0, 5)])
    with pytest.raises(ValueError, match="step is 0"):
        plan_tight([(5, 5)], step=0)


@given(sizes=st.lists(st.tuples(st.integers(1, 500), st.integers(1, 40_000)), max_size=40))
def test_tight_lines_are_resized_as_others_and_fill_what_they_fill(sizes):
    planned = plan_tight(sizes)
    assert sorted(index for batch in planned for index in batch.indices) == list(range(len(sizes)))
    widths = [batch.width for batch in planned]
    assert widths == sorted(set(widths))
    for batch in planned:
        for index, filled in zip(batch.indices, batch.filled, strict=True):
            own = line_widths(sizes[index][0], sizes[index][1], SHAPE)[0]
            assert batch.width % 32 == 0
            assert batch.width >= 128
            assert own <= batch.width < max(own + 32, 129)
            assert filled == own / batch.width


def test_tight_lines_are_built_as_others():
    crops = [crop(32, 100), crop(20, 400)]
    (short, long), tight = plan_batches([(32, 100), (20, 400)], batch_size=1), plan_tight([(32, 100), (20, 400)])
    for padded, narrow, own in zip((short, long), tight, (150, 960), strict=True):
        (wide_x, wide_widths), (x, widths) = build_batch(crops, padded), build_batch(crops, narrow)
        assert x.shape[2] == {150: 160, 960: 960}[own]
        assert widths.tolist() == wide_widths.tolist() == [[own]]
        np.testing.assert_array_equal(x, wide_x[:, :, : x.shape[2]])


def test_build():
    crops = [crop(32, 100), crop(48, 320), crop(20, 400), np.rot90(crop(300, 40))]
    x, widths = build_batch(crops, LineBatch((2, 0, 3), 960, (1, 1, 1)), SHAPE)
    assert x.shape == (3, 48, 960, 3)
    assert x.dtype == np.uint8
    assert widths.dtype == np.int32
    assert widths.tolist() == [[960], [150], [360]]
    for row, index in enumerate((2, 0, 3)):
        width = int(widths[row, 0])
        np.testing.assert_array_equal(x[row, :, :width], cv2.resize(np.ascontiguousarray(crops[index]), (width, 48)))
        assert not x[row, :, width:].any()


def test_build_takes_read_only_views():
    view = np.broadcast_to(np.array([1, 2, 3], np.uint8), (60, 90, 3))
    x, widths = build_batch([view], LineBatch((0,), 320, (1,)), SHAPE)
    assert widths.tolist() == [[72]]
    assert np.unique(x[0, :, :72].reshape(-1, 3), axis=0).tolist() == [[1, 2, 3]]


def test_build_at_another_height():
    shape = (3, 32, 160)
    (batch,) = plan_batches([(32, 100)], image_shape=shape, batch_size=1)
    x, widths = build_batch([crop(32, 100)], batch, shape)
    assert x.shape == (1, 32, 160, 3)
    assert widths.tolist() == [[100]]


def test_build_refuses():
    with pytest.raises(ValueError, match="crop 0 needs 960 columns; the batch has 320"):
        build_batch([crop(20, 400)], LineBatch((0,), 320, (1,)), SHAPE)
    with pytest.raises(ValueError, match="image_shape has 1 channels"):
        build_batch([crop(20, 40)], LineBatch((0,), 320, (1,)), (1, 48, 320))


def test_regions_are_batched_by_themselves():
    sizes = [(48, 100), (48, 900), (48, 500), (48, 700)]
    assert plan_regions([], [], batch_size=6) == []
    assert plan_regions([[0, 1], [], [3, 2]], sizes, batch_size=6) == [
        LineBatch((0, 1), 900, (100 / 48 / (900 / 48), 1)),
        LineBatch((2, 3), 700, (500 / 48 / (700 / 48), 1)),
    ]
    assert plan_regions([[0, 1], [3, 2]], sizes, batch_size=1) == [
        LineBatch((0,), 320, (100 / 48 / LEAST_ASPECT,)),
        LineBatch((1,), 900, (1,)),
        LineBatch((2,), 500, (1,)),
        LineBatch((3,), 700, (1,)),
    ]
