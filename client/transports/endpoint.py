"""Where a server is: what people write as `url`, taken apart."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from paddlex_triton.client.exceptions import InvalidParameterError
from paddlex_triton.client.urls import without_credentials

Protocol = Literal["grpc", "http"]

# Of one server, or of several that serve the same.
Url: TypeAlias = str | Sequence[str]

DEFAULT_PORTS: dict[Protocol, int] = {"grpc": 8001, "http": 8000}
_SCHEMES: dict[str, tuple[Protocol, bool]] = {
    "grpc": ("grpc", False),
    "grpcs": ("grpc", True),
    "http": ("http", False),
    "https": ("http", True),
}
_FORMS = "host:port, grpc://host:port, grpcs://host:port, http://host:port or https://host:port"


@dataclass(frozen=True)
class Endpoint:
    """A server's address.

    Attributes:
        protocol: "grpc" or "http".
        host: name or address, IPv6 without brackets.
        port: TCP port.
        secure: whether TLS is used.
        path: what stands in front of `/v2` behind a reverse proxy (HTTP only), without a slash at the end.
    """

    protocol: Protocol
    host: str
    port: int
    secure: bool = False
    path: str = ""

    @classmethod
    def parse(cls, url: str, protocol: str | None = None) -> Endpoint:
        """Read `host:port`, with or without a scheme.

        Args:
            url: one of the forms above; without a port, Triton's default one (443 for https).
            protocol: "grpc" or "http"; None follows the scheme, gRPC if there is none.

        Raises:
            InvalidParameterError: it cannot be read, or scheme and protocol contradict each other.
        """
        if protocol is not None and protocol not in get_args(Protocol):
            raise InvalidParameterError(f"protocol is {protocol!r}; allowed: {', '.join(get_args(Protocol))}")
        bare = without_credentials(url)
        shown = repr(bare) if bare == url else f"{bare!r} with a user or password, which is not taken"
        try:
            parts = urlsplit(url if "://" in url else f"//{url}")
            host, port = parts.hostname, parts.port
        except ValueError as error:
            reason = f": {error}" if bare == url else ""
            raise InvalidParameterError(f"url is {shown}{reason}; allowed: {_FORMS}") from None
        if parts.scheme and parts.scheme not in _SCHEMES:
            raise InvalidParameterError(f"url is {shown}: unknown scheme {parts.scheme!r}; allowed: {_FORMS}")
        of_scheme, secure = _SCHEMES.get(parts.scheme, (None, False))
        if of_scheme and protocol and of_scheme != protocol:
            raise InvalidParameterError(f"url {shown} is for {of_scheme}, but protocol is {protocol!r}")
        chosen: Protocol = of_scheme or ("http" if protocol == "http" else "grpc")
        path = parts.path.rstrip("/")
        if not host or parts.username or parts.query or parts.fragment or (path and chosen == "grpc"):
            raise InvalidParameterError(f"url is {shown}; allowed: {_FORMS}")
        default = 443 if parts.scheme == "https" else DEFAULT_PORTS[chosen]
        return cls(chosen, host, default if port is None else port, secure, path)

    @classmethod
    def default(cls, protocol: str | None = None) -> Endpoint:
        """Return Triton's default port on this machine."""
        return cls.parse("127.0.0.1", protocol)

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether it is this machine; proxies are not asked then."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        scheme = self.protocol + ("s" if self.secure else "")
        return f"{scheme}://{self.address}{self.path}"


def parse_endpoints(url: Url, protocol: str | None = None) -> tuple[Endpoint, ...]:
    """Read the address of a server, or those of several.

    Args:
        url: see `Endpoint.parse`.
        protocol: "grpc" or "http", for all of them; None follows each scheme.

    Raises:
        InvalidParameterError: there is none, one cannot be read, or one is named twice.
    """
    urls = [url] if isinstance(url, str) else list(url)
    if not urls or not all(isinstance(each, str) for each in urls):
        raise InvalidParameterError(f"url must be the address of a server or a list of them; allowed: {_FORMS}")
    endpoints = tuple(Endpoint.parse(each, protocol) for each in urls)
    if twice := [str(endpoint) for index, endpoint in enumerate(endpoints) if endpoint in endpoints[:index]]:
        raise InvalidParameterError(f"url names {', '.join(twice)} twice")
    return endpoints
