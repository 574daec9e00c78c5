"""The Python-based onnxruntime backend in a live tritonserver, on tiny networks made here."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import onnx
import pytest
import tritonclient.grpc as grpc
from onnx import TensorProto, helper
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from paddlex_triton.server.host.preflight import free_ports
from paddlex_triton.server.host.pytriton_runtime import link_backends, server_environment, tritonserver_root

START_TIMEOUT_S = 60
# One instance: a second one would take requests that are to be joined.
HEADER = 'backend: "onnxruntime"\ninstance_group [ { kind: KIND_CPU count: 1 } ]\n'
FLOAT, STRING = TensorProto.FLOAT, TensorProto.STRING


@dataclass
class Server:
    """A tritonserver that loads models one by one, so that each refusal can be read."""

    repository: Path
    http_url: str
    grpc_url: str
    client: grpc.InferenceServerClient

    def add(self, name: str, graph: onnx.ModelProto | None, config: str) -> str:
        """Put a model into the repository and load it; returns the error, empty if it loaded."""
        folder = self.repository / name / "1"
        folder.mkdir(parents=True)
        if graph is not None:
            onnx.save(graph, folder / "model.onnx")
        (folder.parent / "config.pbtxt").write_text(HEADER + config)
        response = httpx.post(f"{self.http_url}/v2/repository/models/{name}/load", timeout=60, trust_env=False)
        assert response.status_code in (200, 400), response.text
        return "" if response.status_code == 200 else response.json()["error"]

    def infer(self, model: str, **arrays: np.ndarray) -> np.ndarray:
        """Run a model and give back its output `y`."""
        inputs = []
        for name, array in arrays.items():
            inputs.append(grpc.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)))
            inputs[-1].set_data_from_numpy(array)
        result = self.client.infer(model, inputs, client_timeout=30)
        assert result is not None
        output = result.as_numpy("y")
        assert output is not None
        return output

    def infer_together(self, model: str, *arrays: np.ndarray) -> list[np.ndarray | InferenceServerException]:
        """Send `x` of several requests at the same time."""

        def one(array: np.ndarray) -> np.ndarray | InferenceServerException:
            try:
                return self.infer(model, x=array)
            except InferenceServerException as error:
                return error

        with ThreadPoolExecutor(len(arrays)) as pool:
            return list(pool.map(one, arrays))

    def statistics(self, model: str) -> dict[str, int]:
        """Counts once they settle: Triton counts a run a moment after it has answered."""
        counts, end = self._counts(model), time.monotonic() + 5
        while time.monotonic() < end:
            time.sleep(0.2)
            counts, earlier = self._counts(model), counts
            if counts == earlier and counts["execution_count"]:
                break
        return counts

    def _counts(self, model: str) -> dict[str, int]:
        statistics = self.client.get_inference_statistics(model, as_json=True)
        assert isinstance(statistics, dict)
        entry = statistics["model_stats"][0]
        return {key: int(entry.get(key, 0)) for key in ("inference_count", "execution_count")}

    def config(self, model: str) -> dict:
        return httpx.get(f"{self.http_url}/v2/models/{model}/config", trust_env=False).json()


@pytest.fixture(scope="module")
def onnxruntime_server(tmp_path_factory) -> Iterator[Server]:
    """A server in explicit mode: the product's launcher only starts when every model loads."""
    root = tmp_path_factory.mktemp("onnxruntime")
    repository, backends, log = root / "models", root / "backends", root / "log"
    repository.mkdir()
    backends.mkdir()
    link_backends(backends)
    http_port, grpc_port, metrics_port = free_ports("127.0.0.1", 3)
    command = [
        str(tritonserver_root() / "bin" / "tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        "--model-control-mode=explicit",
        *(f"--{kind}-address=127.0.0.1" for kind in ("http", "grpc", "metrics")),
        f"--http-port={http_port}",
        f"--grpc-port={grpc_port}",
        f"--metrics-port={metrics_port}",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=server_environment(), stdout=output, stderr=subprocess.STDOUT)
    try:
        http_url = f"http://127.0.0.1:{http_port}"
        _wait_until_live(process, http_url, log)
        with grpc.InferenceServerClient(f"127.0.0.1:{grpc_port}") as client:
            yield Server(repository, http_url, f"127.0.0.1:{grpc_port}", client)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_live(process: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")[-3000:]
        try:
            if httpx.get(f"{url}/v2/health/live", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"tritonserver was not live within {START_TIMEOUT_S} s")


def graph(nodes, inputs, outputs, initializers=()) -> onnx.ModelProto:
    """A model from nodes and `name: (element type, shape)` of its inputs and outputs."""
    infos = [
        [helper.make_tensor_value_info(name, element, shape) for name, (element, shape) in part.items()]
        for part in (inputs, outputs)
    ]
    made = helper.make_graph(nodes, "g", infos[0], infos[1], list(initializers))
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def unary(operator: str, in_shape, out_shape, element=FLOAT, **attributes) -> onnx.ModelProto:
    node = helper.make_node(operator, ["x"], ["y"], **attributes)
    return graph([node], {"x": (element, in_shape)}, {"y": (element, out_shape)})


def tensors(inputs: str, outputs: str) -> str:
    return f"input [ {inputs} ]\noutput [ {outputs} ]\n"


def tensor(name: str, dims: str, data_type: str = "TYPE_FP32", extra: str = "") -> str:
    return f'{{ name: "{name}" data_type: {data_type} dims: [ {dims} ] {extra} }}'


ROWS = unary("Neg", ["N", "W"], ["N", "W"])
BATCHED_IO = tensors(tensor("x", "-1"), tensor("y", "-1"))
# Waits long enough for requests that are sent together, and not at all once four rows are there.
JOIN = "max_batch_size: 4\ndynamic_batching { preferred_batch_size: [ 4 ] max_queue_delay_microseconds: 500000 }\n"


def test_requests_that_wait_together_are_one_run(onnxruntime_server):
    assert not onnxruntime_server.add("joined", ROWS, JOIN + BATCHED_IO)
    arrays = [np.full((1, 3), value, np.float32) for value in range(4)]
    results = onnxruntime_server.infer_together("joined", *arrays)
    for array, result in zip(arrays, results, strict=True):
        assert isinstance(result, np.ndarray)
        np.testing.assert_array_equal(result, -array)
    assert onnxruntime_server.statistics("joined") == {"inference_count": 4, "execution_count": 1}


def test_rows_of_different_requests_keep_apart(onnxruntime_server):
    assert not onnxruntime_server.add("apart", ROWS, JOIN + BATCHED_IO)
    arrays = [np.full((1, 2), 1, np.float32), np.full((3, 2), 2, np.float32)]
    results = onnxruntime_server.infer_together("apart", *arrays)
    for array, result in zip(arrays, results, strict=True):
        assert isinstance(result, np.ndarray)
        np.testing.assert_array_equal(result, -array)
    assert onnxruntime_server.statistics("apart")["execution_count"] == 1


def test_a_batch_over_the_maximum_is_refused_by_the_core(onnxruntime_server):
    assert not onnxruntime_server.add("too_many", ROWS, "max_batch_size: 4\n" + BATCHED_IO)
    assert onnxruntime_server.infer("too_many", x=np.zeros((4, 2), np.float32)).shape == (4, 2)
    with pytest.raises(InferenceServerException, match="batch-size must be <= 4"):
        onnxruntime_server.infer("too_many", x=np.zeros((5, 2), np.float32))


@pytest.mark.parametrize(
    ("name", "model", "config", "text"),
    [
        (
            "bad_count",
            ROWS,
            "max_batch_size: 4\n" + tensors(f"{tensor('x', '-1')}, {tensor('z', '-1')}", tensor("y", "-1")),
            "unable to load model 'bad_count', configuration expects 2 inputs, model provides 1",
        ),
        (
            "bad_input",
            ROWS,
            "max_batch_size: 4\n" + tensors(tensor("xx", "-1"), tensor("y", "-1")),
            "unexpected inference input 'xx', allowed inputs are: x",
        ),
        (
            "bad_output",
            ROWS,
            "max_batch_size: 4\n" + tensors(tensor("x", "-1"), tensor("yy", "-1")),
            "unexpected inference output 'yy', allowed outputs are: y",
        ),
        (
            "bad_type",
            ROWS,
            "max_batch_size: 4\n" + tensors(tensor("x", "-1", "TYPE_FP16"), tensor("y", "-1")),
            "configuration expects datatype TYPE_FP16 for input 'x', model provides TYPE_FP32",
        ),
        (
            "bad_batch",
            unary("Neg", [1, "W"], [1, "W"]),
            "max_batch_size: 4\n" + BATCHED_IO,
            "and the first dimension must be -1; but shape expected by the model is [1,-1]",
        ),
        ("bad_mode", ROWS, BATCHED_IO + 'parameters { key: "execution_mode" value { string_value: "2" } }', "got 2 ."),
        (
            "bad_threads",
            ROWS,
            BATCHED_IO + 'parameters { key: "intra_op_thread_count" value { string_value: "abc" } }',
            "failed to convert 'abc' to integral number",
        ),
        (
            "bad_accelerator",
            ROWS,
            BATCHED_IO + 'optimization { execution_accelerators { cpu_execution_accelerator { name: "openvino" } } }',
            "unknown Execution Accelerator 'openvino' is requested",
        ),
        (
            "bad_autofill",
            unary("Neg", [1, "W"], [1, "W"]),
            "max_batch_size: 4\n",
            "autofill failed for model 'bad_autofill': model does not support batching while non-zero max_batch_size",
        ),
        ("no_file", None, BATCHED_IO, "failed to stat file"),
    ],
)
def test_a_wrong_model_does_not_load(onnxruntime_server, name, model, config, text):
    assert text in onnxruntime_server.add(name, model, config)


def test_a_file_that_is_no_onnx_does_not_load(onnxruntime_server):
    folder = onnxruntime_server.repository / "junk" / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"junk\xff")
    (folder.parent / "config.pbtxt").write_text(HEADER + BATCHED_IO)
    response = httpx.post(f"{onnxruntime_server.http_url}/v2/repository/models/junk/load", trust_env=False)
    assert response.status_code == 400
    assert "onnx runtime error 7: Load model from" in response.json()["error"]


def test_nothing_given_is_completed(onnxruntime_server):
    assert not onnxruntime_server.add("complete", ROWS, "")
    config = onnxruntime_server.config("complete")
    assert config["max_batch_size"] == 4
    assert config["dynamic_batching"]["preferred_batch_size"] == [4]
    assert [(entry["name"], entry["data_type"], entry["dims"]) for entry in config["input"] + config["output"]] == [
        ("x", "TYPE_FP32", [-1]),
        ("y", "TYPE_FP32", [-1]),
    ]
    array = np.ones((2, 5), np.float32)
    np.testing.assert_array_equal(onnxruntime_server.infer("complete", x=array), -array)


def test_a_scalar_per_row_is_completed_with_a_reshape(onnxruntime_server):
    assert not onnxruntime_server.add("complete_rows", unary("Neg", ["N"], ["N"]), "")
    config = onnxruntime_server.config("complete_rows")
    assert config["input"][0]["dims"] == [1]
    assert config["input"][0]["reshape"] == {"shape": []}
    array = np.array([[1], [2]], np.float32)
    np.testing.assert_array_equal(onnxruntime_server.infer("complete_rows", x=array), -array)


def test_given_inputs_and_outputs_are_left_alone(onnxruntime_server):
    two = tensors(tensor("x", "-1, -1"), tensor("y", "-1, -1"))
    assert not onnxruntime_server.add("given", ROWS, two)
    config = onnxruntime_server.config("given")
    assert config["max_batch_size"] == 0
    assert config.get("dynamic_batching") is None


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_tensors_without_elements_pass_without_batching(onnxruntime_server, shape):
    name = f"empty_{shape[0]}_{shape[1]}"
    assert not onnxruntime_server.add(name, ROWS, tensors(tensor("x", "-1, -1"), tensor("y", "-1, -1")))
    assert onnxruntime_server.infer(name, x=np.zeros(shape, np.float32)).shape == shape


def test_a_scalar_output_has_the_configured_shape(onnxruntime_server):
    model = unary("ReduceSum", ["N", "W"], [], keepdims=0)
    assert not onnxruntime_server.add("scalar", model, tensors(tensor("x", "-1, -1"), tensor("y", "1")))
    result = onnxruntime_server.infer("scalar", x=np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(result, np.array([6], np.float32))


def test_bytes_are_text_up_to_the_first_nul(onnxruntime_server):
    model = unary("Identity", ["N", "W"], ["N", "W"], STRING)
    io = tensors(tensor("x", "-1", "TYPE_STRING"), tensor("y", "-1", "TYPE_STRING"))
    assert not onnxruntime_server.add("text", model, JOIN + io)
    array = np.array([[b"ab", b"a\0b", b"", "文".encode()]], np.object_)
    assert onnxruntime_server.infer("text", x=array).tolist() == [[b"ab", b"a", b"", "文".encode()]]


def test_bytes_that_are_not_utf8_fail_alone(onnxruntime_server):
    model = unary("Identity", ["N", "W"], ["N", "W"], STRING)
    io = tensors(tensor("x", "-1", "TYPE_STRING"), tensor("y", "-1", "TYPE_STRING"))
    assert not onnxruntime_server.add("utf8", model, JOIN + io)
    good, bad = onnxruntime_server.infer_together(
        "utf8", np.array([[b"ok"]] * 2, np.object_), np.array([[b"\xff"]] * 2, np.object_)
    )
    assert isinstance(good, np.ndarray)
    assert good.tolist() == [[b"ok"], [b"ok"]]
    assert isinstance(bad, InferenceServerException)
    assert bad.status() == "StatusCode.INVALID_ARGUMENT"
    assert bad.message().startswith("element 0 of input 'x' is not UTF-8")
    assert onnxruntime_server.statistics("utf8")["execution_count"] == 1


def test_a_failed_run_is_internal_and_names_no_files(onnxruntime_server):
    model = graph(
        [helper.make_node("Add", ["x", "z"], ["y"])],
        {"x": (FLOAT, ["N", "A"]), "z": (FLOAT, ["N", "B"])},
        {"y": (FLOAT, ["N", "C"])},
    )
    io = tensors(f"{tensor('x', '-1')}, {tensor('z', '-1')}", tensor("y", "-1"))
    assert not onnxruntime_server.add("failing", model, "max_batch_size: 4\n" + io)
    with pytest.raises(InferenceServerException) as caught:
        onnxruntime_server.infer("failing", x=np.zeros((1, 2), np.float32), z=np.zeros((1, 3), np.float32))
    assert caught.value.status() == "StatusCode.INTERNAL"
    assert caught.value.message().startswith("onnx runtime error 1: Non-zero status code returned while running Add")
    assert "/" not in caught.value.message()
    fine = np.ones((1, 2), np.float32)
    np.testing.assert_array_equal(onnxruntime_server.infer("failing", x=fine, z=fine), fine * 2)


def test_too_few_rows_are_unimplemented_for_those_that_miss_out(onnxruntime_server):
    """Two rows come out whatever goes in: the first two-row request gets them, the second nothing."""
    model = graph(
        [helper.make_node("Slice", ["x", "starts", "ends"], ["y"])],
        {"x": (FLOAT, ["N", "W"])},
        {"y": (FLOAT, ["M", "W"])},
        [
            helper.make_tensor("starts", TensorProto.INT64, [1], [0]),
            helper.make_tensor("ends", TensorProto.INT64, [1], [2]),
        ],
    )
    assert not onnxruntime_server.add("few", model, JOIN + BATCHED_IO)
    results = onnxruntime_server.infer_together("few", *[np.ones((2, 1), np.float32)] * 2)
    errors = [result for result in results if isinstance(result, InferenceServerException)]
    assert len(errors) == 1
    assert errors[0].status() == "StatusCode.UNIMPLEMENTED"
    assert errors[0].message() == (
        "[request id: <id_unknown>] failed to split the output tensor 'y' in responses: "
        "expected batch size of at least 4 in model output, got 2"
    )
    assert sum(isinstance(result, np.ndarray) for result in results) == 1


def test_surplus_rows_are_dropped(onnxruntime_server):
    model = graph(
        [helper.make_node("Concat", ["x", "x"], ["y"], axis=0)], {"x": (FLOAT, ["N", "W"])}, {"y": (FLOAT, ["M", "W"])}
    )
    assert not onnxruntime_server.add("surplus", model, "max_batch_size: 4\n" + BATCHED_IO)
    result = onnxruntime_server.infer("surplus", x=np.array([[1], [2]], np.float32))
    assert result.tolist() == [[1], [2]]


def test_outputs_come_sorted_and_only_those_asked_for(onnxruntime_server):
    model = graph(
        [helper.make_node("Neg", ["x"], ["b"]), helper.make_node("Abs", ["x"], ["a"])],
        {"x": (FLOAT, ["N", "W"])},
        {"b": (FLOAT, ["N", "W"]), "a": (FLOAT, ["N", "W"])},
    )
    io = tensors(tensor("x", "-1"), f"{tensor('b', '-1')}, {tensor('a', '-1')}")
    assert not onnxruntime_server.add("two", model, "max_batch_size: 4\n" + io)
    body = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [-3]}]}
    url = f"{onnxruntime_server.http_url}/v2/models/two/infer"
    outputs = httpx.post(url, content=json.dumps(body), trust_env=False).json()["outputs"]
    assert [(entry["name"], entry["data"]) for entry in outputs] == [("a", [3]), ("b", [3])]
    body["outputs"] = [{"name": "b"}]
    outputs = httpx.post(url, content=json.dumps(body), trust_env=False).json()["outputs"]
    assert [entry["name"] for entry in outputs] == ["b"]


def test_reshape_stands_in_for_dims(onnxruntime_server):
    model = unary("Neg", ["N", 6], ["N", 6])
    x = tensor("x", "2, 3", extra="reshape: { shape: [ 6 ] }")
    bad = tensors(x, tensor("y", "3, 2", extra="reshape: { shape: [ 6, 1 ] }"))
    assert "complete shape [-1,6,1]" in onnxruntime_server.add("reshaped_bad", model, "max_batch_size: 4\n" + bad)
    good = tensors(x, tensor("y", "3, 2", extra="reshape: { shape: [ 6 ] }"))
    assert not onnxruntime_server.add("reshaped", model, "max_batch_size: 4\n" + good)
    array = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    np.testing.assert_array_equal(onnxruntime_server.infer("reshaped", x=array), -array.reshape(2, 3, 2))
