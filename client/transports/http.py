"""HTTP, KServe's binary tensors on httpx. tritonclient packs the bodies and unpacks the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from paddlex_triton.client.exceptions import (
    DeadlineExceededError,
    PaddleXTritonError,
    PipelineClosedError,
    ServerError,
    ServerUnavailableError,
    error_from_response,
)
from paddlex_triton.client.processes import PerProcess
from paddlex_triton.client.tracing import trace_headers
from paddlex_triton.client.transports.base import PROBE_TIMEOUT_S, AsyncTransport, Transport, datatype, microseconds
from paddlex_triton.client.transports.endpoint import Endpoint
from paddlex_triton.client.transports.sockets import BoundedClient, open_client

_CONNECT_TIMEOUT_S = 5.0
_HEADER_LENGTH = "Inference-Header-Content-Length"
# In what httpx says of a server that is gone before, or in the middle of, its answer.
_HUNG_UP = ("disconnected", "closed connection")
# Triton's HTTP numbers and those of proxies in front of it, as gRPC's names (413 has none).
_STATUS = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "CONTENT_TOO_LARGE",
    429: "UNAVAILABLE",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def _client_arguments(endpoint: Endpoint) -> dict[str, Any]:
    scheme = "https" if endpoint.secure else "http"
    return {
        "base_url": f"{scheme}://{endpoint.address}{endpoint.path}/",
        "trust_env": not endpoint.is_local,
        "timeout": PROBE_TIMEOUT_S,
    }


def _timeout(timeout_s: float | None) -> httpx.Timeout:
    connect = _CONNECT_TIMEOUT_S if timeout_s is None else min(timeout_s, _CONNECT_TIMEOUT_S)
    return httpx.Timeout(timeout_s, connect=connect)


def _infer_path(model: str) -> str:
    return f"v2/models/{quote(model, safe='')}/infer"


def _request(
    inputs: Mapping[str, np.ndarray], outputs: Sequence[str], request_id: str, timeout_s: float | None
) -> dict[str, Any]:
    tensors = []
    for name, array in inputs.items():
        tensor = InferInput(name, list(array.shape), datatype(array))
        tensor.set_data_from_numpy(array, binary_data=True)
        tensors.append(tensor)
    wanted = [InferRequestedOutput(name, binary_data=True) for name in outputs]
    body, header_length = InferenceServerClient.generate_request_body(
        tensors, wanted, request_id=request_id, timeout=microseconds(timeout_s)
    )
    headers = {"Content-Type": "application/octet-stream", **trace_headers()}
    if header_length is not None:
        headers[_HEADER_LENGTH] = str(header_length)
    return {"content": body, "headers": headers, "timeout": _timeout(timeout_s)}


def _arrays(response: httpx.Response, outputs: Sequence[str], request_id: str) -> dict[str, np.ndarray]:
    _raise_for_status(response, request_id)
    length = response.headers.get(_HEADER_LENGTH)
    try:
        result = InferenceServerClient.parse_response_body(
            response.content, header_length=int(length) if length else None
        )
        arrays = {name: result.as_numpy(name) for name in outputs}
    except (ValueError, KeyError, InferenceServerException) as error:
        raise ServerError(f"the answer cannot be read: {error}", request_id=request_id) from None
    if missing := [name for name, array in arrays.items() if array is None]:
        raise ServerError(f"the answer has no output {', '.join(missing)}", request_id=request_id)
    return {name: array for name, array in arrays.items() if array is not None}


def _raise_for_status(response: httpx.Response, request_id: str | None) -> None:
    if response.status_code == httpx.codes.OK:
        return
    try:
        message = str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        # A proxy's page, most likely: its first words say enough.
        text = " ".join(response.text.split())[:200]
        message = f"HTTP {response.status_code} {response.reason_phrase}" + (f": {text}" if text else "")
    raise error_from_response(message, _STATUS.get(response.status_code, "INTERNAL"), request_id)


def _translate(error: httpx.HTTPError, request_id: str | None, endpoint: Endpoint) -> PaddleXTritonError:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return ServerUnavailableError(f"no server answers at {endpoint}: {error}", request_id=request_id)
    if isinstance(error, httpx.TimeoutException):
        return _late(request_id)
    reason = str(error) or type(error).__name__
    message = f"the connection to {endpoint} broke: {reason}"
    if isinstance(error, httpx.RemoteProtocolError) and not any(sign in reason for sign in _HUNG_UP):
        other = "grpcs" if endpoint.secure else "grpc"
        message = (
            f"no server answers at {endpoint}: what listens there does not answer in HTTP ({reason}); "
            f"if it is the gRPC port, say {other}://{endpoint.address}"
        )
    return ServerUnavailableError(message, request_id=request_id)


def _late(request_id: str | None) -> DeadlineExceededError:
    return DeadlineExceededError("no answer within the timeout", request_id=request_id)


def _closed(request_id: str | None = None) -> PipelineClosedError:
    return PipelineClosedError("the connection is closed", request_id=request_id)


# RuntimeError is what httpx raises on a client that was closed, among others.
_FAILURES = (httpx.HTTPError, RuntimeError)


class _Connected:
    """The connection, as both kinds know it."""

    _endpoint: Endpoint
    _closed: bool

    def _reason(self, error: httpx.HTTPError | RuntimeError, request_id: str | None) -> Exception:
        if self._closed:
            return _closed(request_id)
        return error if isinstance(error, RuntimeError) else _translate(error, request_id, self._endpoint)


class HttpTransport(_Connected, Transport):
    """Blocking HTTP; threads may share it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._closed = False
        self._client = PerProcess(
            lambda: open_client(BoundedClient, ServerUnavailableError, **_client_arguments(endpoint))
        )

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
        request = _request(inputs, outputs, request_id, timeout_s)
        if self._closed:
            raise _closed(request_id)
        client = self._client.get()
        try:
            with client.within(timeout_s):
                response = client.post(_infer_path(model), **request)
        except _FAILURES as error:
            raise self._reason(error, request_id) from None
        return _arrays(response, outputs, request_id)

    def server_ready(self) -> bool:
        """Tell whether the server and all its models are ready."""
        return self._answers("v2/health/ready")

    def model_ready(self, model: str) -> bool:
        """Tell whether a model answers."""
        return self._answers(f"v2/models/{quote(model, safe='')}/ready")

    def metadata(self) -> dict[str, Any]:
        """Return the server's name, version and extensions."""
        try:
            # Triton knows this path without a slash at its end only.
            response = self._client.get().get("v2")
        except _FAILURES as error:
            raise self._reason(error, None) from None
        _raise_for_status(response, None)
        return response.json()

    def close(self) -> None:
        """Close all connections."""
        self._closed = True
        if client := self._client.made():
            client.close()

    def _answers(self, path: str) -> bool:
        try:
            return self._client.get().get(path).status_code == httpx.codes.OK
        except _FAILURES:
            return False


