"""Errors of loading and running a model."""

from __future__ import annotations

import re
from typing import Literal

# Names of TritonError's codes in the Python backend (`pb_utils.TritonError.<name>`).
TritonCode = Literal["INTERNAL", "INVALID_ARG", "UNSUPPORTED"]

_SOURCE_FOLDERS = re.compile(r"(?<![\w/.])/?(?:[^\s/:'\"]+/)+(?=[^\s/:'\"]+\.(?:cc|h|cpp|hpp|cu|cuh):\d)")


class LoadError(Exception):
    """The model cannot be loaded as configured. The message is for the operator and may name files."""


class RequestError(Exception):
    """One request cannot be answered. The message is for the caller and names no files.

    Attributes:
        code: name of the TritonError code.
    """

    def __init__(self, code: TritonCode, message: str) -> None:
        super().__init__(message)
        self.code: TritonCode = code


def run_error(message: str) -> RequestError:
    """Return the answer to each request of a batch whose run failed.

    Args:
        message: the engine's. Source files in it lose their folders.
    """
    return RequestError("INTERNAL", _SOURCE_FOLDERS.sub("", message))
