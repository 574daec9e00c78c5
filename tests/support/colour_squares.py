"""Pictures made of numpy's numbers alone, the same wherever they are made."""

from __future__ import annotations

import numpy as np

# Seed, rows and columns of squares, pixels of a square.
PICTURES = ((0, 700, 500, 1), (1, 35, 25, 20), (2, 9, 16, 90))


def picture(seed: int, rows: int, columns: int, side: int) -> np.ndarray:
    """Squares of any colour, uint8 [rows * side, columns * side, 3], BGR."""
    squares = np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    return squares.repeat(side, 0).repeat(side, 1)
