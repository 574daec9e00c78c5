"""gRPC, on tritonclient."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import grpc.aio
import numpy as np
import tritonclient.grpc
import tritonclient.grpc.aio
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

from paddlex_triton.client.exceptions import PaddleXTritonError, PipelineClosedError, ServerError, error_from_response
from paddlex_triton.client.processes import PerProcess
from paddlex_triton.client.tracing import trace_headers
from paddlex_triton.client.transports.base import (
    PROBE_TIMEOUT_S,
    AsyncTransport,
    ThreadedTransport,
    Transport,
    datatype,
    microseconds,
)
from paddlex_triton.client.transports.endpoint import Endpoint

_MAX_MESSAGE_BYTES = 2**31 - 1
# A server that comes back is found within this time.
_MAX_RECONNECT_MS = 2000
# A name with several addresses, as those of Kubernetes, is of several servers: requests go to each in turn.
_IN_TURN = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})
# Where gRPC was imported.
_PROCESS = os.getpid()
# What gRPC says when the other side hangs up on its first bytes, or answers them in HTTP/1.
_OTHER_PROTOCOL = ("http1", "end of tcp stream", "socket closed", "connection reset", "settings frame")


def _client_arguments(endpoint: Endpoint) -> dict[str, Any]:
    options: list[tuple[str, int | str]] = [
        ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", _MAX_RECONNECT_MS),
        # gRPC asks for a name's addresses twice a minute, even if the one that it knows does not answer any more.
        ("grpc.dns_min_time_between_resolutions_ms", _MAX_RECONNECT_MS // 4),
        ("grpc.enable_http_proxy", 0 if endpoint.is_local else 1),
    ]
    if not endpoint.is_local:
        options.append(("grpc.service_config", _IN_TURN))
    return {"url": endpoint.address, "ssl": endpoint.secure, "channel_args": options}


def _request(
    model: str,
    inputs: Mapping[str, np.ndarray],
    outputs: Sequence[str],
    request_id: str,
    timeout_s: float | None,
) -> dict[str, Any]:
    tensors = []
    for name, array in inputs.items():
        tensor = InferInput(name, list(array.shape), datatype(array))
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    return {
        "model_name": model,
        "inputs": tensors,
        "outputs": [InferRequestedOutput(name) for name in outputs],
        "request_id": request_id,
        "timeout": microseconds(timeout_s),
        "client_timeout": timeout_s,
        "headers": trace_headers(),
    }


def _arrays(result: InferResult | None, outputs: Sequence[str], request_id: str) -> dict[str, np.ndarray]:
    arrays = {}
    for name in outputs:
        array = result.as_numpy(name) if result else None
        if array is None:
            raise ServerError(f"the answer has no output {name!r}", request_id=request_id)
        arrays[name] = array
    return arrays


def _translate(error: InferenceServerException, request_id: str | None, endpoint: Endpoint) -> PaddleXTritonError:
    status = str(error.status() or "").removeprefix("StatusCode.")
    message = str(error.message() or "")
    if status == "UNAVAILABLE" and "failed to connect" in message.lower():
        message = f"no server answers at {endpoint}" + _hint(endpoint, message)
    elif status == "UNAVAILABLE" and "errors resolving" in message.lower():
        message = f"no server answers at {endpoint}: its name is not known"
    if status == "DEADLINE_EXCEEDED":
        message = "no answer within the timeout"
    return error_from_response(message, status, request_id)


def _hint(endpoint: Endpoint, message: str) -> str:
    """Say what may be wrong where something listens and does not speak gRPC; nothing where nobody listens."""
    if not any(sign in message.lower() for sign in _OTHER_PROTOCOL):
        return ""
    scheme = "https" if endpoint.secure else "http"
    return f": what listens there does not answer in gRPC; if it is the HTTP port, say {scheme}://{endpoint.address}"


def _closed(request_id: str | None = None) -> PipelineClosedError:
    return PipelineClosedError("the connection is closed", request_id=request_id)


def open_async_grpc(endpoint: Endpoint) -> AsyncTransport:
    """Make an asyncio transport; in a process that was forked from one with gRPC, a blocking one in threads.

    gRPC has one thread that wakes the event loops, which is the parent's.
    """
    if os.getpid() == _PROCESS:
        return AsyncGrpcTransport(endpoint)
    return ThreadedTransport(GrpcTransport(endpoint))


class GrpcTransport(Transport):
    """Blocking gRPC; threads may share it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._closed = False
        self._client = PerProcess(lambda: tritonclient.grpc.InferenceServerClient(**_client_arguments(endpoint)))

    def infer(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        *,
        request_id: str,
        timeout_s: float | None,
    ) -> dict[str, np.ndarray]:
        """Run a model once, see `Transport.infer`."""
        request = _request(model, inputs, outputs, request_id, timeout_s)
        if self._closed:
            raise _closed(request_id)
        try:
            result = self._client.get().infer(**request)
        except (InferenceServerException, ValueError) as error:
            if self._closed:
                raise _closed(request_id) from None
            if isinstance(error, ValueError):
                raise
            raise _translate(error, request_id, self._endpoint) from None
        return _arrays(result, outputs, request_id)

    def server_ready(self) -> bool:
        """Tell whether the server and all its models are ready."""
        try:
            return bool(self._client.get().is_server_ready(client_timeout=PROBE_TIMEOUT_S))
        except (InferenceServerException, ValueError):
            return False

    def model_ready(self, model: str) -> bool:
        """Tell whether a model answers."""
        try:
            return bool(self._client.get().is_model_ready(model, client_timeout=PROBE_TIMEOUT_S))
        except (InferenceServerException, ValueError):
            return False

    def metadata(self) -> dict[str, Any]:
        """Return the server's name, version and extensions."""
        if self._closed:
            raise _closed()
        try:
            metadata = self._client.get().get_server_metadata(as_json=True, client_timeout=PROBE_TIMEOUT_S)
        except InferenceServerException as error:
            raise _translate(error, None, self._endpoint) from None
        return dict(metadata or {})

    def close(self) -> None:
        """Close the channel."""
        self._closed = True
        if client := self._client.made():
            client.close()


