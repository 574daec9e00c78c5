"""The engines that run networks on CPUs: their answers for the proof, and how long they take.

Both come from the very classes that serve networks, configured as they are served.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paddlex_triton.export.families.base import Run, Tensors
from paddlex_triton.flavours import OPENVINO, Flavour, flavours_for, is_there
from paddlex_triton.network import Family, NetworkInfo, OnCpu
from paddlex_triton.processors import describe, usable_cores
from paddlex_triton.proof_pictures import text_page
from paddlex_triton.server.backends.common.batch import Request
from paddlex_triton.server.backends.common.errors import LoadError, RequestError
from paddlex_triton.server.backends.common.runner import Runner

if TYPE_CHECKING:
    from paddlex_triton.server.backends.paddlex_openvino.compiled import Compiled

# Backend -> the class that runs its models.
_RUNNERS = {
    "onnxruntime": ("paddlex_triton.server.backends.onnxruntime.runner", "OnnxModel"),
    "paddlex_openvino": ("paddlex_triton.server.backends.paddlex_openvino.runner", "OpenVinoModel"),
}
# Runs before time is taken: a shape is compiled for when it comes the third time.
_WARM_RUNS = 3
_TIMED_RUNS = 9
_KEPT_SHAPES = 4
# Networks that take seconds are timed less often.
_LONGEST_S = 6.0
# Of a page, px: a page of text at the OCR pipeline's usual limit of 736 for the shorter side.
_PAGE = (736, 992)
_LINE_WIDTH = 320
# PaddleX's batch of lines, and about as many people as are on a picture.
_ROWS = {"ctc_recognition": 6, "heatmap_keypoints": 4}


class EngineError(Exception):
    """An engine cannot load or run a network."""


def engines_here() -> list[Flavour]:
    """Return the flavours for CPUs whose engines are installed."""
    return [flavour for flavour in flavours_for("cpu") if is_there(flavour)]


def open_runner(flavour: Flavour, name: str, content: bytes, config: str) -> Runner:
    """Load a network as a flavour serves it.

    Args:
        flavour: one for CPUs that is there.
        name: the network's.
        content: of its model.onnx.
        config: the text of its configuration in that flavour.

    Raises:
        EngineError: it does not load.
    """
    # Here, not above: an engine may be missing.
    from google.protobuf import json_format, text_format
    from tritonclient.grpc import model_config_pb2

    module, kind = _RUNNERS[flavour.backend]
    message = text_format.Parse(config, model_config_pb2.ModelConfig())  # pyright: ignore[reportAttributeAccessIssue]
    parsed = json_format.MessageToDict(message, preserving_proto_field_name=True)
    try:
        # From memory: a file would stay behind if the export is killed.
        return getattr(import_module(module), kind)(parsed, Path(), f"{name}_0_0", content)
    except LoadError as error:
        raise EngineError(str(error)) from None


def runs_in_engines(family: Family, content: bytes) -> dict[str, Run]:
    """Load a network's graph into the engines beside ONNX Runtime, for the proof.

    Args:
        family: the network's.
        content: the serialized graph.

    Returns:
        Flavour -> the graph in its engine; one that does not load raises when it is run.
    """
    # As in the flavour's configurations.
    kept = 0 if family == "ctc_recognition" else _KEPT_SHAPES
    return {OPENVINO.name: _run_in_openvino(content, kept)} if OPENVINO in engines_here() else {}


def measure(info: NetworkInfo, content: bytes, configs: Mapping[str, str], refused: Mapping[str, str]) -> OnCpu:
    """Time a network in every engine that is there, in turns, on an input as it usually comes.

    Args:
        info: the network's description.
        content: of its model.onnx.
        configs: flavour -> the text of its configuration.
        refused: flavour -> why it does not serve the network: not timed.

    Raises:
        EngineError: an engine does not run it.
    """
    feeds = usual_input(info)
    runners = {
        flavour.name: open_runner(flavour, info.name, content, configs[flavour.name])
        for flavour in engines_here()
        if flavour.name not in refused
    }
    request = Request(feeds, ())
    for runner in runners.values():
        _warm(runner, request)
    times: dict[str, list[float]] = {name: [] for name in runners}
    started = time.perf_counter()
    while len(next(iter(times.values()))) < _TIMED_RUNS and time.perf_counter() - started < _LONGEST_S:
        for name, runner in runners.items():
            begun = time.perf_counter()
            _execute(runner, request)
            times[name].append(time.perf_counter() - begun)
    # The least of several: what else runs on the machine only adds.
    milliseconds = {name: round(min(taken) * 1000, 3) for name, taken in times.items()}
    return OnCpu(processor=describe(), threads=usable_cores(), milliseconds=milliseconds, refused=dict(refused))


def usual_input(info: NetworkInfo) -> dict[str, np.ndarray]:
    """Return an input of a network as pipelines send them: random pixels, or a drawn page where a size is free."""
    rows = _ROWS.get(info.family, 1)
    pixels = np.random.default_rng(0)
    if info.family == "ctc_recognition":
        height = info.geometry["image_shape"][1]
        x = pixels.integers(0, 256, (rows, height, _LINE_WIDTH, 3), np.uint8)
        return {"x": x, "widths": np.full((rows, 1), _LINE_WIDTH, np.int32)}
    if "target_size" not in info.geometry:
        return {"x": text_page(0, *_PAGE)[None]}
    height, width = info.geometry["target_size"]
    feeds: dict[str, np.ndarray] = {"x": pixels.integers(0, 256, (rows, height, width, 3), np.uint8)}
    if info.family in ("detr_detection", "nms_detection"):
        feeds["scale_factor"] = np.ones((rows, 2), np.float32)
    return feeds


def _run_in_openvino(content: bytes, kept_shapes: int) -> Run:
    """Return a graph in OpenVINO; the first answer to an input is that for any shape, the next that for its own."""
    loaded: list[Compiled] = []

    def run(feeds: Tensors) -> dict[str, np.ndarray]:
        # Here, not above: the engine may be missing.
        from paddlex_triton.server.backends.paddlex_openvino.compiled import Compiled
        from paddlex_triton.server.backends.paddlex_openvino.options import Options, properties

        if not loaded:
            loaded.append(Compiled(content, properties(Options()), kept_shapes))
        answer = {name: array.copy() for name, array in loaded[0].run(feeds).items()}
        for _ in range(_WARM_RUNS if kept_shapes else 0):
            loaded[0].run(feeds)
        loaded[0].settle()
        return answer

    return run


def _warm(runner: Runner, request: Request) -> None:
    for _ in range(_WARM_RUNS):
        _execute(runner, request)
    runner.settle()


def _execute(runner: Runner, request: Request) -> dict[str, np.ndarray]:
    (result,) = runner.execute([request])
    if isinstance(result, RequestError):
        raise EngineError(str(result))
    return {name: array.copy() for name, array in result.items()}
