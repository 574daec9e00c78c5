"""The backend's model.py against a stand-in for `triton_python_backend_utils`."""

import importlib.util
import json
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from paddlex_triton.server.backends import onnxruntime, paddlex_openvino
from paddlex_triton.server.backends.onnxruntime.runner import OnnxModel

MODEL_PY = Path(onnxruntime.__file__).with_name("model.py")


class TritonModelException(Exception):
    pass


class TritonError(Exception):
    INTERNAL, UNSUPPORTED, INVALID_ARG = "INTERNAL", "UNSUPPORTED", "INVALID_ARG"

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Tensor:
    def __init__(self, name: str, array: np.ndarray) -> None:
        self._name, self._array = name, array

    def name(self) -> str:
        return self._name

    def as_numpy(self) -> np.ndarray:
        return self._array


class InferenceResponse:
    def __init__(self, output_tensors=(), error=None) -> None:
        self.output_tensors, self.error = list(output_tensors), error


class ModelConfig:
    def __init__(self, **config) -> None:
        self.config = {"name": "m", "max_batch_size": 0, "input": [], "output": [], **config}

    def as_dict(self) -> dict:
        return self.config

    def set_max_batch_size(self, size: int) -> None:
        self.config["max_batch_size"] = size

    def set_dynamic_batching(self) -> None:
        self.config["dynamic_batching"] = {}


@pytest.fixture
def repository(tmp_path) -> Path:
    """A model folder with one version that negates rows."""
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", "W"]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", [infos[0]], [infos[1]])
    (tmp_path / "1").mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "1" / "model.onnx")
    return tmp_path


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def backend(monkeypatch, repository, log):
    """The TritonPythonModel class, imported with the stand-in."""
    utils = ModuleType("triton_python_backend_utils")
    logger = SimpleNamespace(log_info=log.append, log_warn=log.append)
    for name, value in {
        "TritonModelException": TritonModelException,
        "TritonError": TritonError,
        "Tensor": Tensor,
        "InferenceResponse": InferenceResponse,
        "Logger": logger,
        "get_model_dir": lambda: str(repository / "1"),
    }.items():
        setattr(utils, name, value)
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", utils)
    # It has that of whoever imported it first.
    monkeypatch.delitem(sys.modules, "paddlex_triton.server.backends.common.triton", raising=False)
    spec = importlib.util.spec_from_file_location("onnxruntime_backend_model", MODEL_PY)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TritonPythonModel


def arguments(repository: Path, kind: str = "CPU", **config) -> dict[str, str]:
    entry = {"data_type": "TYPE_FP32", "dims": [-1]}
    defaults = {
        "name": "m",
        "max_batch_size": 4,
        "input": [{"name": "x", **entry}],
        "output": [{"name": "y", **entry}],
    }
    return {
        "model_config": json.dumps(defaults | config),
        "model_name": "m",
        "model_repository": str(repository),
        "model_version": "1",
        "model_instance_name": "m_0_0",
        "model_instance_kind": kind,
    }


def request(array: np.ndarray) -> SimpleNamespace:
    return SimpleNamespace(
        inputs=lambda: [Tensor("x", array)], requested_output_names=lambda: ["y"], request_id=lambda: "id"
    )


def test_a_model_is_loaded_run_and_let_go(backend, repository, log):
    model = backend()
    model.initialize(arguments(repository))
    assert len(log) == 1
    assert log[0].startswith("m_0_0: ONNX Runtime ")
    arrays = [np.full((rows, 2), rows, np.float32) for rows in (1, 2)]
    responses = model.execute([request(array) for array in arrays])
    for array, response in zip(arrays, responses, strict=True):
        assert response.error is None
        (output,) = response.output_tensors
        assert output.name() == "y"
        np.testing.assert_array_equal(output.as_numpy(), -array)
    model.finalize()


def test_openvino_s_model_is_loaded_run_and_let_go(backend, repository, log):
    """With the same stand-in; its other hooks are the same."""
    file = Path(paddlex_openvino.__file__).with_name("model.py")
    spec = importlib.util.spec_from_file_location("openvino_backend_model", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.TritonPythonModel()
    model.initialize(arguments(repository, backend="paddlex_openvino"))
    assert log[0].startswith("m_0_0: OpenVINO ")
    (response,) = model.execute([request(np.ones((2, 3), np.float32))])
    np.testing.assert_array_equal(response.output_tensors[0].as_numpy(), -np.ones((2, 3)))
    model.finalize()


def test_memory_is_given_back_when_nothing_runs(backend, repository, monkeypatch):
    module = sys.modules["paddlex_triton.server.backends.common.triton"]
    monkeypatch.setattr(module, "IDLE_S", 0.05)
    released = threading.Event()
    monkeypatch.setattr(OnnxModel, "release", lambda self: released.set())
    model = backend()
    model.initialize(arguments(repository))
    assert not released.wait(0.2)
    model.execute([request(np.ones((2, 3), np.float32))])
    assert released.wait(20)


def test_a_requests_error_keeps_its_code(backend, repository):
    model = backend()
    model.initialize(arguments(repository))
    responses = model.execute([request(np.zeros((3, 1), np.float32)), request(np.zeros((2, 1), np.float32))])
    assert [(str(response.error), response.error.code) for response in responses] == [
        ("batch size 5 for 'm_0_0', max allowed is 4", "INTERNAL")
    ] * 2


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kind": "GPU"}, "asks for KIND_GPU"),
        ({"input": []}, "configuration expects 0 inputs, model provides 1"),
        ({"parameters": {"execution_mode": {"string_value": "9"}}}, "are 0 or 1 but got 9 ."),
        ({"default_model_filename": "gone.onnx"}, "failed to stat file"),
    ],
)
def test_what_is_wrong_does_not_load(backend, repository, changes, text):
    with pytest.raises(TritonModelException, match=text):
        backend().initialize(arguments(repository, **changes))


def test_an_empty_configuration_is_completed(backend, log):
    made = backend.auto_complete_config(ModelConfig()).as_dict()
    assert made["max_batch_size"] == 4
    assert made["dynamic_batching"] == {}
    assert made["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": [-1]}]
    assert made["output"] == [{"name": "y", "data_type": "TYPE_FP32", "dims": [-1]}]
    assert len(log) == 1
    assert log[0].startswith("autofilled max_batch_size to 4 for model 'm'")


def test_a_complete_configuration_is_left_alone(backend, repository):
    (repository / "1" / "model.onnx").unlink()
    given = ModelConfig(input=[{"name": "x"}], output=[{"name": "y"}])
    assert backend.auto_complete_config(given).as_dict() == given.config


def test_completion_that_fails_keeps_the_model_from_loading(backend, repository):
    (repository / "1" / "model.onnx").unlink()
    with pytest.raises(TritonModelException, match="failed to stat file"):
        backend.auto_complete_config(ModelConfig())