class AsyncGrpcTransport(AsyncTransport):
    """gRPC on asyncio. Cancelling a task cancels its request on the server; closing cancels tasks that still wait."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._closed = False
        self._client = tritonclient.grpc.aio.InferenceServerClient(**_client_arguments(endpoint))

    async def infer(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        *,
        request_id: str,
        timeout_s: float | None,
    ) -> dict[str, np.ndarray]:
        """Run a model once, see `Transport.infer`."""
        request = _request(model, inputs, outputs, request_id, timeout_s)
        if self._closed:
            raise _closed(request_id)
        try:
            result = await self._client.infer(**request)
        except (InferenceServerException, grpc.aio.UsageError) as error:
            if self._closed:
                raise _closed(request_id) from None
            if isinstance(error, grpc.aio.UsageError):
                raise
            raise _translate(error, request_id, self._endpoint) from None
        return _arrays(result, outputs, request_id)

    async def server_ready(self) -> bool:
        """Tell whether the server and all its models are ready."""
        try:
            return bool(await self._client.is_server_ready(client_timeout=PROBE_TIMEOUT_S))
        except (InferenceServerException, grpc.aio.UsageError):
            return False

    async def model_ready(self, model: str) -> bool:
        """Tell whether a model answers."""
        try:
            return bool(await self._client.is_model_ready(model, client_timeout=PROBE_TIMEOUT_S))
        except (InferenceServerException, grpc.aio.UsageError):
            return False

    async def metadata(self) -> dict[str, Any]:
        """Return the server's name, version and extensions."""
        if self._closed:
            raise _closed()
        try:
            metadata = await self._client.get_server_metadata(as_json=True, client_timeout=PROBE_TIMEOUT_S)
        except InferenceServerException as error:
            raise _translate(error, None, self._endpoint) from None
        return dict(metadata or {})

    async def close(self) -> None:
        """Close the channel."""
        self._closed = True
        await self._client.close()
