"""Pages that a TensorRT plan does not take: refused with the reason before Triton sees them."""

from __future__ import annotations

import asyncio
import importlib
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from paddlex_triton.errors import InvalidParameter


@pytest.fixture
def caller(pb_utils, tmp_path):
    """Makes what calls a network whose description has a geometry."""

    def make(geometry: dict[str, Any]) -> Any:
        provenance = {"source": "test", "file": "x", "source_sha256": "", "opset": 17, "ir_version": 8}
        info = {"name": "net", "family": "db_detection", "max_batch_size": 1, "sha256": "", "provenance": provenance}
        (tmp_path / "net.network.json").write_text(json.dumps({**info, "geometry": geometry}))
        pb_utils.InferenceRequest.network = lambda request: pb_utils.InferenceResponse(
            [pb_utils.Tensor("prob", np.zeros((1, 2, 2), np.float32))]
        )
        metrics = SimpleNamespace(call=lambda *arguments: None)
        module = importlib.import_module("paddlex_triton.server.modules.network_caller")
        return module.NetworkCaller(tmp_path, "net", metrics)

    return make


def infer(caller: Any, height: int, width: int) -> dict[str, np.ndarray]:
    page = np.zeros((1, height, width, 3), np.uint8)
    return asyncio.run(caller.infer({"x": page}, request_id="1", timeout_us=0, trace=None))


@pytest.mark.parametrize(("height", "width"), [(96, 128), (32, 32), (96, 32)])
def test_pages_up_to_the_bound(caller, height, width):
    assert set(infer(caller({"max_sides": [96, 128]}), height, width)) == {"prob"}


@pytest.mark.parametrize(("height", "width"), [(97, 128), (96, 129), (500, 500)])
def test_larger_pages_are_refused(caller, height, width):
    with pytest.raises(InvalidParameter, match=rf"{width}x{height} pixels .* TensorRT plan takes at most 128x96"):
        infer(caller({"max_sides": [96, 128]}), height, width)


def test_without_a_plan_there_is_no_bound(caller):
    assert set(infer(caller({}), 500, 500)) == {"prob"}
