"""Text that is written from right to left."""

from __future__ import annotations

from bidi.algorithm import get_display


def display_order(text: str) -> str:
    """Bring what a recogniser read from left to right into the order that PaddleX gives it in.

    Args:
        text: a line, its characters in the order of their columns.

    Returns:
        The line reordered by the Unicode Bidirectional Algorithm (UAX 9).
    """
    return str(get_display(text))
