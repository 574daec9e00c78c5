"""Text, and ONNX Runtime's errors in the C++ backend's words."""

import numpy as np
import pytest

from paddlex_triton.server.backends.common.errors import RequestError, run_error
from paddlex_triton.server.backends.onnxruntime.errors import onnxruntime_message
from paddlex_triton.server.backends.onnxruntime.strings import to_onnxruntime, to_triton


@pytest.mark.parametrize(
    ("raw", "text"), [(b"ab", "ab"), (b"a\0b", "a"), (b"\0", ""), (b"", ""), ("文字".encode(), "文字")]
)
def test_text_ends_at_the_first_nul(raw, text):
    made = to_onnxruntime("x", np.array([[raw]], np.object_))
    assert made.tolist() == [[text]]
    assert made.dtype == np.object_


def test_bytes_that_are_not_utf8_are_refused():
    with pytest.raises(RequestError) as caught:
        to_onnxruntime("x", np.array([[b"ok"], [b"a\xff"]], np.object_))
    assert caught.value.code == "INVALID_ARG"
    assert str(caught.value).startswith("element 1 of input 'x' is not UTF-8 (invalid start byte at byte 1)")


def test_bytes_after_the_nul_are_never_looked_at():
    assert to_onnxruntime("x", np.array([b"a\0\xff"], np.object_)).tolist() == ["a"]


@pytest.mark.parametrize("shape", [(0,), (2, 0), (2, 3)])
def test_text_comes_back_as_bytes_of_the_same_shape(shape):
    made = to_triton(np.full(shape, "文a", np.object_))
    assert made.shape == shape
    assert all(element == "文a".encode() for element in made.flat)


def test_the_code_is_cut_out_of_onnxruntimes_text():
    error = RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Something: [a] : 3 : b\nsecond line\n")
    assert onnxruntime_message(error) == "onnx runtime error 6: Something: [a] : 3 : b\nsecond line"


def test_other_exceptions_are_a_plain_failure():
    assert onnxruntime_message(ValueError("no such thing")) == "onnx runtime error 1: no such thing"


def test_callers_see_no_folders():
    error = run_error(
        onnxruntime_message(
            RuntimeError(
                "[ONNXRuntimeError] : 1 : FAIL : Message: /src/core/providers/cpu/math/ops.h:583 void f() 2 / 3"
            )
        )
    )
    assert error.code == "INTERNAL"
    assert str(error) == "onnx runtime error 1: Message: ops.h:583 void f() 2 / 3"
    # As OpenVINO writes them.
    error = run_error("Check 'a' failed at src/core/include/pooling_util.hpp:149: node 'source/p2o.Pool.0' of net/a.b")
    assert str(error) == "Check 'a' failed at pooling_util.hpp:149: node 'source/p2o.Pool.0' of net/a.b"
