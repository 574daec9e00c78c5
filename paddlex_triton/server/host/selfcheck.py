"""Proof that a started server's Python backend returns real bytes."""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from paddlex_triton.pipelines import PIPELINES, PipelineSpec
from paddlex_triton.server.host.errors import ServerStartError


def check_python_backend(grpc_url: str) -> None:
    """Send a tiny image through the first module of a pipeline and compare every pixel that comes back.

    A Python backend beside a numpy it was not built for loads, reports ready, and answers with empty tensors.

    Raises:
        ServerStartError: no pipeline is served, or the module fails or returns other bytes.
    """
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    # A proxy named in the environment is not for this machine.
    with grpcclient.InferenceServerClient(grpc_url, channel_args=[("grpc.enable_http_proxy", 0)]) as client:
        try:
            spec = next((spec for spec in PIPELINES.values() if client.is_model_ready(spec.models[0])), None)
            if spec is None:
                raise ServerStartError("self-check: no pipeline is served")
            page = _decode_there(client, spec, cv2.imencode(".bmp", image)[1].tobytes())
        except InferenceServerException as error:
            raise ServerStartError(f"self-check: the first module of a pipeline failed: {error}") from None
    if page is None or not np.array_equal(page.reshape(page.shape[-3:]), image):
        raise ServerStartError(
            f"self-check: {spec.models[0]} returned other bytes than it was sent; is numpy older than 2?"
        )


def _decode_there(client: grpcclient.InferenceServerClient, spec: PipelineSpec, encoded: bytes) -> np.ndarray | None:
    model = spec.models[0]
    metadata: Any = client.get_model_metadata(model)
    # A flavour that batches takes its inputs with a leading 1.
    shape = [1] * len(metadata.inputs[0].shape)
    # The page as it is.
    off = {step.switch: False for step in spec.steps.values() if step.module == spec.modules[0] and step.switch}
    inputs = []
    for name, value in (("image", encoded), ("params", json.dumps(off).encode())):
        tensor = grpcclient.InferInput(name, shape, "BYTES")
        tensor.set_data_from_numpy(np.array([value], dtype=object).reshape(shape))
        inputs.append(tensor)
    response = client.infer(model, inputs, client_timeout=30)
    return response.as_numpy("page") if response else None
