"""Errors of loading and running a model, and ONNX Runtime's own ones in the C++ backend's words."""

from __future__ import annotations

import re
from typing import Literal

# Names of TritonError's codes in the Python backend (`pb_utils.TritonError.<name>`).
TritonCode = Literal["INTERNAL", "INVALID_ARG", "UNSUPPORTED"]

# OrtErrorCode's ORT_FAIL: what the C++ API reports for an exception that names no other code.
_ORT_FAIL = "1"
_ORT_MESSAGE = re.compile(r"\[ONNXRuntimeError\] : (?P<code>\d+) : [A-Z_]+ : (?P<text>.*)", re.DOTALL)
_SOURCE_FOLDERS = re.compile(r"(?<![\w/.])/(?:[^\s/:'\"]+/)+(?=[^\s/:'\"]+\.(?:cc|h|cpp|hpp|cu|cuh):\d)")


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


def onnxruntime_message(error: BaseException) -> str:
    """Put an exception of ONNX Runtime into the C++ backend's words: `onnx runtime error <code>: <text>`.

    The Python API spells the code inside the text: `[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : <text>`.
    """
    found = _ORT_MESSAGE.search(str(error))
    code, text = (found["code"], found["text"]) if found else (_ORT_FAIL, str(error))
    return f"onnx runtime error {code}: {text.strip()}"


def run_error(error: BaseException) -> RequestError:
    """Return the answer to each request of a batch whose run failed with `error`."""
    return RequestError("INTERNAL", _SOURCE_FOLDERS.sub("", onnxruntime_message(error)))
