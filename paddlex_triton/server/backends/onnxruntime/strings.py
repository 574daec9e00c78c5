"""BYTES tensors: Triton's bytes against ONNX Runtime's text."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from paddlex_triton.server.backends.common.errors import RequestError


def is_bytes_tensor(array: np.ndarray) -> bool:
    """Tell whether an array is how Triton's Python backend holds a BYTES tensor."""
    return array.dtype.kind in "OSU"


def to_onnxruntime(name: str, array: np.ndarray) -> np.ndarray:
    """Turn a BYTES input into the text that ONNX Runtime takes.

    Like the C++ backend, which lays elements out as C strings, each one ends at its first NUL byte.

    Args:
        name: the input's name, for the message.
        array: object array of bytes, any shape.

    Returns:
        Object array of str, same shape. (Bytes given to ONNX Runtime would arrive as their `repr`.)

    Raises:
        RequestError: INVALID_ARG, an element is not UTF-8.
    """
    return _map(array.shape, (_decode(name, index, element) for index, element in enumerate(array.flat)))


def to_triton(array: np.ndarray) -> np.ndarray:
    """Turn ONNX Runtime's text into an object array of UTF-8 bytes of the same shape."""
    return _map(array.shape, (str(element).encode() for element in array.flat))


def _decode(name: str, index: int, element: bytes | str) -> str:
    raw = element.encode() if isinstance(element, str) else bytes(element)
    try:
        return raw.partition(b"\0")[0].decode()
    except UnicodeDecodeError as error:
        raise RequestError(
            "INVALID_ARG",
            f"element {index} of input '{name}' is not UTF-8 ({error.reason} at byte {error.start}); "
            "this onnxruntime backend takes UTF-8 text only",
        ) from None


def _map(shape: tuple[int, ...], elements: Iterable[object]) -> np.ndarray:
    result = np.empty(shape, dtype=np.object_)
    for index, element in enumerate(elements):
        result.flat[index] = element
    return result
