"""How requests travel: gRPC or HTTP, blocking or asyncio, behind one interface."""

from paddlex_triton.client.transports.base import AsyncTransport, Transport
from paddlex_triton.client.transports.endpoint import Endpoint, Protocol, Url, parse_endpoints

__all__ = [
    "AsyncTransport",
    "Endpoint",
    "Protocol",
    "Transport",
    "Url",
    "open_async_transport",
    "open_transport",
    "parse_endpoints",
]


def open_transport(endpoint: Endpoint, *others: Endpoint) -> Transport:
    """Make a blocking transport to a server, or one that spreads requests over several.

    It connects with the first request.
    """
    if others:
        from paddlex_triton.client.transports.several import SeveralServers

        endpoints = (endpoint, *others)
        return SeveralServers(endpoints, [open_transport(each) for each in endpoints])
    if endpoint.protocol == "http":
        from paddlex_triton.client.transports.http import HttpTransport

        return HttpTransport(endpoint)
    from paddlex_triton.client.transports.grpc import GrpcTransport

    return GrpcTransport(endpoint)


def open_async_transport(endpoint: Endpoint, *others: Endpoint) -> AsyncTransport:
    """Make the asyncio twin of `open_transport`."""
    if others:
        from paddlex_triton.client.transports.several import AsyncSeveralServers

        endpoints = (endpoint, *others)
        return AsyncSeveralServers(endpoints, [open_async_transport(each) for each in endpoints])
    if endpoint.protocol == "http":
        from paddlex_triton.client.transports.http import AsyncHttpTransport

        return AsyncHttpTransport(endpoint)
    from paddlex_triton.client.transports.grpc import open_async_grpc

    return open_async_grpc(endpoint)
