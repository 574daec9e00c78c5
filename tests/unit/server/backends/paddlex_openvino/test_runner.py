"""Loading and running tiny networks in the backend's own class, without Triton."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from paddlex_triton.server.backends.common.batch import Request
from paddlex_triton.server.backends.common.errors import LoadError, RequestError
from paddlex_triton.server.backends.paddlex_openvino import compiled
from paddlex_triton.server.backends.paddlex_openvino.runner import OpenVinoModel

FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8


def save(folder: Path, in_shape: list, out_shape: list, inputs: tuple[str, ...] = ("x",)) -> None:
    """A network that turns the sign of `x`; it uses no other input."""
    nodes = [helper.make_node("Neg", ["x"], ["y"])]
    infos = [helper.make_tensor_value_info(name, FLOAT, in_shape) for name in inputs]
    graph = helper.make_graph(nodes, "g", infos, [helper.make_tensor_value_info("y", FLOAT, out_shape)])
    folder.mkdir(exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")


def save_sum(folder: Path) -> None:
    """A network that adds `x` and `z`, which must have one size."""
    save(folder, ["N", "W"], ["N", "W"], inputs=("x", "z"))
    network = onnx.load(folder / "model.onnx")
    network.graph.node[0].CopyFrom(helper.make_node("Add", ["x", "z"], ["y"]))
    onnx.save(network, folder / "model.onnx")


def rows(width: int, other_width: int) -> Request:
    """A request to that one: two rows of zeros and ones."""
    return Request({"x": np.zeros((2, width), np.float32), "z": np.ones((2, other_width), np.float32)}, ("y",))


def config(dims: list, max_batch_size: int = 8, inputs: tuple[str, ...] = ("x",), **parameters: str) -> dict:
    return {
        "name": "m",
        "backend": "paddlex_openvino",
        "max_batch_size": max_batch_size,
        "input": [{"name": name, "data_type": "TYPE_FP32", "dims": dims} for name in inputs],
        "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": dims}],
        "parameters": {key: {"string_value": value} for key, value in parameters.items()},
    }


def request(*shape: int) -> Request:
    return Request({"x": np.arange(np.prod(shape), dtype=np.float32).reshape(shape)}, ("y",))


def check(model: OpenVinoModel, *requests: Request) -> None:
    for one, result in zip(requests, model.execute(requests), strict=True):
        assert isinstance(result, dict), result
        np.testing.assert_array_equal(result["y"], -one.inputs["x"])


@pytest.fixture
def shapes(monkeypatch) -> list:
    """What models are compiled for one shape for, from now on."""
    kept: list = []
    keep = compiled.Compiled._keep

    def kept_too(self, wanted, size):
        kept.append(dict(wanted)["x"])
        keep(self, wanted, size)

    monkeypatch.setattr(compiled.Compiled, "_keep", kept_too)
    return kept


def visit(model: OpenVinoModel, times: int, *shape: int) -> None:
    for _ in range(times):
        check(model, request(*shape))
    model.settle()


@pytest.mark.parametrize("replaced", [True, False])
def test_shapes_are_kept_of_the_network_that_was_loaded(tmp_path, replaced):
    save(tmp_path, ["n", "w"], ["n", "w"])
    model = OpenVinoModel(config([-1], kept_shapes="1"), tmp_path, "m_0_0")
    file = tmp_path / "model.onnx"
    if replaced:
        other = onnx.load(file)
        other.graph.node[0].op_type = "Abs"
        onnx.save(other, file)
    else:
        file.unlink()
    visit(model, 3, 1, 5)
    assert len(model._compiled._kept) == 1
    visit(model, 1, 1, 5)


@pytest.mark.parametrize("sizes", [(1,), (2, 1, 1), (8,)])
def test_rows_of_several_requests_share_a_run(tmp_path, sizes):
    save(tmp_path, ["N", "W"], ["N", "W"])
    check(OpenVinoModel(config([-1]), tmp_path, "m_0_0"), *(request(size, 5) for size in sizes))


def test_more_rows_than_allowed_are_refused(tmp_path):
    save(tmp_path, ["N", "W"], ["N", "W"])
    (result,) = OpenVinoModel(config([-1]), tmp_path, "m_0_0").execute([request(9, 5)])
    assert isinstance(result, RequestError)
    assert str(result) == "batch size 9 for 'm_0_0', max allowed is 8"


def test_a_failed_run_names_the_engine_and_no_source_file(tmp_path):
    save(tmp_path, ["N", 3], ["N", 3])
    model = OpenVinoModel(config([3]), tmp_path, "m_0_0")
    (result,) = model.execute([request(2, 4)])
    assert isinstance(result, RequestError)
    assert str(result).startswith("openvino error: ")
    assert ".cpp" not in str(result)
    check(model, request(2, 3))


@pytest.fixture
def compiled_models(monkeypatch) -> list:
    """The models that were compiled, from now on."""
    made: list = []
    compile_one = compiled.Compiled._compile

    def compile_too(self, model):
        made.append(compile_one(self, model))
        return made[-1]

    monkeypatch.setattr(compiled.Compiled, "_compile", compile_too)
    return made


def test_what_failed_in_the_middle_of_a_run_does_not_run_again(tmp_path, compiled_models):
    save(tmp_path, ["N", "W"], ["N", "W"])
    model = OpenVinoModel(config([-1], kept_shapes="1"), tmp_path, "m_0_0")
    inner = model._compiled
    visit(model, 3, 1, 5)
    assert compiled_models == [(inner._any, inner._request), *inner._kept.values()]

    class Failing:
        def infer(self, *_, **__):
            raise RuntimeError("no run")

        def get_output_tensor(self, index):
            return SimpleNamespace(shape=[1, 6])

    for failing in (1, 2):
        inner._request = Failing()  # pyright: ignore[reportAttributeAccessIssue]
        assert str(model.execute([request(1, 6)])[0]) == "openvino error: no run"
        # The one of its own is as good as ever.
        visit(model, 1, 1, 5)
        assert len(compiled_models) == 1 + failing
        visit(model, 1, 1, 6)
        assert compiled_models[-1] == (inner._any, inner._request)
    (shapes,) = inner._kept
    inner._kept[shapes] = inner._any, Failing()  # pyright: ignore[reportArgumentType]
    assert str(model.execute([request(1, 5)])[0]) == "openvino error: no run"
    assert (inner._kept, inner._last_used, inner._sizes) == ({}, {}, {})
    visit(model, 1, 1, 5)
    assert compiled_models[-1] == (inner._any, inner._request)


def test_a_run_without_an_answer_is_an_error(tmp_path):
    """With one thread OpenVINO loses its errors; the rows of the run before are no answer."""
    save_sum(tmp_path)
    model = OpenVinoModel(config([-1], inputs=("x", "z"), thread_count="1"), tmp_path, "m_0_0")
    for _ in range(2):
        (result,) = model.execute([rows(4, 4)])
        assert isinstance(result, dict)
        np.testing.assert_array_equal(result["y"], np.ones((2, 4)))
        (result,) = model.execute([rows(4, 5)])
        assert str(result) == "openvino error: no answer for x [2, 4], z [2, 5]: the network may not take these sizes"


def test_a_shape_that_fails_is_not_compiled_for(tmp_path, shapes):
    save_sum(tmp_path)
    model = OpenVinoModel(config([-1], inputs=("x", "z"), kept_shapes="1"), tmp_path, "m_0_0")
    for _ in range(4):
        (result,) = model.execute([rows(4, 5)])
        assert isinstance(result, RequestError)
    model.settle()
    assert shapes == []


def test_inputs_that_the_graph_does_not_use_are_taken(tmp_path):
    save(tmp_path, ["N", 3], ["N", 3], inputs=("x", "scale_factor"))
    model = OpenVinoModel(config([3], inputs=("x", "scale_factor")), tmp_path, "m_0_0")
    rows = request(2, 3).inputs["x"]
    (result,) = model.execute([Request({"x": rows, "scale_factor": rows}, ("y",))])
    assert isinstance(result, dict)
    np.testing.assert_array_equal(result["y"], -rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": [{"name": "x", "data_type": "TYPE_UINT8", "dims": [3]}]}, "model provides TYPE_FP32"),
        ({"output": [{"name": "z", "data_type": "TYPE_FP32", "dims": [3]}]}, "unexpected inference output 'z'"),
        ({"default_model_filename": "other.onnx"}, "failed to stat file"),
        ({"batch_input": [{}]}, "this Python-based paddlex_openvino backend does not support batch_input"),
    ],
)
def test_configurations_that_do_not_fit(tmp_path, change, message):
    save(tmp_path, ["N", 3], ["N", 3])
    with pytest.raises(LoadError, match=message):
        OpenVinoModel({**config([3]), **change}, tmp_path, "m_0_0")


def test_what_is_no_model(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(LoadError, match=r"^openvino error: "):
        OpenVinoModel(config([3]), tmp_path, "m_0_0")


def test_the_summary_says_what_runs(tmp_path):
    save(tmp_path, ["N", 3], ["N", 3])
    summary = OpenVinoModel(config([3], thread_count="1", kept_shapes="2"), tmp_path, "m_0_0").summary
    assert "f32, threads 1, keeps 2 shapes" in summary


def test_one_row_of_one_shape_is_compiled_for_at_once(tmp_path, shapes):
    save(tmp_path, ["N", 3], ["N", 3])
    model = OpenVinoModel(config([3], kept_shapes="4"), tmp_path, "m_0_0")
    assert shapes == [(1, 3)]
    visit(model, 5, 1, 3)
    visit(model, 2, 2, 3)
    assert shapes == [(1, 3)]


def test_a_shape_is_compiled_for_when_it_comes_the_third_time(tmp_path, shapes):
    save(tmp_path, ["N", "W"], ["N", "W"])
    model = OpenVinoModel(config([-1], kept_shapes="4"), tmp_path, "m_0_0")
    for width in range(5, 30):
        visit(model, 2, 1, width)
    assert shapes == []
    visit(model, 1, 1, 5)
    assert shapes == [(1, 5)]
    visit(model, 9, 1, 5)
    assert shapes == [(1, 5)]


@pytest.mark.parametrize("most", [0, 1, 2])
def test_no_more_shapes_are_kept_than_allowed(tmp_path, shapes, most):
    save(tmp_path, ["N", "W"], ["N", "W"])
    model = OpenVinoModel(config([-1], kept_shapes=str(most)), tmp_path, "m_0_0")
    for width in range(5, 9):
        visit(model, 4, 1, width)
    assert shapes == [(1, width) for width in range(5, 5 + most)]


def test_a_shape_that_nobody_sends_any_more_gives_way(tmp_path, shapes, monkeypatch):
    monkeypatch.setattr(compiled, "_STALE_AFTER", 10)
    save(tmp_path, ["N", "W"], ["N", "W"])
    model = OpenVinoModel(config([-1], kept_shapes="1"), tmp_path, "m_0_0")
    visit(model, 3, 1, 5)
    visit(model, 9, 1, 6)
    assert shapes == [(1, 5)]
    visit(model, 1, 1, 6)
    assert shapes == [(1, 5), (1, 6)]


def test_shapes_are_counted_up_to_a_bound(tmp_path, shapes, monkeypatch):
    monkeypatch.setattr(compiled, "_COUNTED", 2)
    save(tmp_path, ["N", "W"], ["N", "W"])
    model = OpenVinoModel(config([-1], kept_shapes="1"), tmp_path, "m_0_0")
    for width in (5, 5, 6, 7, 5):
        visit(model, 1, 1, width)
    assert shapes == []


def test_shapes_are_kept_up_to_a_size_of_all_of_them(tmp_path, shapes, monkeypatch):
    monkeypatch.setattr(compiled, "LARGE_INPUT_BYTES", 4 * 11)
    save(tmp_path, ["N", "W"], ["N", "W"])
    model = OpenVinoModel(config([-1], kept_shapes="4"), tmp_path, "m_0_0")
    for width in (5, 7, 6, 12):
        visit(model, 4, 1, width)
    assert shapes == [(1, 5), (1, 6)]


@pytest.mark.parametrize(("width", "given_back"), [(11, 0), (12, 2)])
def test_memory_of_large_runs_is_given_back(tmp_path, monkeypatch, width, given_back):
    monkeypatch.setattr(compiled, "LARGE_INPUT_BYTES", 4 * 11)
    save(tmp_path, ["N", "W"], ["N", "W"])
    model = OpenVinoModel(config([-1]), tmp_path, "m_0_0")
    released: list[None] = []
    whole = model._compiled._any
    monkeypatch.setattr(model._compiled, "_any", _Releasing(lambda: (released.append(None), whole.release_memory())))
    visit(model, 2, 1, width)
    assert len(released) == given_back


class _Releasing:
    def __init__(self, release) -> None:
        self.release_memory = release


def test_a_model_whose_memory_was_given_back_runs(tmp_path):
    save(tmp_path, ["N", 3], ["N", 3])
    model = OpenVinoModel(config([3], kept_shapes="2"), tmp_path, "m_0_0")
    for rows in (1, 2, 1):
        visit(model, 1, rows, 3)
        model.release()
