"""Loading and running tiny networks in the backend's own class, without Triton."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from paddlex_triton.server.backends.common.batch import Request
from paddlex_triton.server.backends.common.errors import LoadError, RequestError
from paddlex_triton.server.backends.onnxruntime import runner
from paddlex_triton.server.backends.onnxruntime.options import SHRINKAGE_KEY, Options
from paddlex_triton.server.backends.onnxruntime.runner import OnnxModel, find_model, load_session
from paddlex_triton.server.backends.onnxruntime.tensors import interface_of

FLOAT, STRING = TensorProto.FLOAT, TensorProto.STRING


def save(path: Path, nodes, inputs, outputs, initializers=(), opset: int = 17) -> None:
    infos = [
        [helper.make_tensor_value_info(name, element, shape) for name, (element, shape) in part.items()]
        for part in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "g", infos[0], infos[1], list(initializers))
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)


def unary(path: Path, operator: str, in_shape, out_shape, element=FLOAT, **attributes) -> None:
    node = helper.make_node(operator, ["x"], ["y"], **attributes)
    save(path, [node], {"x": (element, in_shape)}, {"y": (element, out_shape)})


def config(max_batch_size: int = 0, dims=(-1, -1), out_dims=None, data_type: str = "TYPE_FP32", **more) -> dict:
    return {
        "name": "m",
        "max_batch_size": max_batch_size,
        "input": [{"name": "x", "data_type": data_type, "dims": list(dims)}],
        "output": [{"name": "y", "data_type": data_type, "dims": list(dims if out_dims is None else out_dims)}],
        **more,
    }


def load(directory: Path, settings: dict) -> OnnxModel:
    return OnnxModel(settings, directory, "m_0_0")


def x(array, dtype: type[np.generic] = np.float32) -> Request:
    return Request({"x": np.array(array, dtype)}, ("y",))


def outputs(results) -> list:
    return [result["y"].tolist() for result in results]


def count_runs(model: OnnxModel) -> list[tuple]:
    """Shapes of `x` in the runs from now on."""
    runs: list[tuple] = []
    run = model._session.run

    def counted(names, feed, options):
        runs.append(feed["x"].shape)
        return run(names, feed, options)

    model._session.run = counted  # pyright: ignore[reportAttributeAccessIssue]
    return runs


@pytest.mark.parametrize("sizes", [(1,), (1, 1), (2, 1, 1)])
def test_a_batch_is_one_run(tmp_path, sizes):
    unary(tmp_path / "model.onnx", "Neg", ["N", "W"], ["N", "W"])
    model = load(tmp_path, config(4, [-1]))
    runs = count_runs(model)
    requests = [x([[index, 1]] * size) for index, size in enumerate(sizes)]
    assert outputs(model.execute(requests)) == [(-request.inputs["x"]).tolist() for request in requests]
    assert runs == [(sum(sizes), 2)]


def test_more_than_the_maximum_is_refused(tmp_path):
    unary(tmp_path / "model.onnx", "Neg", ["N", "W"], ["N", "W"])
    for limit, text in ((2, "batch size 3 for 'm_0_0', max allowed is 2"), (0, "batch size 2 for 'm_0_0', max")):
        model = load(tmp_path, config(limit, [-1] if limit else [-1, -1]))
        results = model.execute([x([[1]]), x([[1], [2]])])
        assert all(isinstance(result, RequestError) and str(result).startswith(text) for result in results)
        assert len(results) == 2


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_tensors_without_elements(tmp_path, shape):
    unary(tmp_path / "model.onnx", "Neg", ["N", "W"], ["N", "W"])
    (result,) = load(tmp_path, config()).execute([x(np.zeros(shape))])
    assert isinstance(result, dict)
    assert result["y"].shape == shape


@pytest.mark.parametrize(
    ("data_type", "element", "dtype", "values"),
    [
        ("TYPE_BOOL", TensorProto.BOOL, np.bool_, [True, False]),
        ("TYPE_UINT8", TensorProto.UINT8, np.uint8, [0, 255]),
        ("TYPE_INT64", TensorProto.INT64, np.int64, [-(2**63), 2**63 - 1]),
        ("TYPE_FP16", TensorProto.FLOAT16, np.float16, [1.5, -65504]),
        ("TYPE_FP64", TensorProto.DOUBLE, np.float64, [1e300, -0.1]),
    ],
)
def test_values_are_exact_in_every_type(tmp_path, data_type, element, dtype, values):
    unary(tmp_path / "model.onnx", "Identity", ["N", "W"], ["N", "W"], element)
    (result,) = load(tmp_path, config(data_type=data_type)).execute([x([values], dtype)])
    assert isinstance(result, dict)
    assert result["y"].dtype == dtype
    assert result["y"].tolist() == np.array([values], dtype).tolist()


def test_text_goes_in_and_out_as_bytes(tmp_path):
    unary(tmp_path / "model.onnx", "Identity", ["N", "W"], ["N", "W"], STRING)
    model = load(tmp_path, config(4, [-1], data_type="TYPE_STRING"))
    requests = [x([[b"ab", b"a\0b"]], np.object_), x([[b"", "文".encode()]], np.object_)]
    assert outputs(model.execute(requests)) == [[[b"ab", b"a"]], [[b"", "文".encode()]]]


@pytest.mark.parametrize("bad", [(0,), (1,), (0, 1, 2)])
def test_a_request_that_is_not_utf8_fails_alone(tmp_path, bad):
    unary(tmp_path / "model.onnx", "Identity", ["N", "W"], ["N", "W"], STRING)
    model = load(tmp_path, config(4, [-1], data_type="TYPE_STRING"))
    runs = count_runs(model)
    results = model.execute([x([[b"\xff" if index in bad else b"ok"]], np.object_) for index in range(3)])
    assert [isinstance(result, RequestError) for result in results] == [index in bad for index in range(3)]
    assert runs == ([(3 - len(bad), 1)] if len(bad) < 3 else [])


def test_a_failed_run_is_every_requests_error(tmp_path):
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    shape = numpy_helper.from_array(np.array([-1, 2]), "shape")
    save(tmp_path / "model.onnx", [node], {"x": (FLOAT, ["N", "W"])}, {"y": (FLOAT, ["N", 2])}, [shape])
    model = load(tmp_path, config(4, [-1], [2]))
    results = model.execute([x([[1]]), x([[1], [2]])])
    for result in results:
        assert isinstance(result, RequestError)
        assert result.code == "INTERNAL"
        assert str(result).startswith("onnx runtime error ")
        assert "Reshape" in str(result)
        assert "/" not in str(result)
    assert outputs(model.execute([x([[1, 2]])])) == [[[1, 2]]]


@pytest.mark.parametrize(
    "parameters",
    [{"memory.enable_memory_arena_shrinkage": "bad"},
     {"memory.enable_memory_arena_shrinkage": "cpu:0", "enable_mem_arena": "0"}],
)  # fmt: skip
def test_wrong_shrinkage_loads_and_fails_each_run(tmp_path, parameters):
    unary(tmp_path / "model.onnx", "Neg", ["N", "W"], ["N", "W"])
    given = {key: {"string_value": value} for key, value in parameters.items()}
    (result,) = load(tmp_path, config(parameters=given)).execute([x([[1]])])
    assert isinstance(result, RequestError)
    assert str(result).startswith("onnx runtime error 2: ")


def test_right_shrinkage_runs(tmp_path):
    unary(tmp_path / "model.onnx", "Neg", ["N", "W"], ["N", "W"])
    given = {"memory.enable_memory_arena_shrinkage": {"string_value": "cpu:0"}}
    assert outputs(load(tmp_path, config(parameters=given)).execute([x([[1]])])) == [[[-1]]]


@pytest.mark.parametrize(("dims", "shape"), [([1], (1,)), ([1, 1], (1, 1)), ([], ())])
def test_a_scalar_output_takes_the_configured_shape(tmp_path, dims, shape):
    unary(tmp_path / "model.onnx", "ReduceSum", ["N", "W"], [], keepdims=0)
    (result,) = load(tmp_path, config(out_dims=dims)).execute([x([[1, 2], [3, 4]])])
    assert isinstance(result, dict)
    assert result["y"].shape == shape
    assert result["y"].item() == 10


def test_a_scalar_input_is_fed_as_one(tmp_path):
    unary(tmp_path / "model.onnx", "Neg", [], [])
    model = load(tmp_path, config(dims=[1, 1]))
    runs = count_runs(model)
    assert outputs(model.execute([x([[3]])])) == [[[-3]]]
    assert runs == [()]


def test_all_configured_outputs_and_no_others_are_computed(tmp_path):
    nodes = [helper.make_node("Neg", ["x"], ["y"]), helper.make_node("Abs", ["x"], ["unused"])]
    io = (FLOAT, ["N", "W"])
    save(tmp_path / "model.onnx", nodes, {"x": io}, {"unused": io, "y": io})
    model = load(tmp_path, config())
    (result,) = model.execute([Request({"x": np.ones((1, 1), np.float32)}, ("y", "unused"))])
    assert isinstance(result, dict)
    assert list(result) == ["y"]


def test_an_optional_input_may_be_left_out(tmp_path):
    one = numpy_helper.from_array(np.ones(1, np.float32), "w")
    node = helper.make_node("Add", ["x", "w"], ["y"])
    save(tmp_path / "model.onnx", [node], {"x": (FLOAT, ["N"]), "w": (FLOAT, [1])}, {"y": (FLOAT, ["N"])}, [one])
    settings = config(dims=[-1])
    settings["input"].append({"name": "w", "data_type": "TYPE_FP32", "dims": [1], "optional": True})
    model = load(tmp_path, settings)
    assert outputs(model.execute([x([1, 2])])) == [[2, 3]]
    with_w = Request({"x": np.ones(2, np.float32), "w": np.full(1, 5, np.float32)}, ("y",))
    assert outputs(model.execute([with_w])) == [[6, 6]]


@pytest.mark.parametrize("opset", [13, 15, 17])
def test_opsets(tmp_path, opset):
    save(
        tmp_path / "model.onnx",
        [helper.make_node("Relu", ["x"], ["y"])],
        {"x": (FLOAT, ["N", "W"])},
        {"y": (FLOAT, ["N", "W"])},
        opset=opset,
    )
    assert outputs(load(tmp_path, config()).execute([x([[-1, 2]])])) == [[[0, 2]]]


@pytest.mark.parametrize(
    ("filename", "path"),
    [("", "model.onnx"), ("net.onnx", "net.onnx"), ("", "model.onnx/model.onnx"), ("net", "net/model.onnx")],
)
def test_where_the_file_may_lie(tmp_path, filename, path):
    unary(tmp_path / path, "Neg", ["N", "W"], ["N", "W"])
    model = load(tmp_path, config(default_model_filename=filename))
    assert outputs(model.execute([x([[1]])])) == [[[-1]]]


def test_no_file(tmp_path):
    with pytest.raises(LoadError) as caught:
        find_model({"name": "m"}, tmp_path)
    assert str(caught.value) == f"failed to stat file {tmp_path}/model.onnx"
    (tmp_path / "model.onnx").mkdir()
    with pytest.raises(LoadError, match=r"^unable to find '.*/model\.onnx/model\.onnx' for model 'm'$"):
        find_model({"name": "m"}, tmp_path)


def test_a_file_that_is_no_onnx(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"junk\xff")
    with pytest.raises(LoadError, match=r"^onnx runtime error 7: Load model from .*:Protobuf parsing failed\.$"):
        load(tmp_path, config())


def test_only_dense_tensors(tmp_path):
    node = helper.make_node("SequenceConstruct", ["x"], ["y"])
    sequence = helper.make_tensor_sequence_value_info("y", FLOAT, ["N"])
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", FLOAT, ["N"])], [sequence])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "model.onnx"
    )
    session = load_session(tmp_path / "model.onnx", Options())
    with pytest.raises(LoadError) as caught:
        interface_of(session)
    assert str(caught.value) == ("Unsupported ONNX Type 'ONNX_TYPE_SEQUENCE' for I/O 'y', expected 'ONNX_TYPE_TENSOR'.")


def test_shapes_and_types_as_the_session_tells(tmp_path):
    unary(tmp_path / "model.onnx", "Identity", ["N", None, 3], ["N", None, 3], TensorProto.UINT8)
    interface = interface_of(load_session(tmp_path / "model.onnx", Options()))
    assert interface.inputs["x"].shape == (-1, -1, 3)
    assert interface.inputs["x"].config_type == "TYPE_UINT8"


def test_the_configuration_is_checked_at_load(tmp_path):
    unary(tmp_path / "model.onnx", "Neg", [1, "W"], [1, "W"])
    with pytest.raises(LoadError, match="for the model to support batching"):
        load(tmp_path, config(4, [-1]))


def test_the_summary_names_model_version_threads_and_provider(tmp_path):
    unary(tmp_path / "model.onnx", "Neg", ["N", "W"], ["N", "W"])
    summary = load(tmp_path, config(parameters={"intra_op_thread_count": {"string_value": "3"}})).summary
    assert summary.startswith("m_0_0: ONNX Runtime ")
    assert summary.endswith("intra-op threads 3, inter-op threads default, providers CPUExecutionProvider")


@pytest.mark.parametrize(("width", "shrinks"), [(11, False), (12, True)])
def test_memory_of_large_runs_is_given_back(tmp_path, monkeypatch, width, shrinks):
    monkeypatch.setattr(runner, "LARGE_INPUT_BYTES", 4 * 11)
    unary(tmp_path / "model.onnx", "Neg", ["N", "W"], ["N", "W"])
    model = load(tmp_path, config(8, dims=(-1,)))
    options: list = []
    run = model._session.run
    monkeypatch.setattr(
        model, "_session", SimpleNamespace(run=lambda *given: (options.append(given[2]), run(*given))[1])
    )
    (result,) = model.execute([x([[1.0] * width])])
    assert isinstance(result, dict)
    assert result["y"].tolist() == [[-1.0] * width]
    shrinking = options[0] is not None and options[0].get_run_config_entry(SHRINKAGE_KEY) == "cpu:0"
    assert shrinking is shrinks
