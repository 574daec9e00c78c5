"""A server without being told where: one on the default port, else the embedded one, one for the whole process."""

from __future__ import annotations

import atexit
import logging
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddlex_triton.client.exceptions import EmbeddedServerError
from paddlex_triton.client.transports import Endpoint, open_transport
from paddlex_triton.pipelines import PipelineSpec

if TYPE_CHECKING:
    from paddlex_triton.server.launcher import EmbeddedServer

logger = logging.getLogger("paddlex_triton")

_CONNECT_TIMEOUT_S = 0.5
_INSTALL = "pip install 'paddlex-triton[serve]'"


@dataclass(frozen=True)
class Found:
    """A server to use.

    Attributes:
        endpoint: where it is.
        release: to be called when it is no longer needed.
    """

    endpoint: Endpoint
    release: Callable[[], None]


@dataclass
class _Running:
    server: EmbeddedServer
    folder: Path
    users: int = 0


_lock = threading.Lock()
_running: dict[str, _Running] = {}


def find_server(spec: PipelineSpec, url: str | None, protocol: str | None) -> Found:
    """The server at `url`; without one, a server on Triton's default port, else the embedded server.

    Args:
        spec: the pipeline that is wanted.
        url: see `Endpoint.parse`.
        protocol: "grpc", "http" or None.

    Raises:
        InvalidParameterError: `url` or `protocol` cannot be read.
        EmbeddedServerError: there is no server, and none can be started.
    """
    if url is not None:
        return Found(Endpoint.parse(url, protocol), _nothing)
    default = Endpoint.default(protocol)
    if serves(default, spec):
        return Found(default, _nothing)
    return _lease(spec, default)


def serves(endpoint: Endpoint, spec: PipelineSpec) -> bool:
    """Whether a server is there and serves the pipeline. Quick when nothing listens."""
    try:
        socket.create_connection((endpoint.host, endpoint.port), _CONNECT_TIMEOUT_S).close()
    except OSError:
        return False
    transport = open_transport(endpoint)
    try:
        return transport.model_ready(spec.ensemble)
    finally:
        transport.close()


def _lease(spec: PipelineSpec, default: Endpoint) -> Found:
    with _lock:
        running = _running.get(spec.name)
        if running is None or running.server.pid is None:
            logger.warning("No server with %s at %s: starting the embedded one.", spec.name, default)
            running = _running[spec.name] = _start(spec)
        running.users += 1
    url = running.server.http_url if default.protocol == "http" else running.server.grpc_url
    return Found(Endpoint.parse(url, default.protocol), _once(lambda: _release(spec.name, running)))


def _start(spec: PipelineSpec) -> _Running:
    try:
        from paddlex_triton.server.errors import ServerError
        from paddlex_triton.server.launcher import EmbeddedServer
    except ImportError as error:
        raise EmbeddedServerError(
            f"no server answers, and the embedded one is not installed ({error}): "
            f"{_INSTALL}, or name a server with url="
        ) from None
    folder = Path(tempfile.mkdtemp(prefix="paddlex-triton-log-"))
    server = EmbeddedServer(pipelines=[spec.name], log_file=folder / "triton.log")
    try:
        server.start()
    except ServerError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise EmbeddedServerError(f"no server answers, and the embedded one cannot start: {error}") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _Running(server, folder)


def _release(name: str, running: _Running) -> None:
    with _lock:
        running.users -= 1
        if running.users > 0:
            return
        if _running.get(name) is running:
            del _running[name]
        _stop(running)


def _stop(running: _Running) -> None:
    running.server.stop()
    shutil.rmtree(running.folder, ignore_errors=True)


@atexit.register
def _stop_all() -> None:
    """End what pipelines that were never closed have left."""
    while _running:
        _stop(_running.popitem()[1])


def _once(function: Callable[[], None]) -> Callable[[], None]:
    calls = iter([function])

    def call() -> None:
        for pending in calls:
            pending()

    return call


def _nothing() -> None:
    pass
