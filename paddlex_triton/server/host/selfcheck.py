"""Proof that a started server's Python backend returns real bytes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from paddlex_triton.server.host.errors import ServerStartError

_MODULE = "doc_preprocessor"


def check_python_backend(grpc_url: str) -> None:
    """Send a tiny image through the first module and compare every pixel that comes back.

    A Python backend beside a numpy it was not built for loads, reports ready, and answers with empty tensors.

    Raises:
        ServerStartError: the module is absent, fails, or returns other bytes.
    """
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    # A proxy named in the environment is not for this machine.
    with grpcclient.InferenceServerClient(grpc_url, channel_args=[("grpc.enable_http_proxy", 0)]) as client:
        try:
            page = _decode_there(client, cv2.imencode(".bmp", image)[1].tobytes())
        except InferenceServerException as error:
            raise ServerStartError(f"self-check: {_MODULE} failed: {error}") from None
    if page is None or not np.array_equal(page.reshape(page.shape[-3:]), image):
        raise ServerStartError(f"self-check: {_MODULE} returned other bytes than it was sent; is numpy older than 2?")


def _decode_there(client: grpcclient.InferenceServerClient, encoded: bytes) -> np.ndarray | None:
    if not client.is_model_ready(_MODULE):
        raise ServerStartError(f"self-check: module {_MODULE!r} is not served")
    configuration: Any = client.get_model_config(_MODULE)
    # A flavour that batches takes its inputs with a leading 1.
    shape = [1, 1] if configuration.config.max_batch_size > 0 else [1]
    # Pages of this kind are turned by no network.
    tensor = grpcclient.InferInput("people_image", shape, "BYTES")
    tensor.set_data_from_numpy(np.array([encoded], dtype=object).reshape(shape))
    response = client.infer(_MODULE, [tensor], client_timeout=30)
    return response.as_numpy("page") if response else None
