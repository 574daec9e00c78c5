"""Checks that the labels of classifiers fit the steps that use them."""

from __future__ import annotations

from collections.abc import Sequence

_QUARTER_TURNS = ("0", "90", "180", "270")


def require_quarter_turns(labels: Sequence[str]) -> None:
    """Refuse a classifier of pages whose labels are not angles.

    Raises:
        ValueError: a label is not 0, 90, 180 or 270 (degrees counterclockwise), or there is none.
    """
    if not labels or not set(labels) <= set(_QUARTER_TURNS):
        raise ValueError(f"its labels are {', '.join(labels) or 'missing'}; {', '.join(_QUARTER_TURNS)} are needed")


def require_two(labels: Sequence[str]) -> None:
    """Refuse a classifier of lines that knows more than upright (the first class) and upside down.

    Raises:
        ValueError: there are not two labels.
    """
    if len(labels) != 2:
        raise ValueError(f"its labels are {', '.join(labels) or 'missing'}; two are needed: upright, upside down")
