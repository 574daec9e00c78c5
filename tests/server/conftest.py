"""Raw requests to the live server, without the client library."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.grpc as grpcclient

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def sample() -> bytes:
    """The sample page, as a file's bytes."""
    return (ROOT / "samples" / "page.png").read_bytes()


@pytest.fixture(scope="session")
def triton(server):
    """A gRPC client."""
    with grpcclient.InferenceServerClient(server.grpc_url) as client:
        yield client


@pytest.fixture(scope="session")
def ask(triton) -> Callable[..., Any]:
    """`ask(image, params)` -> the ensemble's outputs by name."""

    def infer(image: bytes, params: Any = None, *, model: str = "ocr", **options: Any) -> dict[str, np.ndarray]:
        inputs = [bytes_tensor("image", image)]
        if params is not None:
            raw = params if isinstance(params, bytes) else json.dumps(params).encode()
            inputs.append(bytes_tensor("params", raw))
        result = triton.infer(model, inputs, client_timeout=120, **options)
        return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}

    return infer


def bytes_tensor(name: str, value: bytes) -> grpcclient.InferInput:
    tensor = grpcclient.InferInput(name, [1], "BYTES")
    tensor.set_data_from_numpy(np.array([value], dtype=object))
    return tensor


@pytest.fixture(scope="session")
def metrics(server) -> Callable[..., float]:
    """`metrics(name, **labels)` -> the sum of the samples that have these labels."""

    def read(name: str, **labels: str) -> float:
        total = 0.0
        for line in httpx.get(server.metrics_url, trust_env=False).text.splitlines():
            found, _, rest = line.partition("{")
            if found == name and all(f'{key}="{value}"' in rest for key, value in labels.items()):
                total += float(rest.rpartition(" ")[2])
        return total

    return read
