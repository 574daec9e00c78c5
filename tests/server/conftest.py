"""Raw requests to the live server, without the client library."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import people_world
import pytest
import seal_world
import tritonclient.grpc as grpcclient

from paddlex_triton.export.api import export_directory
from paddlex_triton.server.host.launcher import EmbeddedServer

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
    return asking(triton, "ocr")


@pytest.fixture(scope="session")
def tiny_networks(networks, tmp_path_factory) -> Path:
    """A repository with tiny layout networks and a tiny seal text detector, see `seal_world`."""
    repository = tmp_path_factory.mktemp("tiny") / "networks"
    for folder in seal_world.write_weights(tmp_path_factory.mktemp("weights")).values():
        export_directory(folder, into=repository)
    return repository


@pytest.fixture(scope="session")
def seal_models() -> dict[str, str]:
    """The networks of the seal pipeline by step: the tiny ones and a real recogniser."""
    return {
        "layout_detection": seal_world.LAYOUT,
        "seal_text_detection": seal_world.DETECTOR,
        "text_recognition": "PP-OCRv4_mobile_rec",
    }


@pytest.fixture(scope="session")
def seal_server(tiny_networks, seal_models, tmp_path_factory):
    """A live Triton with the seal pipeline alone, on tiny networks and a real recogniser."""
    log = tmp_path_factory.mktemp("triton") / "triton.log"
    presets = {"seal_recognition": "nopp"}
    models = {**seal_models, "seal_text_detection": f"{seal_world.DETECTOR},{seal_world.FEW}"}
    with EmbeddedServer(
        ["seal_recognition"], presets=presets, models=models, networks=[tiny_networks], log_file=log
    ) as running:
        yield running


@pytest.fixture(scope="session")
def seal_triton(seal_server):
    """A gRPC client of it."""
    with grpcclient.InferenceServerClient(seal_server.grpc_url) as client:
        yield client


@pytest.fixture(scope="session")
def ask_seal(seal_triton) -> Callable[..., Any]:
    """`ask_seal(image, params)` -> the ensemble's outputs by name."""
    return asking(seal_triton, "seal_recognition")


@pytest.fixture(scope="session")
def people_networks(tmp_path_factory) -> Path:
    """A repository with a tiny human detector and a tiny keypoint network, see `people_world`."""
    repository = tmp_path_factory.mktemp("people") / "networks"
    for folder in people_world.write_weights(tmp_path_factory.mktemp("weights")).values():
        export_directory(folder, into=repository)
    return repository


@pytest.fixture(scope="session")
def people_models() -> dict[str, str]:
    """The networks of the keypoint pipeline by step: the tiny ones."""
    return {"human_detection": people_world.DETECTOR, "keypoint_detection": people_world.KEYPOINTS}


@pytest.fixture(scope="session")
def people_server(people_networks, people_models, tmp_path_factory):
    """A live Triton with the keypoint pipeline alone, on tiny networks."""
    log = tmp_path_factory.mktemp("triton") / "triton.log"
    with EmbeddedServer(
        ["human_keypoint_detection"], models=people_models, networks=[people_networks], log_file=log
    ) as running:
        yield running


@pytest.fixture(scope="session")
def people_triton(people_server):
    """A gRPC client of it."""
    with grpcclient.InferenceServerClient(people_server.grpc_url) as client:
        yield client


@pytest.fixture(scope="session")
def ask_people(people_triton) -> Callable[..., Any]:
    """`ask_people(image, params)` -> the ensemble's outputs by name."""
    return asking(people_triton, "human_keypoint_detection")


def asking(client: grpcclient.InferenceServerClient, ensemble: str) -> Callable[..., Any]:
    def infer(image: bytes, params: Any = None, *, model: str = ensemble, **options: Any) -> dict[str, np.ndarray]:
        inputs = [bytes_tensor("image", image)]
        if params is not None:
            raw = params if isinstance(params, bytes) else json.dumps(params).encode()
            inputs.append(bytes_tensor("params", raw))
        return outputs_of(client.infer(model, inputs, client_timeout=120, **options))

    return infer


def outputs_of(result: Any) -> dict[str, np.ndarray]:
    return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def runs_since(client: Any, model: str, before: Any, rows: int) -> tuple[int, int]:
    """Rows and runs of a model since its statistics `before`; Triton counts a run a moment after it has answered."""
    end = time.monotonic() + 5
    while True:
        after = client.get_inference_statistics(model).model_stats[0]
        counted = after.inference_count - before.inference_count
        if counted >= rows or time.monotonic() > end:
            return counted, after.execution_count - before.execution_count
        time.sleep(0.05)


def settled_statistics(client: Any, model: str) -> Any:
    """Statistics of a model once no run of earlier requests is being added to them any more."""
    end = time.monotonic() + 5
    now = client.get_inference_statistics(model).model_stats[0]
    while time.monotonic() < end:
        time.sleep(0.2)
        now, earlier = client.get_inference_statistics(model).model_stats[0], now
        if now == earlier:
            break
    return now


@pytest.fixture(scope="session")
def count_runs() -> Callable[..., tuple[int, int]]:
    """`runs_since`, for tests."""
    return runs_since


@pytest.fixture(scope="session")
def statistics() -> Callable[..., Any]:
    """`settled_statistics`, for tests."""
    return settled_statistics


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
