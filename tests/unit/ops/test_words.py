"""Words of a line: where it is divided, and the boxes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddlex_triton.ops.words import Word, group_words, word_boxes

QUAD = np.array([[10, 20], [110, 20], [110, 50], [10, 50]], np.int16)
# 100 pixels high.
VERTICAL = np.array([[10, 20], [40, 20], [40, 120], [10, 120]], np.int16)


def words_of(text: str) -> list[Word]:
    """Each character at a step by itself."""
    return group_words(text, range(len(text)))


def spans_of(regions: list[list[tuple[int, int]]], axis: int = 0) -> list[tuple[int, int]]:
    """Start and end along the line, from its start."""
    start = (10, 20)[axis]
    return [(region[0][axis] - start, region[2][axis] - start) for region in regions]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("永", [("cn", "永")]),
        ("永和a1 九", [("cn", "永和"), ("en&num", "a1"), ("symbol", " "), ("cn", "九")]),
        ("一龥", [("cn", "一龥")]),  # the first of the range, and one of its last
        ("鿿ꀀ", [("cn", "鿿"), ("symbol", "ꀀ")]),  # the very last, and the next
        ("VGG-16", [("en&num", "VGG-16")]),
        ("3.14", [("en&num", "3.14")]),
        ("a.5", [("en&num", "a.5")]),
        ("3.", [("en&num", "3"), ("symbol", ".")]),
        ("3.a", [("en&num", "3"), ("symbol", "."), ("en&num", "a")]),
        ("3..1", [("en&num", "3"), ("symbol", ".."), ("en&num", "1")]),
        ("3-.1", [("en&num", "3-.1")]),
        ("a--", [("en&num", "a--")]),
        ("-5", [("symbol", "-"), ("en&num", "5")]),
        (".5", [("symbol", "."), ("en&num", "5")]),
        ("永-5", [("cn", "永"), ("symbol", "-"), ("en&num", "5")]),
        ("永.5", [("cn", "永"), ("symbol", "."), ("en&num", "5")]),
        (" -5", [("symbol", " -"), ("en&num", "5")]),
        ("é（カ한", [("symbol", "é（カ한")]),
        ("1.٣", [("en&num", "1"), ("symbol", ".٣")]),  # no digit of ASCII
    ],
)
def test_where_a_line_is_divided(text, expected):
    assert [(word.kind, "".join(word.characters)) for word in words_of(text)] == expected


@given(st.text("永和aZ09.- é"))
def test_words_are_the_line(text):
    words = words_of(text)
    assert "".join(character for word in words for character in word.characters) == text
    assert [column for word in words for column in word.columns] == list(range(len(text)))
    assert all(word.characters for word in words)
    assert all(before.kind != after.kind for before, after in pairwise(words))


def test_a_column_per_character():
    with pytest.raises(ValueError, match="longer"):
        group_words("ab", [1, 2, 3])


def test_a_character_of_several_code_points_is_one():
    words = group_words(["नि", "永", "e\u0301"], [0, 2, 5])
    assert words == [
        Word("symbol", ["नि"], [0]),
        Word("cn", ["永"], [2]),
        Word("en&num", ["e\u0301"], [5]),
    ]
    texts, regions = word_boxes(QUAD, words, 10)
    assert texts == ["नि", "永", "e\u0301"]
    assert spans_of(regions) == [(0, 10), (8, 41), (50, 60)]


@pytest.mark.parametrize("columns", [0.5, 10, 25.0])
def test_boxes_of_nothing(columns):
    assert word_boxes(QUAD, [], columns) == ([], [])


def test_boxes_of_words():
    texts, regions = word_boxes(QUAD, [Word("en&num", ["a", "b"], [1, 3]), Word("symbol", [" "], [4])], 10)
    assert texts == ["ab", " "]
    assert regions == [
        [(20, 20), (50, 20), (50, 50), (20, 50)],
        [(50, 20), (60, 20), (60, 50), (50, 50)],
    ]


def test_boxes_of_chinese_characters():
    """Four columns over one less than the characters; cut off at the start of the line and at its end."""
    texts, regions = word_boxes(QUAD, [Word("cn", ["永", "和", "九"], [0, 1, 3])], 10)
    assert texts == ["永", "和", "九"]
    assert spans_of(regions) == [(0, 15), (5, 25), (25, 45)]
    _, regions = word_boxes(QUAD, [Word("cn", ["永", "和"], [8, 9])], 10)
    assert spans_of(regions) == [(75, 95), (85, 100)]


def test_all_chinese_characters_are_of_one_length():
    """The mean over words of several characters."""
    words = [Word("cn", ["永"], [0]), Word("symbol", ["-"], [1]), Word("cn", ["和", "九"], [2, 3])]
    words += [Word("symbol", ["-"], [4]), Word("cn", ["年", "岁", "在"], [5, 6, 9])]
    _, regions = word_boxes(QUAD, words, 10)
    # The mean of 20 and 25, cut off at both ends of the line.
    chinese = [(0, 16), (13, 36), (23, 46), (43, 66), (53, 76), (83, 100)]
    assert spans_of(regions) == sorted([*chinese, (10, 20), (40, 50)], key=sum)


def test_chinese_characters_that_stand_alone():
    """They take the line's length over the number of all its characters."""
    words = [Word("en&num", ["a", "b", "c"], [0, 1, 2]), Word("cn", ["永"], [5])]
    texts, regions = word_boxes(QUAD, words, 10)
    assert texts == ["abc", "永"]
    assert spans_of(regions) == [(0, 30), (42, 67)]


