"""A configuration against its model: every refusal in the C++ backend's words."""

import pytest

from paddlex_triton.server.backends.common.config import check_config, check_instance_kind, read_config
from paddlex_triton.server.backends.common.errors import LoadError
from paddlex_triton.server.backends.common.tensors import Interface, TensorInfo


def interface(inputs: dict, outputs: dict, overridable: dict | None = None) -> Interface:
    """`name: shape` (FP32) or `name: (type, shape)`."""

    def infos(part: dict) -> dict[str, TensorInfo]:
        typed = {name: info if isinstance(info, tuple) else ("FP32", info) for name, info in part.items()}
        return {name: TensorInfo(name, type_, tuple(shape)) for name, (type_, shape) in typed.items()}

    return Interface(infos(inputs), infos(overridable or {}), infos(outputs))


def tensor(name: str, dims: list, data_type: str = "TYPE_FP32", **more) -> dict:
    return {"name": name, "data_type": data_type, "dims": dims, **more}


def check(model: Interface, inputs: list, outputs: list, max_batch_size: int = 0) -> None:
    check_config(
        read_config({"name": "m", "max_batch_size": max_batch_size, "input": inputs, "output": outputs}), model
    )


def refusal(*args, **kwargs) -> str:
    with pytest.raises(LoadError) as caught:
        check(*args, **kwargs)
    return str(caught.value)


BATCHED = interface({"x": [-1, -1]}, {"y": [-1, 3]})
X, Y = tensor("x", [-1]), tensor("y", [3])


@pytest.mark.parametrize(
    ("model", "inputs", "outputs", "max_batch_size"),
    [
        pytest.param(BATCHED, [X], [Y], 4, id="batching"),
        pytest.param(BATCHED, [tensor("x", [-1, -1])], [tensor("y", [-1, 3])], 0, id="no batching"),
        pytest.param(BATCHED, [tensor("x", [7])], [Y], 4, id="input fixes an open dimension"),
        pytest.param(BATCHED, [tensor("x", ["7"])], [Y], 4, id="dims as text"),
        pytest.param(interface({"x": [-1, 4]}, {"y": [-1], "z": [-1]}), [tensor("x", [4])], [tensor("z", [])], 4,
                     id="subset of outputs"),
        pytest.param(interface({"x": []}, {"y": []}), [tensor("x", [1])], [tensor("y", [1, 1])], 0, id="scalars"),
        pytest.param(interface({"x": [-1]}, {"y": [-1]}, {"w": [1]}),
                     [tensor("x", [-1]), tensor("w", [1], optional=True)], [tensor("y", [-1])], 0, id="optional"),
        pytest.param(interface({"x": [-1, 6]}, {"y": [-1]}), [tensor("x", [2, 3], reshape={"shape": [6]})],
                     [tensor("y", [1], reshape={"shape": []})], 4, id="reshape"),
    ],
)  # fmt: skip
def test_what_loads(model, inputs, outputs, max_batch_size):
    check(model, inputs, outputs, max_batch_size)


@pytest.mark.parametrize(("inputs", "count"), [([], 0), ([X, tensor("z", [1])], 2)])
def test_number_of_inputs(inputs, count):
    text = f"unable to load model 'm', configuration expects {count} inputs, model provides 1"
    assert refusal(BATCHED, inputs, [Y], 4) == text


def test_unknown_names():
    model = interface({"x": [-1], "a": [-1]}, {"y": [-1], "b": [-1]}, {"w": [1]})
    a, x, y = (tensor(name, [-1]) for name in "axy")
    assert refusal(model, [a, tensor("xx", [-1])], [y]) == (
        "unexpected inference input 'xx', allowed inputs are: a, w, x"
    )
    assert refusal(model, [a, x], [tensor("yy", [-1])]) == (
        "unexpected inference output 'yy', allowed outputs are: b, y"
    )


@pytest.mark.parametrize("role", ["input", "output"])
@pytest.mark.parametrize(
    ("type_", "wanted", "provided"),
    [
        ("FP32", "TYPE_FP16", "TYPE_FP32"),
        ("STRING", "TYPE_FP32", "TYPE_BYTES"),
        (None, "TYPE_FP32", "TYPE_<invalid>"),
    ],
)
def test_types(role, type_, wanted, provided):
    wrong, right = (type_, [-1]), [-1]
    if role == "input":
        name, model = "x", interface({"x": wrong}, {"y": right})
    else:
        name, model = "y", interface({"x": right}, {"y": wrong})
    types = {"x": "TYPE_FP32", "y": "TYPE_FP32", name: wanted}
    x, y = tensor("x", [-1], types["x"]), tensor("y", [-1], types["y"])
    assert refusal(model, [x], [y]) == (
        f"unable to load model 'm', configuration expects datatype {wanted} for {role} '{name}', "
        f"model provides {provided}"
    )


