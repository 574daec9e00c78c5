"""Greedy CTC decoding: texts, scores, and the columns of characters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddlex_triton.ops.ctc import CtcLine, decode, decode_lines

CHARACTERS = ["blank", "a", "b", "中", " "]


def decode_one(indices: list[int], probs: list[float] | None = None) -> tuple[str, float]:
    row = np.array([indices], np.int32)
    values = np.array([probs or [0.5] * len(indices)], np.float32)
    (text,), (score,) = decode(row, values, CHARACTERS)
    return text, score


@pytest.mark.parametrize(
    ("indices", "text"),
    [
        ([], ""),
        ([0], ""),
        ([0, 0, 0], ""),
        ([1], "a"),
        ([1, 1, 1], "a"),
        ([1, 0, 1], "aa"),
        ([1, 2, 2, 0, 2, 3, 4, 4], "abb中 "),
        ([0, 4, 0], " "),
    ],
)
def test_text(indices, text):
    assert decode_one(indices)[0] == text


def test_score_is_the_mean_of_kept_steps():
    assert decode_one([1, 1, 0, 2], [0.5, 0.9, 0.9, 0.25]) == ("ab", 0.375)


def test_score_of_nothing():
    assert decode_one([0, 0]) == ("", 0.0)


def test_score_is_computed_in_float32():
    probs = np.random.default_rng(0).random(40, np.float32)
    score = decode_one([1, 2] * 20, probs.tolist())[1]
    assert isinstance(score, float)
    assert score == float(np.mean(probs))


@pytest.mark.parametrize("rows", [0, 1, 2, 33])
def test_rows(rows):
    texts, scores = decode(np.ones((rows, 5), np.int64), np.full((rows, 5), 0.5, np.float32), CHARACTERS)
    assert texts == ["a"] * rows
    assert scores == [0.5] * rows


@given(st.lists(st.lists(st.integers(0, 4), min_size=12, max_size=12), min_size=1, max_size=5))
def test_rows_are_independent(rows):
    indices = np.array(rows)
    probs = np.random.default_rng(0).random(indices.shape, np.float32)
    together = decode(indices, probs, CHARACTERS)
    alone = [decode(indices[k : k + 1], probs[k : k + 1], CHARACTERS) for k in range(len(rows))]
    assert together == ([text for (text,), _ in alone], [score for _, (score,) in alone])


@pytest.mark.parametrize(
    ("indices", "line"),
    [
        ([], CtcLine("", 0.0, [], [])),
        ([0, 0], CtcLine("", 0.0, [], [])),
        ([3], CtcLine("中", 0.5, ["中"], [0])),
        ([0, 1, 1, 0, 1, 4, 4, 2], CtcLine("aa b", 0.5, ["a", "a", " ", "b"], [1, 4, 5, 7])),
    ],
)
def test_columns(indices, line):
    row = np.array([indices], np.int32)
    assert decode_lines(row, np.full(row.shape, 0.5, np.float32), CHARACTERS) == [line]


def test_a_character_of_several_code_points_has_one_column():
    (line,) = decode_lines(np.array([[1, 0, 2]]), np.full((1, 3), 0.5, np.float32), ["blank", "नि", "a"])
    assert line == CtcLine("निa", 0.5, ["नि", "a"], [0, 2])


@pytest.mark.parametrize("rows", [0, 1, 33])
def test_lines_are_what_decode_gives(rows):
    indices = np.random.default_rng(rows).integers(0, 5, (rows, 40))
    probs = np.random.default_rng(0).random(indices.shape, np.float32)
    lines = decode_lines(indices, probs, CHARACTERS)
    assert ([line.text for line in lines], [line.score for line in lines]) == decode(indices, probs, CHARACTERS)
    for row, line in zip(indices, lines, strict=True):
        assert [CHARACTERS[row[column]] for column in line.columns] == line.characters == list(line.text)


@pytest.mark.parametrize("read", [decode, decode_lines])
@pytest.mark.parametrize(
    ("indices", "probs", "message"),
    [
        (np.zeros((2, 3)), np.zeros((2, 3), np.float32), "indices: expected integers"),
        (np.zeros(3, int), np.zeros(3, np.float32), "indices: expected integers"),
        (np.zeros((2, 3), int), np.zeros((2, 4), np.float32), r"probs: expected float32 \[2, 3\]"),
        (np.zeros((2, 3), int), np.zeros((2, 3)), "probs: expected float32"),
        (np.full((2, 3), 5), np.zeros((2, 3), np.float32), r"expected 0 to 4 \(the characters\), got 5"),
        (np.full((2, 3), -1), np.zeros((2, 3), np.float32), r"expected 0 to 4 \(the characters\), got -1"),
    ],
)
def test_refusals(read, indices, probs, message):
    with pytest.raises(ValueError, match=message):
        read(indices, probs, CHARACTERS)