class AsyncHttpTransport(_Connected, AsyncTransport):
    """HTTP on asyncio."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._closed = False
        self._client = open_client(httpx.AsyncClient, ServerUnavailableError, **_client_arguments(endpoint))

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
        request = _request(inputs, outputs, request_id, timeout_s)
        if self._closed:
            raise _closed(request_id)
        try:
            # httpx bounds every single reading and writing.
            response = await asyncio.wait_for(self._client.post(_infer_path(model), **request), timeout_s)
        except _FAILURES as error:
            raise self._reason(error, request_id) from None
        except asyncio.TimeoutError:
            raise _late(request_id) from None
        return _arrays(response, outputs, request_id)

    async def server_ready(self) -> bool:
        """Tell whether the server and all its models are ready."""
        return await self._answers("v2/health/ready")

    async def model_ready(self, model: str) -> bool:
        """Tell whether a model answers."""
        return await self._answers(f"v2/models/{quote(model, safe='')}/ready")

    async def metadata(self) -> dict[str, Any]:
        """Return the server's name, version and extensions."""
        try:
            response = await self._client.get("v2")
        except _FAILURES as error:
            raise self._reason(error, None) from None
        _raise_for_status(response, None)
        return response.json()

    async def close(self) -> None:
        """Close all connections."""
        self._closed = True
        await self._client.aclose()

    async def _answers(self, path: str) -> bool:
        try:
            return (await self._client.get(path)).status_code == httpx.codes.OK
        except _FAILURES:
            return False
