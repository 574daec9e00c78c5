"""Flattening of curled pages: what is left to do before the network, which works on the page as it is."""

from __future__ import annotations

import numpy as np

from paddlex_triton.errors import ImageTooLarge
from paddlex_triton.limits import MAX_UNWARPING_PIXELS
from paddlex_triton.ops.page import check_page


def check_unwarping_size(page: np.ndarray) -> None:
    """Refuse a page that is too large to be flattened.

    Args:
        page: uint8 [H, W, 3].

    Raises:
        ValueError: the page is empty or of another shape or dtype.
        ImageTooLarge: it has more than MAX_UNWARPING_PIXELS.
    """
    check_page(page)
    height, width = page.shape[:2]
    if height * width > MAX_UNWARPING_PIXELS:
        raise ImageTooLarge(
            f"the page is {width}x{height} (width x height): {height * width} pixels; at most {MAX_UNWARPING_PIXELS} "
            "are allowed where it is flattened: send it smaller, or switch use_doc_unwarping off"
        )
