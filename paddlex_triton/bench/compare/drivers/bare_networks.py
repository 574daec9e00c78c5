"""Networks without a pipeline: runs that were recorded of a page, repeated in their engine with random pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from driver_loop import Driver, serve
from tritonclient.utils import triton_to_np_dtype

from paddlex_triton.bench.compare.network_runs import NetworkRun, run_from_json

Feed = dict[str, np.ndarray]
# Compiled for so many shapes of a network, then for any shape.
_MOST_SHAPES = 32


class BareNetworks(Driver):
    """Networks in this process, the runs of a page one after the other.

    `open` is sent `pages`, path -> runs, and `networks`, name -> `file` and `backend`, as `own_server` recorded them.
    """

    packages = ("numpy",)

    def open(self, request: dict[str, Any]) -> None:
        """Load the networks and draw what they are sent."""
        random = np.random.default_rng(0)
        networks = {
            name: _openvino(each["file"]) if "openvino" in each["backend"] else _onnxruntime(each["file"])
            for name, each in request["networks"].items()
        }
        self._pages = {
            path: [(networks[run.network], _feed(run, random)) for run in map(run_from_json, runs)]
            for path, runs in request["pages"].items()
        }

    def read(self, path: str) -> list[str]:
        """Repeat the runs of a page."""
        for network, feed in self._pages[path]:
            network(feed)
        return []


def _feed(run: NetworkRun, random: np.random.Generator) -> Feed:
    feed = {}
    for tensor in run.inputs:
        dtype = np.dtype(triton_to_np_dtype(tensor.dtype))
        if tensor.values is None:
            feed[tensor.name] = random.integers(0, 256, tensor.shape, dtype=np.uint8).astype(dtype)
        else:
            feed[tensor.name] = np.array(tensor.values, dtype).reshape(tensor.shape)
    return feed


def _onnxruntime(file: str) -> Callable[[Feed], object]:
    """As the server's backend loads it: all cores, spinning inside a run alone."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda feed: session.run(None, feed)


def _openvino(file: str) -> Callable[[Feed], object]:
    """Rewritten as the server does it, and compiled for each shape, which is the fastest that OpenVINO has."""
    import openvino  # pyright: ignore[reportMissingImports]

    from paddlex_triton.server.backends.paddlex_openvino.rewrites import cheapen

    core, settings = openvino.Core(), {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled: dict[Any, Any] = {}

    def run(feed: Feed) -> object:
        shapes = {name: list(array.shape) for name, array in feed.items()}
        key = str(shapes) if str(shapes) in compiled or len(compiled) < _MOST_SHAPES else None
        if key not in compiled:
            model = core.read_model(file)
            cheapen(model)
            if key is not None:
                model.reshape(shapes)
            compiled[key] = core.compile_model(model, "CPU", settings).create_infer_request()
        return compiled[key].infer(feed)

    return run


if __name__ == "__main__":
    serve(BareNetworks())
