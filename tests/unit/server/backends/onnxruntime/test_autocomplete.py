"""Parts that a configuration leaves out are filled in from the model."""

import pytest

from paddlex_triton.server.backends.common.errors import LoadError
from paddlex_triton.server.backends.common.tensors import Interface, TensorInfo
from paddlex_triton.server.backends.onnxruntime.autocomplete import Completion, complete, is_complete


def interface(in_shape: tuple, out_shape: tuple, type_: str | None = "FP32") -> Interface:
    return Interface({"x": TensorInfo("x", type_, in_shape)}, {}, {"y": TensorInfo("y", type_, out_shape)})


ROWS = interface((-1, 4), (-1, -1))
X = {"name": "x", "data_type": "TYPE_FP32", "dims": [4]}
Y = {"name": "y", "data_type": "TYPE_FP32", "dims": [-1]}


@pytest.mark.parametrize(
    ("config", "complete"),
    [
        ({}, False),
        ({"input": [X], "output": []}, False),
        ({"input": [], "output": [Y]}, False),
        ({"input": [X], "output": [Y]}, True),
        ({"input": [], "batch_input": [{}], "output": [Y]}, True),
    ],
)
def test_complete_with_inputs_and_outputs(config, complete):
    assert is_complete(config) is complete


def test_everything_missing():
    assert complete({"name": "m", "max_batch_size": 0, "input": [], "output": []}, ROWS) == Completion(
        4, True, (X,), (Y,)
    )


@pytest.mark.parametrize(("given", "dynamic"), [(1, False), (2, True), (16, True)])
def test_a_given_max_batch_size_stays(given, dynamic):
    completion = complete({"name": "m", "max_batch_size": given}, ROWS)
    assert (completion.max_batch_size, completion.dynamic_batching) == (None, dynamic)
    assert completion.inputs == (X,)


@pytest.mark.parametrize("scheduler", ["dynamic_batching", "sequence_batching"])
def test_a_given_scheduler_stays(scheduler):
    assert not complete({"name": "m", scheduler: {}}, ROWS).dynamic_batching


def test_only_what_is_missing_is_added():
    completion = complete({"name": "m", "input": [X]}, ROWS)
    assert (completion.inputs, completion.outputs) == ((), (Y,))
    completion = complete({"name": "m", "output": [Y]}, ROWS)
    assert (completion.inputs, completion.outputs) == ((X,), ())


@pytest.mark.parametrize("model", [interface((1, 4), (-1, 4)), interface((-1, 4), ()), interface((-1,), (3,))])
def test_one_fixed_first_dimension_excludes_batching(model):
    completion = complete({"name": "m"}, model)
    assert (completion.max_batch_size, completion.dynamic_batching) == (None, False)
    assert completion.inputs[0]["dims"] == list(model.inputs["x"].shape)
    assert completion.outputs[0] == Y | {"dims": list(model.outputs["y"].shape) or [1]}
    with pytest.raises(LoadError) as caught:
        complete({"name": "m", "max_batch_size": 2}, model)
    assert str(caught.value) == (
        "autofill failed for model 'm': model does not support batching while non-zero max_batch_size is specified"
    )


def test_a_scalar_per_row_gets_a_reshape():
    completion = complete({"name": "m"}, interface((-1,), (-1,)))
    assert completion.inputs == (X | {"dims": [1], "reshape": {"shape": []}},)


@pytest.mark.parametrize(
    ("type_", "data_type"),
    [
        ("BOOL", "TYPE_BOOL"),
        ("UINT8", "TYPE_UINT8"),
        ("INT64", "TYPE_INT64"),
        ("FP16", "TYPE_FP16"),
        ("FP64", "TYPE_FP64"),
        ("STRING", "TYPE_STRING"),
        (None, "TYPE_INVALID"),
    ],
)
def test_types(type_, data_type):
    assert complete({"name": "m"}, interface((-1,), (-1,), type_)).inputs[0]["data_type"] == data_type
