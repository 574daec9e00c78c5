"""Joining requests, splitting outputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddlex_triton.server.backends.common.batch import Request, join, split, whole
from paddlex_triton.server.backends.common.errors import RequestError


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
