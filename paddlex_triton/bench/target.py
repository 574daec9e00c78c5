"""The server under measurement: requests over gRPC, statistics and configurations over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

import httpx
import numpy as np
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from paddlex_triton.admin_api import key_headers, read_admin_key
from paddlex_triton.bench.statistics import ModelStatistics
from paddlex_triton.module_parameters import read_networks
from paddlex_triton.pipelines import find_pipeline

_TIMEOUT_S = 300.0
# Messages of any size, and no proxy between the measurement and what it measures.
_CHANNEL = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
]


@dataclass(frozen=True)
class Stages:
    """The parts of a pipeline on the server: module -> the networks it calls, in the order of the pipeline."""

    networks: dict[str, tuple[str, ...]]

    def models(self) -> list[str]:
        """List modules and networks, each once."""
        return list(dict.fromkeys([*self.networks, *self.all_networks()]))

    def all_networks(self) -> list[str]:
        """List networks, each once."""
        return list(dict.fromkeys(name for names in self.networks.values() for name in names))


class Target:
    """One pipeline on one server. Safe to call from several threads."""

    def __init__(self, pipeline: str, *, http_url: str, grpc_url: str, admin_key: str | None = None) -> None:
        """Connect.

        Args:
            pipeline: PaddleX's name.
            http_url: base URL of the HTTP endpoint, for statistics.
            grpc_url: `host:port` of the gRPC endpoint, for requests.
            admin_key: what configurations ask for, see `admin_api`; None where they ask for nothing.

        Raises:
            ChoiceError: an unknown pipeline.
        """
        spec = find_pipeline(pipeline)
        self.pipeline, self.ensemble = spec.name, spec.ensemble
        self._http = httpx.Client(
            base_url=http_url, headers=key_headers(admin_key), timeout=_TIMEOUT_S, trust_env=False
        )
        self._grpc = grpcclient.InferenceServerClient(grpc_url, channel_args=_CHANNEL)

    def infer(self, image: bytes, params: bytes) -> dict[str, np.ndarray]:
        """Send one page and wait for every output of the ensemble.

        Args:
            image: the encoded file.
            params: UTF-8 JSON.

        Raises:
            tritonclient.utils.InferenceServerException: the server refused or failed.
        """
        inputs = []
        for name, value in (("image", image), ("params", params)):
            tensor = grpcclient.InferInput(name, [1], "BYTES")
            tensor.set_data_from_numpy(np.array([value], dtype=object))
            inputs.append(tensor)
        result = self._grpc.infer(self.ensemble, inputs, client_timeout=_TIMEOUT_S)
        if result is None:
            raise InferenceServerException(f"{self.ensemble} gave no answer")
        # The message itself: over gRPC, `get_response` does not return JSON.
        outputs = result.get_response().outputs  # pyright: ignore[reportAttributeAccessIssue]
        arrays = {output.name: result.as_numpy(output.name) for output in outputs}
        return {name: array for name, array in arrays.items() if array is not None}

    def statistics(self, model: str) -> ModelStatistics:
        """Read the counters of one model since the server started."""
        return ModelStatistics.from_response(self._get(f"/v2/models/{model}/stats"))

    def stages(self) -> Stages:
        """Read the pipeline's modules and networks from the served configurations."""
        steps = self.configuration(self.ensemble)["ensemble_scheduling"]["step"]
        modules = dict.fromkeys(step["model_name"] for step in steps)
        return Stages({module: self._networks_of(module) for module in modules})

    def configuration(self, model: str) -> dict[str, Any]:
        """Read a model's configuration as the server completed it."""
        return self._get(f"/v2/models/{model}/config")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._grpc.close()

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _networks_of(self, module: str) -> tuple[str, ...]:
        parameters = self.configuration(module).get("parameters", {})
        networks = read_networks({name: value["string_value"] for name, value in parameters.items()})
        # A module may serve other pipelines too.
        return tuple(name for names in networks.get(self.pipeline, {}).values() for name in names)

    def _get(self, path: str) -> dict[str, Any]:
        response = self._http.get(path)
        if response.status_code == 403:
            raise ValueError(f"{path} asks for the server's key: --admin-key-file, the file that it was started with")
        response.raise_for_status()
        return response.json()


@contextmanager
def open_target(
    pipeline: str, http_url: str | None, grpc_url: str | None, admin_key_file: Path | None = None
) -> Iterator[Target]:
    """Use a running server if its addresses are given, else an embedded one for as long as the context lasts.

    Args:
        pipeline: PaddleX's name.
        http_url: base URL of the HTTP endpoint; None, together with `grpc_url`, for an embedded server.
        grpc_url: `host:port` of the gRPC endpoint.
        admin_key_file: with the key of that server.

    Raises:
        ValueError: only one of the addresses is given, or the file cannot be used.
    """
    if (http_url is None) != (grpc_url is None):
        raise ValueError("give both --http-url and --grpc-url, or neither")
    admin_key = read_admin_key(admin_key_file) if admin_key_file else None
    with ExitStack() as stack:
        if http_url is None or grpc_url is None:
            # Needs the serve extra, which measuring another server does not.
            from paddlex_triton.server.host.launcher import EmbeddedServer

            # Triton's log belongs elsewhere than between the tables.
            log = Path(stack.enter_context(TemporaryDirectory())) / "triton.log"
            server = stack.enter_context(EmbeddedServer([pipeline], log_file=log))
            http_url, grpc_url, admin_key = server.http_url, server.grpc_url, server.admin_key
        yield stack.enter_context(Target(pipeline, http_url=http_url, grpc_url=grpc_url, admin_key=admin_key))
