"""Runs a gateway: in the foreground, or beside the server that it is in front of."""

from __future__ import annotations

import socket
import threading
import time

import uvicorn

from paddlex_triton.gateway.app import create_app
from paddlex_triton.gateway.connections import impatient
from paddlex_triton.gateway.errors import GatewayError
from paddlex_triton.gateway.settings import GatewaySettings
from paddlex_triton.listening import is_loopback

# Seconds that requests in flight get when the gateway is stopped.
_STOP_S = 30
_START_S = 30.0
_BACKLOG = 2048


class Gateway:
    """A gateway on a port.

    Attributes:
        url: where it is.
    """

    def __init__(self, settings: GatewaySettings, address: str, port: int, *, publish: bool = False) -> None:
        """Take the port; nothing is answered yet.

        Args:
            settings: what it is started with.
            address: to listen on.
            port: 0 for a free one.
            publish: whether it may listen beyond this machine without API keys.

        Raises:
            GatewayError: the address cannot be listened on, or needs keys or that word.
            PaddleXTritonError: the URL or a pipeline file cannot be used.
        """
        if not (settings.api_keys or publish or is_loopback(address)):
            raise GatewayError(
                f"{address or 'an empty address'} is no loopback address, and without API keys whoever reaches it may "
                "call: give it --api-key-file FILE, or say --publish"
            )
        self._socket = _listen(address, port)
        try:
            config = uvicorn.Config(
                create_app(settings),
                http=impatient(settings.max_upload_s),
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_STOP_S,
                backlog=_BACKLOG,
            )
        except BaseException:
            self._socket.close()
            raise
        host, bound = self._socket.getsockname()[:2]
        self.url = f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Answer until Ctrl-C or SIGTERM; requests in flight are finished."""
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """Answer in a thread, and return when it does.

        Raises:
            GatewayError: it does not come up.
        """
        self._thread = threading.Thread(target=self.run, name="gateway", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise GatewayError("the gateway did not come up; its log says why")
            time.sleep(0.02)

    def stop(self) -> None:
        """Finish requests in flight, and end."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(_STOP_S + 5)
        self._socket.close()


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
    except OSError as error:
        listening.close()
        raise GatewayError(f"{address}:{port} cannot be listened on: {error.strerror}") from None
    return listening
