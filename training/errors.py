"""The errors of a training, beside those of an export."""

from __future__ import annotations

from paddlex_triton.export.errors import ExportError


class FontsMissing(ExportError):
    """The system has too few fonts with Chinese characters to draw pages with."""


class ShardError(ExportError):
    """A folder of generated pages is not what was asked for, or cannot be read."""
