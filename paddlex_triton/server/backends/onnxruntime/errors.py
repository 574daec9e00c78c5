"""ONNX Runtime's own errors in the C++ backend's words."""

from __future__ import annotations

import re

# OrtErrorCode's ORT_FAIL: what the C++ API reports for an exception that names no other code.
_ORT_FAIL = "1"
_ORT_MESSAGE = re.compile(r"\[ONNXRuntimeError\] : (?P<code>\d+) : [A-Z_]+ : (?P<text>.*)", re.DOTALL)


def onnxruntime_message(error: BaseException) -> str:
    """Put an exception of ONNX Runtime into the C++ backend's words: `onnx runtime error <code>: <text>`.

    The Python API spells the code inside the text: `[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : <text>`.
    """
    found = _ORT_MESSAGE.search(str(error))
    code, text = (found["code"], found["text"]) if found else (_ORT_FAIL, str(error))
    return f"onnx runtime error {code}: {text.strip()}"
