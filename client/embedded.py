"""A server without being told where: one on the default port, else the embedded one, which the process shares."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from paddlex_triton.client.exceptions import EmbeddedServerError, PipelineNotLoadedError
from paddlex_triton.client.networks import Networks
from paddlex_triton.client.processes import PerProcess
from paddlex_triton.client.transports import Endpoint, Url, open_transport, parse_endpoints
from paddlex_triton.pipelines import PipelineSpec

if TYPE_CHECKING:
    from paddlex_triton.server.host.launcher import EmbeddedServer

logger = logging.getLogger("paddlex_triton")

_CONNECT_TIMEOUT_S = 0.5
_INSTALL = "pip install 'paddlex-triton[serve]'"


@dataclass(frozen=True)
class ServerLease:
    """The use of a server, or of several.

    Attributes:
        endpoints: where they are.
        release: to be called when they are no longer needed.
        fault: says what is wrong with an embedded server, and what to do; None where nothing is.
    """

    endpoints: tuple[Endpoint, ...]
    release: Callable[[], None]
    fault: Callable[[], str | None] = lambda: None


@dataclass
class _Running:
    server: EmbeddedServer
    folder: Path
    users: int = 0
    process: int = field(default_factory=os.getpid)


# A pipeline, and the networks it runs on.
_Key: TypeAlias = tuple[str, Networks]

_lock = PerProcess(threading.Lock)
_running: dict[_Key, _Running] = {}
_NO_CHOICE = Networks()


def find_server(
    spec: PipelineSpec, url: Url | None, protocol: str | None, networks: Networks = _NO_CHOICE
) -> ServerLease:
    """Find the server at `url`; without one, a server on Triton's default port, else the embedded server.

    Args:
        spec: the pipeline that is wanted.
        url: see `parse_endpoints`. One is taken as it is; several are asked whether they serve the pipeline.
        protocol: "grpc", "http" or None.
        networks: what an embedded server runs on. Single networks can only be had from an embedded one: no other is
            looked for then.

    Raises:
        InvalidParameterError: `url` or `protocol` cannot be read.
        PipelineNotLoadedError: of several servers, one is ready and does not serve the pipeline.
        EmbeddedServerError: there is no server, and none can be started.
    """
    if url is not None:
        endpoints = parse_endpoints(url, protocol)
        if len(endpoints) > 1:
            _check_all_serve(endpoints, spec)
        return ServerLease(endpoints, _nothing)
    default = Endpoint.default(protocol)
    if not networks.models and serves(default, spec):
        return ServerLease((default,), _nothing)
    return _lease(spec, default, networks)


def serves(endpoint: Endpoint, spec: PipelineSpec) -> bool:
    """Tell whether a server is there and serves the pipeline. Quick when nothing listens."""
    try:
        socket.create_connection((endpoint.host, endpoint.port), _CONNECT_TIMEOUT_S).close()
    except OSError:
        return False
    transport = open_transport(endpoint)
    try:
        return transport.model_ready(spec.ensemble)
    finally:
        transport.close()


def _check_all_serve(endpoints: Sequence[Endpoint], spec: PipelineSpec) -> None:
    """Refuse servers that are ready and do not serve the pipeline. Those that do not answer may do so later."""

    def is_wrong(endpoint: Endpoint) -> bool:
        transport = open_transport(endpoint)
        try:
            return transport.server_ready() and not transport.model_ready(spec.ensemble)
        finally:
            transport.close()

    with ThreadPoolExecutor(len(endpoints)) as threads:
        wrong = [
            str(each) for each, refused in zip(endpoints, threads.map(is_wrong, endpoints), strict=True) if refused
        ]
    if wrong:
        raise PipelineNotLoadedError(
            f"{', '.join(wrong)} {'does' if len(wrong) == 1 else 'do'} not serve {spec.name}; "
            "all servers that are named must"
        )


def _lease(spec: PipelineSpec, default: Endpoint, networks: Networks) -> ServerLease:
    key = (spec.name, networks)
    with _lock.get():
        running = _running.get(key)
        if running is None or running.server.pid is None or running.server.fault():
            if networks.models:
                logger.warning("Starting the embedded server of %s with %s.", spec.name, networks.models)
            else:
                logger.warning("No server with %s at %s: starting the embedded one.", spec.name, default)
            running = _running[key] = _start(spec, networks)
            _tell_what_runs(spec, running.server)
        running.users += 1
    url = running.server.http_url if default.protocol == "http" else running.server.grpc_url
    return ServerLease(
        (Endpoint.parse(url, default.protocol),), _once(lambda: _release(key, running)), lambda: _fault_of(running)
    )


def _fault_of(running: _Running) -> str | None:
    fault = running.server.fault()
    return f"of the embedded server, {fault}: close the pipeline and create it anew" if fault else None


def _tell_what_runs(spec: PipelineSpec, server: EmbeddedServer) -> None:
    """Log what was decided where nobody chose: the preset, and the steps that are on by default."""
    assembly = server.assembly
    if assembly is None:
        return
    for step, stand_in in assembly.stand_ins.get(spec.name, {}).items():
        logger.warning("%s runs on %s instead of %s: %s.", step, stand_in.name, stand_in.instead_of, stand_in.reason)
    steps = [
        f"{parameter} is {'on (' + ', '.join(names) + ')' if names else 'off'}"
        for parameter, names in assembly.switches.get(spec.name, {}).items()
    ]
    if steps:
        logger.info("Optional steps of %s: %s.", spec.name, ", ".join(steps))


def _start(spec: PipelineSpec, networks: Networks) -> _Running:
    try:
        from paddlex_triton.server.host.errors import HostError
        from paddlex_triton.server.host.launcher import EmbeddedServer
    except ImportError as error:
        raise EmbeddedServerError(
            f"no server answers, and the embedded one is not installed ({error}): "
            f"{_INSTALL}, or name a server with url="
        ) from None
    try:
        folder = Path(tempfile.mkdtemp(prefix="paddlex-triton-log-"))
    except OSError as error:
        said = f"no server answers, and the embedded one has no place for its log: {error}"
        raise EmbeddedServerError(said) from error
    server = EmbeddedServer(
        pipelines=[spec.name],
        presets={spec.name: networks.preset} if networks.preset else {},
        models=networks.models,
        log_file=folder / "triton.log",
    )
    try:
        server.start()
    except HostError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise EmbeddedServerError(f"no server answers, and the embedded one cannot start: {error}") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _Running(server, folder)


def _release(key: _Key, running: _Running) -> None:
    with _lock.get():
        running.users -= 1
        if running.users > 0:
            return
        if _running.get(key) is running:
            del _running[key]
        _stop(running)


def _stop(running: _Running) -> None:
    # A forked process leaves its parent's server alone.
    if running.process != os.getpid():
        return
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
