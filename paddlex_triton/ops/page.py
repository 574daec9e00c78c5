"""The check of a page that operators begin with."""

from __future__ import annotations

import numpy as np


def check_page(page: np.ndarray) -> None:
    """Refuse what is no page.

    Args:
        page: uint8 [H, W, 3], H and W at least 1.

    Raises:
        ValueError: it is empty or of another shape or dtype.
    """
    if page.ndim != 3 or page.shape[2] != 3 or page.size == 0 or page.dtype != np.uint8:
        raise ValueError(f"expected a page of uint8 [H, W, 3] with pixels, got {page.dtype} {list(page.shape)}")
