"""Bounds of flattening."""

import numpy as np
import pytest

from paddlex_triton.errors import ImageTooLarge
from paddlex_triton.limits import MAX_UNWARPING_PIXELS
from paddlex_triton.ops.unwarping import check_unwarping_size


def page(h: int, w: int) -> np.ndarray:
    """A page that takes no memory."""
    return np.broadcast_to(np.zeros(3, np.uint8), (h, w, 3))


@pytest.mark.parametrize("size", [(1, 1), (1169, 827), (5000, MAX_UNWARPING_PIXELS // 5000), (1, MAX_UNWARPING_PIXELS)])
def test_pages_up_to_the_limit(size):
    check_unwarping_size(page(*size))


def test_a_page_beyond_the_limit():
    width = MAX_UNWARPING_PIXELS + 1
    with pytest.raises(ImageTooLarge, match=f"{width}x1 .* at most {MAX_UNWARPING_PIXELS} .* use_doc_unwarping off"):
        check_unwarping_size(page(1, width))


def test_no_page():
    with pytest.raises(ValueError, match=r"expected a page of uint8 \[H, W, 3\]"):
        check_unwarping_size(page(0, 5))
