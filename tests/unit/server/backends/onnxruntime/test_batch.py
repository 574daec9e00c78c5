"""Joining requests, splitting outputs, text, and ONNX Runtime's errors in the C++ backend's words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddlex_triton.server.backends.onnxruntime.batch import Request, join, split, whole
from paddlex_triton.server.backends.onnxruntime.errors import RequestError, onnxruntime_message, run_error
from paddlex_triton.server.backends.onnxruntime.strings import to_onnxruntime, to_triton


def request(rows: int, requested: tuple = ("y",), request_id: str = "", value: float = 0) -> Request:
    return Request({"x": np.full((rows, 2), value, np.float32)}, requested, request_id)


def test_one_request_is_not_copied():
    only = request(3)
    assert join([only])["x"] is only.inputs["x"]


def test_requests_are_joined_in_order():
    joined = join([request(1, value=1), request(2, value=2), request(1, value=3)])
    assert joined["x"][:, 0].tolist() == [1, 2, 2, 3]


def test_rows_are_counted_in_the_first_input():
    two = Request({"b": np.zeros((5, 1)), "a": np.zeros((3, 1))}, ())
    assert two.rows == 5


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_splitting_undoes_joining(sizes):
    requests = [request(size, value=index) for index, size in enumerate(sizes)]
    results = split({"y": join(requests)["x"]}, requests)
    for one, result in zip(requests, results, strict=True):
        assert isinstance(result, dict)
        np.testing.assert_array_equal(result["y"], one.inputs["x"])


def test_parts_are_contiguous_views():
    whole_batch = np.zeros((4, 3), np.float32)
    results = split({"y": whole_batch}, [request(1), request(3)])
    for result in results:
        assert isinstance(result, dict)
        assert result["y"].base is whole_batch
        assert result["y"].flags.c_contiguous


def test_surplus_rows_are_dropped():
    output = np.arange(5)
    results = split({"y": output}, [request(1), request(2)])
    assert [result["y"].tolist() for result in results if isinstance(result, dict)] == [[0], [1, 2]]


def test_too_few_rows_fail_those_that_miss_out():
    requests = [request(1), request(2, request_id="second"), request(1)]
    first, second, third = split({"y": np.arange(2)}, requests)
    assert isinstance(first, dict)
    assert first["y"].tolist() == [0]
    assert isinstance(second, RequestError)
    assert second.code == "UNSUPPORTED"
    assert str(second) == (
        "[request id: second] failed to split the output tensor 'y' in responses: "
        "expected batch size of at least 3 in model output, got 2"
    )
    # Its row would have been there, had the second not passed it: rows are counted on, as in the C++ backend.
    assert isinstance(third, RequestError)
    assert str(third).startswith("[request id: <id_unknown>] ")
    assert "at least 4 in model output, got 2" in str(third)


def test_the_first_output_by_name_names_the_error():
    (error,) = split({"b": np.arange(1), "a": np.arange(0), "c": np.arange(2)}, [request(2, ("c",))])
    assert isinstance(error, RequestError)
    assert "output tensor 'a'" in str(error)


@pytest.mark.parametrize("divide", [split, whole])
def test_outputs_are_sorted_and_only_those_asked_for(divide):
    outputs = {name: np.zeros((1, 1)) for name in ("c", "a", "b")}
    all_three, one, none = divide(outputs, [request(1, ("b", "c", "a")), request(0, ("c",)), request(0, ())])
    assert [list(all_three), list(one), list(none)] == [["a", "b", "c"], ["c"], []]


def test_without_batching_outputs_are_whole():
    output = np.zeros((7, 2))
    (result,) = whole({"y": output}, [request(1)])
    assert isinstance(result, dict)
    assert result["y"] is output


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
        RuntimeError("[ONNXRuntimeError] : 1 : FAIL : Message: /src/core/providers/cpu/math/ops.h:583 void f() 2 / 3")
    )
    assert error.code == "INTERNAL"
    assert str(error) == "onnx runtime error 1: Message: ops.h:583 void f() 2 / 3"