def test_a_type_that_onnxruntime_lacks():
    text = refusal(BATCHED, [tensor("x", [-1], "TYPE_BF16")], [Y], 4)
    assert text == "unsupported datatype TYPE_BF16 for input 'x' for model 'm'"


@pytest.mark.parametrize("shape", [[1, -1], [4, 3]])
def test_batching_needs_an_open_first_dimension(shape):
    assert refusal(interface({"x": shape}, {"y": [-1, 3]}), [X], [Y], 4) == (
        "model 'm', tensor 'x': for the model to support batching the shape should have at least 1 dimension and the "
        f"first dimension must be -1; but shape expected by the model is [{shape[0]},{shape[1]}]"
    )
    assert "tensor 'y': for the model to support batching" in refusal(
        interface({"x": [-1, -1]}, {"y": shape}), [X], [Y], 4
    )


@pytest.mark.parametrize("dims", [[3], [-1], [4, 1], []])
def test_input_dimensions_with_batching(dims):
    full = "[" + ",".join(str(dim) for dim in (-1, *dims)) + "]"
    assert refusal(interface({"x": [-1, 4]}, {"y": [-1, 3]}), [tensor("x", dims)], [Y], 4) == (
        "model 'm', tensor 'x': the model expects 2 dimensions (shape [-1,4]) but the model configuration specifies "
        f"{1 + len(dims)} dimensions (an initial batch dimension because max_batch_size > 0 followed by the explicit "
        f"tensor shape, making complete shape {full})"
    )


def test_dimensions_without_batching():
    assert refusal(interface({"x": [-1, 4]}, {"y": [-1]}), [tensor("x", [2, 5])], [tensor("y", [-1])]) == (
        "model 'm', tensor 'x': the model expects 2 dimensions (shape [-1,4]) but the model configuration specifies "
        "2 dimensions (shape [2,5])"
    )


@pytest.mark.parametrize(("model_dim", "config_dim"), [(3, -1), (-1, 3), (3, 4)])
def test_output_dimensions_must_be_exact(model_dim, config_dim):
    model = interface({"x": [-1, -1]}, {"y": [-1, model_dim]})
    assert f"making complete shape [-1,{config_dim}])" in refusal(model, [X], [tensor("y", [config_dim])], 4)


def test_reshape_is_what_counts():
    model = interface({"x": [-1, 6]}, {"y": [-1, 3]})
    text = refusal(model, [tensor("x", [6], reshape={"shape": [2, 3]})], [Y], 4)
    assert text.endswith("making complete shape [-1,2,3])")


def test_optional_inputs_exclude_batching():
    model = interface({"x": [-1, -1]}, {"y": [-1, 3]}, {"w": [-1, 1]})
    text = refusal(model, [X, tensor("w", [1], optional=True)], [Y], 4)
    assert text == ("unable to load model 'm', optional input 'w' is not supported for models that support batching")


@pytest.mark.parametrize("role", ["input", "output"])
def test_scalars_take_only_ones(role):
    model = interface({"x": []}, {"y": []})
    x, y = tensor("x", [2] if role == "input" else [1]), tensor("y", [1, 2])
    name, dims = ("x", "[2]") if role == "input" else ("y", "[1,2]")
    assert refusal(model, [x], [y]) == (
        f"unable to load model 'm', scalar tensor '{name}', should only provide 1 in the model configuration when the "
        f"model doesn't support batching. Model configuration provided: {dims}."
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch_input", [{"kind": "BATCH_ELEMENT_COUNT"}]),
        ("batch_output", [{"kind": "BATCH_SCATTER_WITH_INPUT_SHAPE"}]),
        ("sequence_batching", {}),
        ("input", [tensor("x", [-1], allow_ragged_batch=True)]),
    ],
)
def test_features_that_are_missing_here_are_refused(field, value):
    named = "allow_ragged_batch" if field == "input" else field
    with pytest.raises(
        LoadError,
        match=f"this Python-based some backend does not support {named}. NVIDIA's C\\+\\+ onnxruntime backend does$",
    ):
        read_config({"name": "m", "backend": "some", field: value})


def test_empty_lists_of_missing_features_are_fine():
    assert read_config({"name": "m", "batch_input": [], "batch_output": []}).name == "m"


def test_only_gpus_are_refused():
    check_instance_kind("m", "CPU", "some")
    check_instance_kind("m", "MODEL", "some")
    with pytest.raises(LoadError, match=r"^unable to load model 'm', instance_group asks for KIND_GPU"):
        check_instance_kind("m", "GPU", "some")
