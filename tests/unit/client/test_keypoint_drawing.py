"""The picture of people: PaddleX's own pictures are compared in tests/parity."""

import numpy as np
import pytest

from paddlex_triton.client.results.drawing_keypoints import draw_skeletons

PAGE = np.full((120, 200, 3), (10, 100, 200), np.uint8)
NOSE, LEFT_EYE, RIGHT_EYE, RIGHT_ANKLE = 0, 1, 2, 16


def person(score=0.0):
    """Joints far from each other, all of one score."""
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[:, 0] = np.arange(17) * 10 + 20
    keypoints[:, 1] = np.arange(17) % 2 * 60 + 30
    keypoints[:, 2] = score
    return keypoints


def changed(people, page=PAGE):
    picture = np.asarray(draw_skeletons(page, people))
    return (picture != page[:, :, ::-1]).any(axis=2)


@pytest.mark.parametrize("people", [[], [person(), person()]])
def test_without_joints_the_page_stays_as_it_is(people):
    assert not changed(people).any()


def test_the_page_is_not_drawn_on():
    page = PAGE.copy()
    assert changed([person(1)], page).any()
    assert np.array_equal(page, PAGE)


@pytest.mark.parametrize(
    ("joint", "colour"),
    [(NOSE, (0, 0, 255)), (LEFT_EYE, (0, 85, 255)), (RIGHT_EYE, (0, 170, 255)), (RIGHT_ANKLE, (170, 0, 255))],
)
def test_joints_have_a_colour_each(joint, colour):
    keypoints = person()
    keypoints[joint, 2] = 1
    picture = np.asarray(draw_skeletons(PAGE, [keypoints]))
    x, y = keypoints[joint, :2].astype(int)
    assert tuple(picture[y, x]) == colour
    seen = np.argwhere(changed([keypoints]))
    assert seen.min(axis=0).tolist() == [y - 2, x - 2]
    assert seen.max(axis=0).tolist() == [y + 2, x + 2]


def test_a_limb_lets_the_page_through():
    keypoints = person()
    keypoints[NOSE], keypoints[LEFT_EYE] = (20, 50, 1), (80, 50, 1)
    picture = np.asarray(draw_skeletons(PAGE, [keypoints]))
    # 0.6 of blue, 0.4 of the page.
    assert tuple(picture[50, 50]) == (80, 40, 157)
    keypoints[LEFT_EYE, 2] = 0.05
    assert not changed([keypoints])[50, 50]


@pytest.mark.parametrize(("score", "drawn"), [(0.0999, False), (0.1, True), (float("nan"), False)])
def test_faint_joints_are_left_out(score, drawn):
    assert changed([person(score)]).any() == drawn


@pytest.mark.parametrize(
    "points",
    [
        (5, 5, 5, 5),
        (-30, -30, 20, 20),
        (190, 110, 400, 300),
        (-50, 60, 300, 60),
        (60, -50, 60, 300),
        (-90, -90, -20, -20),
        (9999, 50, 9999, 90),
        (0.9, 0.9, -0.9, -0.9),
    ],
)
def test_people_in_odd_places_do_not_crash(points):
    keypoints = person()
    keypoints[NOSE], keypoints[LEFT_EYE] = (*points[:2], 1), (*points[2:], 1)
    assert draw_skeletons(PAGE, [keypoints]).size == (200, 120)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_tiny_pages(size):
    page = np.zeros((*size, 3), np.uint8)
    assert draw_skeletons(page, [person(1)]).size == size[::-1]


def test_many_people():
    crowd = [person(1) + np.array([0, step % 40, 0], np.float32) for step in range(300)]
    assert changed(crowd).sum() > changed(crowd[:1]).sum()
