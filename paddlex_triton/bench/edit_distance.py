"""How far two texts lie apart."""

from __future__ import annotations


def edits(wanted: str, read: str) -> int:
    """Characters to be put in, taken out or replaced to get from one text to the other."""
    row = list(range(len(read) + 1))
    for i, a in enumerate(wanted, 1):
        corner, row[0] = row[0], i
        for j, b in enumerate(read, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (a != b))
    return row[-1]
