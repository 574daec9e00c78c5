"""Which box is learnt where, and that pages and boxes are changed together."""

from typing import Any

import numpy as np
import pytest

from training import batches
from training.batches import Augmentation, PageSize
from training.scenes import PageScene
from training.targets import assign

PLAIN: dict[str, Any] = {"permute": 0, "grey": 0, "contrast": 0, "blur": 0, "recompress": 0}


def places(side: int = 256) -> tuple[np.ndarray, np.ndarray]:
    centres, strides = [], []
    for stride in (8, 16, 32, 64):
        steps = (np.arange(side // stride) + 0.5) * stride
        x, y = np.meshgrid(steps, steps)
        centres.append(np.stack((x, y), -1).reshape(-1, 2))
        strides.append(np.full(centres[-1].shape[0], stride))
    return np.concatenate(centres).astype(np.float32), np.concatenate(strides).astype(np.float32)


@pytest.mark.parametrize(("side", "levels"), [(40, {8}), (80, {8, 16}), (200, {16, 32})])
def test_boxes_go_to_the_levels_of_their_size(side, levels):
    centres, strides = places()
    box = np.array([[20, 20, 20 + side, 20 + side]], np.float32)
    targets = assign(box, np.array([2]), centres, strides)
    assert set(strides[targets.places].tolist()) == levels
    off = np.abs(centres[targets.places] - (20 + side / 2)).max(axis=1)
    assert (off <= 1.5 * strides[targets.places]).all()
    assert (targets.boxes == box).all() and (targets.classes == 2).all()


def test_the_smaller_box_of_a_class_wins_and_classes_share_places():
    centres, strides = places()
    boxes = np.array([[60, 60, 110, 110], [70, 70, 100, 100], [60, 60, 110, 110]], np.float32)
    targets = assign(boxes, np.array([2, 2, 1]), centres, strides)
    pairs = list(zip(targets.places.tolist(), targets.classes.tolist(), strict=True))
    assert len(pairs) == len(set(pairs))
    middle = int(np.argmin(np.abs(centres - 85).max(axis=1) + strides))
    owned = {of_class: box for place, of_class, box in zip(*vars(targets).values(), strict=True) if place == middle}
    assert owned[2].tolist() == [70, 70, 100, 100] and owned[1].tolist() == [60, 60, 110, 110]


def test_places_near_an_edge_belong_to_no_box_of_a_row():
    centres, strides = places()
    boxes = np.array([[8, 8, 84, 248], [84, 8, 160, 248], [160, 8, 236, 248]], np.float32)
    targets = assign(boxes, np.array([2, 2, 2]), centres, strides)
    assert {tuple(box) for box in targets.boxes.tolist()} == {tuple(box) for box in boxes.tolist()}
    middles = (targets.boxes[:, :2] + targets.boxes[:, 2:]) / 2
    off = np.abs(centres[targets.places] - middles)
    assert (off <= 0.3 * (targets.boxes[:, 2:] - targets.boxes[:, :2])).all()


def test_thin_boxes_have_a_place_and_no_boxes_have_none():
    centres, strides = places()
    assert len(assign(np.array([[9, 9, 200, 9.5]], np.float32), np.array([0]), centres, strides).places) >= 1
    assert len(assign(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), centres, strides).places) == 0


def a_page() -> PageScene:
    """Black but for one white seal, as it is labelled."""
    image = np.zeros((200, 200, 3), np.uint8)
    image[60:140, 80:120] = 255
    return PageScene(image, np.array([[80, 60, 120, 140]], np.float32), np.array([2]))


@pytest.mark.parametrize("seed", range(8))
def test_boxes_follow_the_page(seed):
    how = Augmentation(**PLAIN, swap=0, invert=0, zoom=(0.7, 1.2), mirror=0.5)
    drawn = batches.augment(a_page(), 160, np.random.default_rng(seed), how)
    assert drawn.image.shape == (160, 160, 3)
    for x1, y1, x2, y2 in drawn.boxes.round().astype(int).tolist():
        assert drawn.image[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].min() > 250
        assert 0.35 < drawn.image[max(y1 - 6, 0) : y2 + 6, max(x1 - 6, 0) : x2 + 6].mean() / 255 <= 1


@pytest.mark.parametrize("seed", range(8))
def test_four_pages_are_joined_with_their_boxes(seed):
    how = Augmentation(**PLAIN, swap=0, invert=0, mosaic=(1, 1), mirror=0.5)
    empty = PageScene(a_page().image * 0, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    pages = [a_page(), a_page(), a_page(), empty]
    drawn = batches.join(pages, 320, np.random.default_rng(seed), how)
    assert drawn.image.shape == (320, 320, 3) and (drawn.classes == 2).all()
    assert 1 <= len(drawn.boxes) == len(drawn.classes) <= 3
    for x1, y1, x2, y2 in drawn.boxes.round().astype(int).tolist():
        assert x2 - x1 < 0.65 * 320 and drawn.image[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].min() > 250
    assert drawn.image[210:, 210:].max() == 0


def test_mosaics_are_as_frequent_as_told():
    how = Augmentation(sizes=(PageSize(64, 400, (1, 1)),), mosaic=(0.5, 0.0), **PLAIN)
    for done, least, most in ((0.0, 0.4, 0.6), (1.0, 0.0, 0.0)):
        batch = batches.draw_batch([a_page()], np.random.default_rng(3), how, done)
        assert least <= np.mean([len(boxes) > 1 for boxes in batch.boxes]) <= most


def test_boxes_mostly_cut_off_are_dropped():
    boxes = np.array([[-80, 0, 20, 50], [-40, 0, 60, 50], [0, 0, 3, 50]], np.float32)
    kept, classes = batches._cut(boxes, np.array([0, 0, 0]), (100, 100))
    assert kept.tolist() == [[0, 0, 60, 50]] and classes.tolist() == [0]


def test_a_batch_has_the_shape_of_one_of_the_sizes():
    how = Augmentation(sizes=(PageSize(96, 3, (1, 1)),))
    batch = batches.draw_batch([a_page()], np.random.default_rng(0), how)
    assert batch.images.shape == (3, 96, 96, 3) and batch.images.dtype == np.uint8
    assert len(batch.boxes) == len(batch.classes) == 3


@pytest.mark.parametrize(("done", "side"), [(-0.1, 32), (0.0, 32), (1.0, 64), (1.5, 64)])
def test_sizes_change_in_the_course_of_a_training(done, side):
    rng, how = np.random.default_rng(0), Augmentation(sizes=(PageSize(32, 1, (1, 0)), PageSize(64, 1, (0, 1))))
    assert batches.draw_batch([a_page()], rng, how, done).images.shape == (1, side, side, 3)


def test_shares_move_evenly():
    rng, how = np.random.default_rng(0), Augmentation(sizes=(PageSize(16, 1, (1, 0)), PageSize(17, 1, (1, 2))))
    sides = [batches.draw_batch([a_page()], rng, how, 0.5).images.shape[1] for _ in range(2000)]
    assert sides.count(17) / len(sides) == pytest.approx(0.75, abs=0.03)


def test_batches_are_the_seed_s_alone():
    first, second = (batches.draw_batch([a_page()], np.random.default_rng((1, 7)), Augmentation()) for _ in range(2))
    assert np.array_equal(first.images, second.images)
    assert all(np.array_equal(one, other) for one, other in zip(first.boxes, second.boxes, strict=True))
