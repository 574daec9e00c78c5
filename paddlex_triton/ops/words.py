"""Words of a text line and their boxes, as PaddleX makes them out of the steps at which characters were read.

A line is divided into columns, as many as steps of the recogniser fall on it. Words of Chinese are given character by
character, each a box of the same length around the middle of its column; others a box from their first column to their
last. Nothing is looked up in the picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["cn", "en&num", "symbol"]
Region = list[tuple[int, int]]

_LETTER_OR_DIGIT = re.compile("[a-zA-Z0-9]")
_DIGIT = re.compile("[0-9]")


@dataclass(frozen=True)
class Word:
    """Characters of one kind that follow each other.

    Attributes:
        kind: "cn" Chinese characters; "en&num" latin letters, digits, and what joins them; "symbol" anything else,
            spaces and other scripts too.
        characters: at least one.
        columns: the step at which each was read, ascending.
    """

    kind: Kind
    characters: list[str]
    columns: list[int]


def group_words(characters: Sequence[str], columns: Sequence[int]) -> list[Word]:
    """Divide a line where the kind of its characters changes; PaddleX's `get_word_info`.

    A dash after a letter or a digit belongs to it, and so does a dot that a digit follows: `VGG-16`, `3.14`.

    A character of several code points is one all the same. PaddleX counts code points and fails at such a line.

    Args:
        characters: of the line, see `CtcLine`.
        columns: the step at which each was read.

    Returns:
        The words in the order of the line; none of an empty line.

    Raises:
        ValueError: `columns` is of another length.
    """
    words: list[Word] = []
    for index, (character, column) in enumerate(zip(characters, columns, strict=True)):
        after = characters[index + 1] if index + 1 < len(characters) else ""
        kind = _kind(character, words[-1].kind if words else None, after)
        if not words or words[-1].kind != kind:
            words.append(Word(kind, [], []))
        words[-1].characters.append(character)
        words[-1].columns.append(column)
    return words


def word_boxes(quad: np.ndarray, words: Sequence[Word], column_count: float) -> tuple[list[str], list[Region]]:
    """Lay words out along their line; PaddleX's `cal_ocr_word_box`.

    As there, the texts are in the order of the line and the boxes in that of their middles, and the two may get out of
    step; boxes may leave the line, be empty or reversed.

    Args:
        quad: integers [4, 2], x, y in page pixels, in the order of `min_area_rectangle`. The box from the
            first to the second x and from the first to the third y is divided. It is divided from top to bottom if the
            quad is more than 1.5 times as high as wide, so also if it has a height and no width.
        words: of the line.
        column_count: columns of the line: the recogniser's steps times `LineBatch.filled`.

    Returns:
        The texts, a Chinese word character by character; and as many regions of four corners x, y in page pixels, top
        left, top right, bottom right, bottom left, of a vertical line top left, bottom left, bottom right, top right.

    Raises:
        ValueError: the quad is not [4, 2], or the number of columns not above zero.
    """
    if quad.shape != (4, 2):
        raise ValueError(f"the quad has shape {list(quad.shape)}; [4, 2] is expected")
    if not column_count > 0:
        raise ValueError(f"there are {column_count} columns; more than zero are expected")
    (left, top), (right, _), (_, bottom), _ = quad.tolist()
    vertical = _is_vertical(quad)
    start, end = (top, bottom) if vertical else (left, right)
    texts: list[str] = []
    for word in words:
        texts += word.characters if word.kind == "cn" else ["".join(word.characters)]
    spans = _spans(words, end - start, (end - start) / column_count)
    # PaddleX sorts boxes by rows: of a horizontal line they are all in one, of a vertical one exactly below each other.
    # Both times what is left is to sort them along the line.
    spans.sort(key=sum)
    if vertical:
        return texts, [[(left, start + a), (left, start + b), (right, start + b), (right, start + a)] for a, b in spans]
    return texts, [[(start + a, top), (start + b, top), (start + b, bottom), (start + a, bottom)] for a, b in spans]


def _kind(character: str, before: Kind | None, after: str) -> Kind:
    """Kind of a character, given that of the one before it and the one after it."""
    if "\u4e00" <= character <= "\u9fff":
        return "cn"
    if _LETTER_OR_DIGIT.search(character):
        return "en&num"
    joins = character == "-" or (character == "." and _DIGIT.search(after) is not None)
    return "en&num" if joins and before == "en&num" else "symbol"


def _is_vertical(quad: np.ndarray) -> bool:
    """Tell whether a quad is more than 1.5 times as high as wide."""
    width, height = (quad.max(axis=0).astype(np.int64) - quad.min(axis=0)).tolist()
    return 2 * height > 3 * width


def _spans(words: Sequence[Word], length: int, column: float) -> list[tuple[int, int]]:
    """Where words lie on a line of some length, from its start, in pixels; a column has `column` of them.

    First words that are not Chinese, then the characters of those that are.
    """
    spans = []
    for word in words:
        if word.kind != "cn":
            spans.append((int(word.columns[0] * column), int((word.columns[-1] + 1) * column)))
    chinese = [word for word in words if word.kind == "cn"]
    if not chinese:
        return spans
    # PaddleX divides by one less than the number of characters, and averages over words.
    sizes = [
        (word.columns[-1] - word.columns[0] + 1) * column / (len(word.columns) - 1)
        for word in chinese
        if len(word.columns) > 1
    ]
    size = float(np.mean(sizes)) if sizes else length / sum(len(word.characters) for word in words)
    for word in chinese:
        for number in word.columns:
            middle = (number + 0.5) * column
            spans.append((max(int(middle - size / 2), 0), min(int(middle + size / 2), length)))
    return spans