def test_texts_and_boxes_get_out_of_step():
    """Boxes are sorted by their middles, texts are not. A Chinese character's box ends where the line does."""
    texts, regions = word_boxes(QUAD, [Word("en&num", ["a"], [15]), Word("cn", ["永"], [16])], 5)
    assert texts == ["a", "永"]
    assert spans_of(regions) == [(305, 100), (300, 320)]


def test_boxes_of_a_vertical_line():
    words = [Word("en&num", ["a"], [0]), Word("cn", ["永", "和"], [1, 2]), Word("symbol", [" "], [5])]
    texts, regions = word_boxes(VERTICAL, words, 10)
    assert texts == ["a", "永", "和", " "]
    assert spans_of(regions, axis=1) == [(0, 10), (5, 25), (15, 35), (50, 60)]
    assert regions[0] == [(10, 20), (10, 30), (40, 30), (40, 20)]


@pytest.mark.parametrize(
    ("width", "height", "vertical"),
    [(20, 30, False), (20, 31, True), (0, 1, True), (0, 0, False), (1, 0, False), (21844, 32766, False)],
)
def test_what_is_vertical(width, height, vertical):
    quad = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.int16)
    _, (region,) = word_boxes(quad, [Word("symbol", ["!"], [0])], 1)
    assert region[1] == ((0, height) if vertical else (width, 0))
    assert sorted(set(region)) == sorted({(0, 0), (width, 0), (width, height), (0, height)})


def test_a_quad_that_leans():
    """It is what lies between its corners that is divided, not the box around it."""
    quad = np.array([[30, 2], [130, 12], [120, 40], [20, 30]], np.int16)
    _, (region,) = word_boxes(quad, [Word("symbol", ["!"], [5])], 10)
    assert region == [(80, 2), (90, 2), (90, 40), (80, 40)]


def test_all_numbers_are_pythons():
    words = [Word("en&num", ["a"], [0]), Word("cn", ["永", "和"], [1, 2])]
    _, regions = word_boxes(QUAD, words, 10)
    assert {type(value) for region in regions for point in region for value in point} == {int}


@pytest.mark.parametrize("columns", [0, -1.5, float("nan")])
def test_lines_have_columns(columns):
    with pytest.raises(ValueError, match="more than zero are expected"):
        word_boxes(QUAD, [], columns)


@pytest.mark.parametrize("quad", [np.zeros((3, 2), int), np.zeros((5, 2), int), np.zeros(8, int)])
def test_a_line_has_four_corners(quad):
    with pytest.raises(ValueError, match=r"\[4, 2\] is expected"):
        word_boxes(quad, [], 10)
