"""The generators of pages: shapes, the same bytes for the same seed, glyphs that stay on their lines."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.errors import FontsMissing
from training.metrics import box_overlaps
from training.scenes import (
    IMAGE,
    SEAL,
    PageScene,
    curves,
    fonts,
    inks,
    pages,
    stamps,
    textures,
    words,
)
from training.scenes.pages import draw_page_scene, draw_page_without_seals, draw_photograph

_MANY = 200

pytestmark = pytest.mark.usefixtures("drawing_fonts")


@pytest.fixture(scope="module")
def page_scenes() -> list[PageScene]:
    return [draw_page_scene(np.random.default_rng([32, seed]), 256) for seed in range(_MANY)]


@pytest.fixture(scope="module")
def pages_without_seals() -> list[PageScene]:
    return [draw_page_without_seals(np.random.default_rng([33, seed]), 256) for seed in range(_MANY)]


def test_turned_straight_and_pale_seals_are_drawn_often_enough() -> None:
    rng = np.random.default_rng(5)
    turns = np.array([stamps.draw_turn(rng) for _ in range(2000)])
    assert 0.2 < np.mean((turns > np.radians(40)) & (turns < np.radians(320))) < 0.3
    assert 0.15 < np.mean(turns == 0) < 0.25
    drawn = [inks.draw_ink(rng) for _ in range(2000)]
    pale = [ink.strength < 0.56 or np.ptp(ink.colour) < 40 for ink in drawn]
    assert 0.25 < np.mean(pale) < 0.4
    assert 0.4 < np.mean([ink.multiply for ink in drawn]) < 0.8


@pytest.mark.parametrize("draw", [draw_page_scene, draw_page_without_seals, draw_photograph])
def test_the_same_seed_draws_the_same_bytes(draw) -> None:
    first, again = (draw(np.random.default_rng([7, 1]), 192) for _ in range(2))
    draw(np.random.default_rng([7, 2]), 192)
    later = draw(np.random.default_rng([7, 1]), 192)
    other = draw(np.random.default_rng([7, 3]), 192)
    assert first.image.tobytes() == again.image.tobytes() == later.image.tobytes()
    assert first.image.tobytes() != other.image.tobytes()


@pytest.mark.parametrize("seed", range(60))
def test_glyphs_lie_along_their_curve(seed: int) -> None:
    """Ink beside the line, half a glyph off the curve on either side of its middle, is at most antialiasing."""
    rng = np.random.default_rng([41, seed])
    face = fonts.chinese_faces()[seed % len(fonts.chinese_faces())]
    text = (words.firm, words.purpose, lambda rng: words.latin(rng, 2))[seed % 3](rng)
    inward, aspect = bool(seed % 2), 1.0 if seed % 4 else 0.7
    curve = curves.arc((0.8, 0.8 * aspect), rng.uniform(-3, 3), inward)
    height = min(0.25, 0.8 * curve.length / curves.natural_length(text))
    pose = np.array([[150.0, 10.0, 200.0], [-10.0, 150.0, 200.0]])
    ink = np.zeros((400, 400), np.uint8)
    curves.write_along(ink, text, curve, curves.Lettering(face, height, 1.05), pose)
    written = np.abs(curve.lengths - curve.length / 2) < (0.53 * curves.natural_length(text) + 0.1) * height
    edges = [(curve.points + side * 0.54 * height * curve.normals)[written] for side in (1, -1)]
    inside = np.zeros_like(ink)
    for chord in np.stack([edges[0][:-1], edges[0][1:], edges[1][1:], edges[1][:-1]], axis=1):
        cv2.fillConvexPoly(inside, np.round(chord @ pose[:, :2].T + pose[:, 2]).astype(np.int32), (1,))
    inside = cv2.dilate(inside, np.ones((3, 3), np.uint8))
    assert ink.astype(int).sum() > 0
    assert ink[inside == 0].astype(int).sum() < 0.005 * ink.astype(int).sum()


def test_a_line_walked_to_the_right_has_its_tops_above() -> None:
    _, normal = curves.line((0.0, 0.0), (1.0, 0.0)).at(0.5)
    np.testing.assert_allclose(normal, (0.0, -1.0), atol=1e-9)


@pytest.mark.parametrize(("inward", "point", "normal"), [(False, (0, -1), (0, -1)), (True, (0, -1), (0, 1))])
def test_an_arcs_middle_is_at_its_angle(inward: bool, point: tuple, normal: tuple) -> None:
    curve = curves.arc((1.0, 1.0), 0.0, inward)
    there, up = curve.at(curve.length / 2)
    np.testing.assert_allclose(there, point, atol=1e-6)
    np.testing.assert_allclose(up, normal, atol=1e-6)


def test_pages_have_boxes_inside_and_all_classes(page_scenes: list[PageScene]) -> None:
    for page in page_scenes:
        assert page.image.shape == (256, 256, 3)
        assert page.image.dtype == np.uint8
        assert page.boxes.dtype == np.float32
        assert page.classes.dtype == np.int64
        assert page.boxes.shape == (len(page.classes), 4)
        assert (page.boxes[:, :2] < page.boxes[:, 2:]).all()
        assert page.boxes.size == 0 or (page.boxes.min() >= 0 and page.boxes.max() <= 256)
    assert set(np.concatenate([page.classes for page in page_scenes])) == {0, 1, 2}


def test_pages_have_none_one_and_many_seals_and_some_close_up(page_scenes: list[PageScene]) -> None:
    counts = {int((page.classes == SEAL).sum()) for page in page_scenes}
    assert {0, 1, 2, 3} <= counts
    seals = np.concatenate([page.boxes[page.classes == SEAL] for page in page_scenes])
    assert (seals[:, 2] - seals[:, 0]).max() > 0.5 * 256


def test_many_seals_are_small_and_many_lie_on_others(page_scenes: list[PageScene]) -> None:
    seals = [page.boxes[page.classes == SEAL] for page in page_scenes]
    sides = np.concatenate([np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)) for boxes in seals])
    assert 0.3 < np.mean(sides < 0.1 * 256) < 0.65
    overlapped = [(np.triu(box_overlaps(boxes, boxes), 1) > 0.02).any() for boxes in seals if len(boxes) > 1]
    assert 0.2 < np.mean(overlapped) < 0.7


@pytest.mark.parametrize("seed", range(20))
def test_a_picture_over_a_seal_hides_half_of_it_at_most(seed: int) -> None:
    rng = np.random.default_rng([35, seed])
    sheet = pages._Sheet(rng, 640)
    low, size = rng.uniform(0.3, 0.5, 2) * 640, rng.uniform(40, 160)
    sheet.add(SEAL, np.concatenate([low, low + size]))
    pages._cover(rng, sheet)
    seal = sheet.of(SEAL)[0]
    for picture in sheet.of(IMAGE):
        common = np.minimum(seal.max(axis=0), picture.max(axis=0)) - np.maximum(seal.min(axis=0), picture.min(axis=0))
        assert np.prod(np.maximum(common, 0)) <= 0.52 * size**2


def test_photographs_are_pictures_without_seals() -> None:
    for seed in range(20):
        picture = draw_photograph(np.random.default_rng([34, seed]), 256)
        assert SEAL not in picture.classes
        assert np.prod(picture.boxes[picture.classes == IMAGE][:, 2:].max(axis=0)) > 0.5 * 256**2


@pytest.mark.parametrize("drawn", [False, True])
def test_pages_from_a_computer_have_plain_paper_and_no_damage(monkeypatch: pytest.MonkeyPatch, drawn: bool) -> None:
    monkeypatch.setattr(pages, "_DRAWN", float(drawn))

    def paper(seed: int) -> np.ndarray:
        rng = np.random.default_rng([36, seed])
        return pages._finish(rng, pages._Sheet(rng, 256), 256).image

    plain = [np.ptp(paper(seed), axis=(0, 1)).max() <= 1 for seed in range(20)]
    assert all(plain) if drawn else not all(plain)


def test_hard_negatives_have_no_seal(pages_without_seals: list[PageScene]) -> None:
    assert all(SEAL not in page.classes for page in pages_without_seals)
    assert np.mean([len(page.classes) for page in pages_without_seals]) > 1
    assert all(page.image.shape == (256, 256, 3) for page in pages_without_seals)


def test_the_level_of_characters_is_complete() -> None:
    characters = words.common_characters()
    assert len(characters) == len(set(characters)) == 3755


@pytest.mark.parametrize(("height", "width"), [(1, 1), (30, 2000), (1400, 900)])
def test_grain_fits_any_picture(height: int, width: int) -> None:
    assert textures.grain(np.random.default_rng(0), height, width, 2).shape == (height, width)


def test_a_stamp_beside_the_picture_prints_nothing() -> None:
    image = np.full((20, 20, 3), 200, np.uint8)
    ink = inks.Ink(np.zeros(3, np.float32), 1.0, True, 0.0)
    inks.press(np.random.default_rng(0), image, np.full((10, 10), 255, np.uint8), (-10, 5), ink)
    assert (image == 200).all()
    inks.press(np.random.default_rng(0), image, np.full((10, 10), 255, np.uint8), (-5, 15), ink)
    assert (image != 200).any()


def test_too_few_fonts_are_reported_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_installed", dict)
    fonts.chinese_faces.cache_clear()
    try:
        with pytest.raises(FontsMissing, match=r"0 Chinese faces found, at least 3 .*apt-get install fonts-noto-cjk"):
            fonts.chinese_faces()
    finally:
        fonts.chinese_faces.cache_clear()
