"""Files that a request names by URL: fetched from the public internet alone.

Whoever may name URLs makes the gateway call where it stands, beside databases and cloud metadata. So the address is
checked where the connection is made, after every redirect and whatever DNS says the second time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpcore
from httpcore import AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream

from paddlex_triton.gateway.errors import ApiError

TIMEOUT_S = 30.0
_CONNECT_TIMEOUT_S = 10.0
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# IPv6 addresses of IPv4 hosts, behind a translator.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

# Characters that a URL may have beside letters and digits, and the percent sign of those that are written as bytes.
_LEFT_ALONE = "/%:@!$&'()*+,;=~-._"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet, not private, loopback, link-local or multicast."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


class Fetcher:
    """Fetches files over HTTP and HTTPS."""

    def __init__(
        self, max_bytes: int, *, timeout_s: float = TIMEOUT_S, allows: Callable[[Address], bool] = is_public
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            max_bytes: of a file.
            timeout_s: for a file, redirects included.
            allows: tells whether an address may be called.
        """
        self._max_bytes, self._timeout_s = max_bytes, timeout_s
        self._pool = httpcore.AsyncConnectionPool(network_backend=_Guarded(allows), max_connections=32)

    async def fetch(self, url: str) -> bytes:
        """Return what is behind a URL.

        Raises:
            ApiError: it is on no address that may be called, gives no file, or one too large or too slowly.
        """
        try:
            return await asyncio.wait_for(self._follow(url), self._timeout_s)
        except asyncio.TimeoutError:
            raise _refused(f"the URL gave no whole file within {self._timeout_s:g} s") from None
        except _Forbidden:
            raise _refused("the URL is on an address that is not public") from None
        except (httpcore.ProtocolError, httpcore.NetworkError, httpcore.TimeoutException, OSError, ValueError):
            raise _refused("the URL cannot be fetched") from None

    async def close(self) -> None:
        """Close connections."""
        await self._pool.aclose()

    async def _follow(self, url: str) -> bytes:
        for _ in range(_MAX_REDIRECTS + 1):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
                raise _refused("the URL leads to what is no http or https address")
            target = await self._get(url)
            if isinstance(target, bytes):
                return target
            url = urljoin(url, target)
        raise _refused(f"the URL redirects more than {_MAX_REDIRECTS} times")

    async def _get(self, url: str) -> bytes | str:
        """Return the body, or where it is to be found instead."""
        headers = [("Accept", "*/*"), ("User-Agent", "paddlex-triton")]
        extensions = {"timeout": {"connect": _CONNECT_TIMEOUT_S, "read": self._timeout_s}}
        async with self._pool.stream("GET", _ascii(url), headers=headers, extensions=extensions) as response:
            if response.status in _REDIRECTS:
                named = dict(response.headers)
                return named.get(b"Location", named.get(b"location", b"")).decode("latin-1")
            if response.status != 200:
                raise _refused(f"the URL answered {response.status}")
            body = bytearray()
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > self._max_bytes:
                    raise _refused(f"the URL gave more than the {self._max_bytes} bytes that are allowed")
            return bytes(body)


class _Forbidden(Exception):
    """A host has no address that may be called."""


class _Guarded(AsyncNetworkBackend):
    """Connects to the addresses that were checked, not to names."""

    def __init__(self, allows: Callable[[Address], bool]) -> None:
        self._allows = allows
        self._plain: AsyncNetworkBackend = AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
        # One address that may not be called is enough: which one a name stands for is not ours to choose.
        if not addresses or not all(self._allows(ipaddress.ip_address(address)) for address in addresses):
            raise _Forbidden
        return await self._plain.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> AsyncNetworkStream:
        raise _Forbidden

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _ascii(url: str) -> str:
    """Write what stands in a URL beyond ASCII as bytes, as browsers do."""
    parts = urlsplit(url)
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    path, query = quote(parts.path, safe=_LEFT_ALONE), quote(parts.query, safe=f"{_LEFT_ALONE}?")
    return parts._replace(netloc=host, path=path, query=query, fragment="").geturl()


def _refused(message: str) -> ApiError:
    return ApiError(422, message, reason="url")
