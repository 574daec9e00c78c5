"""Right-to-left lines in the order PaddleX gives them in."""

import pytest

from paddlex_triton.ops.bidi import display_order


@pytest.mark.parametrize(
    ("read", "shown"),
    [
        ("", ""),
        ("abc 12", "abc 12"),
        ("\u0633\u0644\u0627\u0645", "\u0645\u0627\u0644\u0633"),
        # Numbers keep their own direction.
        ("\u0633\u0644 12", "12 \u0644\u0633"),
    ],
)
def test_order(read, shown):
    assert display_order(read) == shown
