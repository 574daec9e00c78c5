"""Tiny networks with the outside of real ones, and folders of weights made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from hub_server import NOBODY, HubServer
from onnx import TensorProto, helper, numpy_helper

from paddlex_triton.export.sources.hubs import HUBS

# What decides where networks are fetched from.
CHOICES = ("PADDLE_PDX_MODEL_SOURCE", "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK")
ENDPOINTS = {hub.name: hub.variables for hub in HUBS}

CHARACTERS = list("abcdefgh")
CLASSES = len(CHARACTERS) + 2


def detector(
    *, opset: int = 17, ir_version: int = 8, input_dims: tuple = ("B", 3, "H", "W"), output_dims: tuple | None = None
) -> onnx.ModelProto:
    """A convolution and a sigmoid. Input and output are called as exported networks call theirs, on purpose."""
    weights = np.random.default_rng(0).normal(size=(1, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["c"], ["prob"]),
    ]
    dims = output_dims or (input_dims[0], 1, *input_dims[2:])
    return _model(nodes, {"w": weights}, ("x", input_dims), ("prob", dims), opset, ir_version)


def recognizer(
    *,
    opset: int = 17,
    ir_version: int = 8,
    input_dims: tuple = ("B", 3, 48, "W"),
    classes: int = CLASSES,
    output_dims: tuple | None = None,
) -> onnx.ModelProto:
    """One step per 8 columns: the mean of the block, a 1x1 convolution to classes, a softmax over them."""
    weights = np.random.default_rng(1).normal(size=(classes, 3, 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[48, 8], strides=[48, 8]),
        helper.make_node("Conv", ["p", "w"], ["c"], kernel_shape=[1, 1]),
        helper.make_node("Transpose", ["c"], ["t"], perm=[0, 2, 3, 1]),
        # Rows, steps, classes: the height is 1 by now.
        helper.make_node("Reshape", ["t", "shape"], ["r"]),
        helper.make_node("Softmax", ["r"], ["widths"], axis=2),
    ]
    constants = {"w": weights, "shape": np.array([0, -1, classes], np.int64)}
    dims = output_dims or (input_dims[0], "T", classes)
    return _model(nodes, constants, ("x", input_dims), ("widths", dims), opset, ir_version)


def _model(nodes, constants, x, y, opset, ir_version) -> onnx.ModelProto:
    inputs = [helper.make_tensor_value_info(x[0], TensorProto.FLOAT, list(x[1]))]
    outputs = [helper.make_tensor_value_info(y[0], TensorProto.FLOAT, list(y[1]))]
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


def detector_yml(name: str = "tiny_det", **normalization: Any) -> dict[str, Any]:
    return {
        "Global": {"model_name": name},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"DetResizeForTest": {"resize_long": 960}},
                {"NormalizeImage": {"scale": "1./255.", "order": "hwc", **normalization}},
                {"ToCHWImage": None},
            ]
        },
        "PostProcess": {"name": "DBPostProcess", "thresh": 0.2, "unclip_ratio": 1.4},
    }


def recognizer_yml(name: str = "tiny_rec", characters: list[str] | None = None) -> dict[str, Any]:
    return {
        "Global": {"model_name": name},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"RecResizeImg": {"image_shape": [3, 48, 320]}},
            ]
        },
        "PostProcess": {
            "name": "CTCLabelDecode",
            "character_dict": CHARACTERS if characters is None else characters,
        },
    }


class Kit:
    """The tools that the tests build their inputs with."""

    characters = CHARACTERS
    detector = staticmethod(detector)
    recognizer = staticmethod(recognizer)
    detector_yml = staticmethod(detector_yml)
    recognizer_yml = staticmethod(recognizer_yml)


@pytest.fixture
def kit() -> type[Kit]:
    return Kit


@pytest.fixture
def weights_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder of weights: an ONNX model and, unless it is None, an inference.yml."""

    def write(model: onnx.ModelProto, yml: dict[str, Any] | None, folder: str = "weights") -> Path:
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        (path / "inference.onnx").write_bytes(model.SerializeToString())
        if yml is not None:
            (path / "inference.yml").write_text(yaml.safe_dump(yml, allow_unicode=True), encoding="utf-8")
        return path

    return write


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., None]:
    """No test asks the world: no hub answers, and nothing was fetched before. Gives what opens some of the hubs."""
    for variable in (*CHOICES, *(name for names in ENDPOINTS.values() for name in names)):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PADDLEX_TRITON_HOME", str(tmp_path_factory.mktemp("home")))

    def open_hubs(**endpoints: str) -> None:
        for name, variables in ENDPOINTS.items():
            monkeypatch.setenv(variables[0], endpoints.get(name, NOBODY))

    open_hubs()
    return open_hubs


@pytest.fixture
def store(no_network) -> Iterator[HubServer]:
    """PaddleX's store, on this machine."""
    with HubServer().running() as server:
        no_network(bos=server.url)
        yield server
