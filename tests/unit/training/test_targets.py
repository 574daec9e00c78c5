"""Labels of both networks, and that pictures and labels are changed together."""

from typing import Any

import numpy as np
import pytest

from paddlex_triton.export.training import layout_batches, schedules, seal_batches
from paddlex_triton.export.training.layout_batches import LayoutAugmentation
from paddlex_triton.export.training.layout_targets import assign
from paddlex_triton.export.training.scenes import PageScene, SealScene
from paddlex_triton.export.training.seal_batches import CropSize, SealAugmentation
from paddlex_triton.export.training.seal_targets import draw_targets
from paddlex_triton.ops.db import db_postprocess

UNCHANGED: dict[str, Any] = {"quarter_turns": 0, "any_turn": 0, "mirror": 0, "turn": 0, "stretch": 0, "coarse": 0}
PLAIN: dict[str, Any] = {"permute": 0, "grey": 0, "contrast": 0, "blur": 0, "recompress": 0}


def band(x: float, y: float, w: float, h: float) -> np.ndarray:
    return np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], np.float64)


def test_a_label_is_a_shrunk_band_that_postprocessing_grows_back():
    targets = draw_targets([band(20, 40, 200, 50)], (256, 256))
    assert targets.text.shape == (128, 128)
    height = int(targets.text[:, 60].sum())
    # Shrunk by 0.36 * area / perimeter at each side, at half the resolution.
    assert height == pytest.approx(25 - 2 * 0.36 * 200 * 50 / 500 / 2, abs=1.5)
    prob = np.kron(targets.text, np.ones((2, 2))).astype(np.float32)
    (polygon,), _ = db_postprocess(
        prob, src_h=256, src_w=256, thresh=0.2, box_thresh=0.6, unclip_ratio=0.5, box_type="poly"
    )
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    np.testing.assert_allclose([*low, *high], [20, 40, 220, 90], atol=4)


@pytest.mark.parametrize(("height", "learnt"), [(5.4, False), (5.6, True)])
def test_low_bands_are_ignored(height, learnt):
    targets = draw_targets([band(20, 20, 80, height)], (128, 128))
    assert bool(targets.text.any()) is learnt
    assert bool(targets.ignored.any()) is not learnt


@pytest.mark.parametrize(("distance", "gap"), [(40, False), (4, True)])
def test_background_between_two_bands_is_the_gap(distance, gap):
    targets = draw_targets([band(10, 20, 100, 20), band(10, 40 + distance, 100, 20)], (128, 128))
    assert bool(targets.gap.any()) is gap
    assert not (targets.gap & targets.text).any()
    if gap:
        assert targets.gap[21, 30]


@pytest.mark.parametrize("polygons", [[], [band(-500, -500, 100, 30)], [np.zeros((4, 2))]])
def test_pictures_without_text(polygons):
    assert not draw_targets(polygons, (64, 64)).text.any()


def disc_scene(side: int = 200) -> SealScene:
    """Black but for one white band, as it is labelled."""
    image = np.zeros((side, side, 3), np.uint8)
    image[80:120, 40:160] = 255
    return SealScene(image, [band(40, 80, 120, 40).astype(np.float32)], [37.0], ["text"])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("changes", [UNCHANGED, UNCHANGED | {"any_turn": 1.0, "mirror": 0.5, "stretch": 0.2}])
def test_labels_follow_the_picture(seed, changes):
    how = SealAugmentation(sizes=(CropSize(128, 1, (1, 1), (0.5, 0.7)),), **changes, **PLAIN)
    image, targets = seal_batches.augment(disc_scene(), how.sizes[0], np.random.default_rng(seed), how)
    # Fully inside its own band every label is white.
    bright = np.asarray(image[::2, ::2, 0])
    assert targets.text.sum() > 50
    assert bright[targets.text == 1].mean() > 250


def test_coarse_scenes_ignore_what_can_no_longer_be_read():
    how = SealAugmentation(
        sizes=(CropSize(128, 1, (1, 1), (0.6, 0.61)),),
        **UNCHANGED | {"coarse": 1.0, "coarse_sides": (10, 10.1)},
        **PLAIN,
    )
    _, targets = seal_batches.augment(disc_scene(), how.sizes[0], np.random.default_rng(0), how)
    assert targets.ignored.any() and not targets.text.any()


def test_a_batch_of_seals_has_the_shape_of_one_of_the_sizes():
    batch = seal_batches.draw_batch(
        [disc_scene()], np.random.default_rng(0), SealAugmentation(sizes=(CropSize(96, 3, (1, 1), (0.3, 2)),))
    )
    assert batch.images.shape == (3, 96, 96, 3) and batch.images.dtype == np.uint8
    assert batch.text.shape == batch.ignored.shape == batch.gap.shape == (3, 48, 48)


@pytest.mark.parametrize(("done", "side"), [(-0.1, 32), (0.0, 32), (1.0, 64), (1.5, 64)])
def test_sizes_change_in_the_course_of_a_training(done, side):
    sizes = (CropSize(32, 1, (1, 0), (0.5, 1)), CropSize(64, 1, (0, 1), (0.5, 1)))
    rng, how = np.random.default_rng(0), SealAugmentation(sizes=sizes)
    assert seal_batches.draw_batch([disc_scene()], rng, how, done).images.shape == (1, side, side, 3)


def test_shares_move_evenly():
    rng = np.random.default_rng(0)
    chosen = [schedules.choose([(1.0, 0.0), (1.0, 2.0)], 0.5, rng) for _ in range(2000)]
    assert sum(chosen) / len(chosen) == pytest.approx(0.75, abs=0.03)


def test_batches_are_the_seed_s_alone():
    first, second = (
        seal_batches.draw_batch([disc_scene()], np.random.default_rng((1, 7)), SealAugmentation()) for _ in range(2)
    )
    assert np.array_equal(first.images, second.images) and np.array_equal(first.text, second.text)


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


def test_thin_boxes_have_a_place_and_no_boxes_have_none():
    centres, strides = places()
    assert len(assign(np.array([[9, 9, 200, 9.5]], np.float32), np.array([0]), centres, strides).places) >= 1
    assert len(assign(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), centres, strides).places) == 0


@pytest.mark.parametrize("seed", range(8))
def test_boxes_follow_the_page(seed):
    image = np.zeros((200, 200, 3), np.uint8)
    image[60:140, 80:120] = 255
    page = PageScene(image, np.array([[80, 60, 120, 140]], np.float32), np.array([2]))
    how = LayoutAugmentation(**PLAIN, swap=0, invert=0, zoom=(0.7, 1.2), mirror=0.5)
    drawn = layout_batches.augment(page, 160, np.random.default_rng(seed), how)
    assert drawn.image.shape == (160, 160, 3)
    for x1, y1, x2, y2 in drawn.boxes.round().astype(int).tolist():
        assert drawn.image[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].min() > 250
        assert 0.35 < drawn.image[max(y1 - 6, 0) : y2 + 6, max(x1 - 6, 0) : x2 + 6].mean() / 255 <= 1


def test_boxes_mostly_cut_off_are_dropped():
    boxes = np.array([[-80, 0, 20, 50], [-40, 0, 60, 50], [0, 0, 3, 50]], np.float32)
    kept, classes = layout_batches._cut(boxes, np.array([0, 0, 0]), 100)
    assert kept.tolist() == [[0, 0, 60, 50]] and classes.tolist() == [0]
