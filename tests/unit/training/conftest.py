"""Fixtures for the tests of the generators."""

from __future__ import annotations

import pytest

from training.errors import FontsMissing
from training.scenes import fonts


@pytest.fixture(scope="session")
def drawing_fonts() -> None:
    """Skips where the system has too few fonts to draw with."""
    try:
        fonts.chinese_faces()
        fonts.latin_faces()
    except FontsMissing as error:
        pytest.skip(str(error))
