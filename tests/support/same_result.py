"""PaddleX's results compared field by field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# The tolerance of the float at a place such as `res.boxes[0].coordinate[1]`; None: it must be equal.
Tolerance = Callable[[str], float | None]


def assert_same(got: Any, expected: Any, tolerance: Tolerance, place: str = "res") -> None:
    """Same keys in the same order, same types, same integers and texts; floats within the tolerance of their place."""
    assert type(got) is type(expected), place
    if isinstance(expected, dict):
        assert list(got) == list(expected), place
        for key in expected:
            assert_same(got[key], expected[key], tolerance, f"{place}.{key}")
    elif isinstance(expected, list):
        assert len(got) == len(expected), place
        for index, (one, other) in enumerate(zip(got, expected, strict=True)):
            assert_same(one, other, tolerance, f"{place}[{index}]")
    elif isinstance(expected, float) and (allowed := tolerance(place)) is not None:
        assert abs(got - expected) <= allowed, (place, got, expected)
    else:
        assert got == expected, place
