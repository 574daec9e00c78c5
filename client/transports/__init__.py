"""How requests travel: gRPC or HTTP, blocking or asyncio, behind one interface."""

from paddlex_triton.client.transports.base import AsyncTransport, Transport
from paddlex_triton.client.transports.endpoint import Endpoint, Protocol

__all__ = ["AsyncTransport", "Endpoint", "Protocol", "Transport", "open_async_transport", "open_transport"]


def open_transport(endpoint: Endpoint) -> Transport:
    """Make a blocking transport to a server; it connects with the first request."""
    if endpoint.protocol == "http":
        from paddlex_triton.client.transports.http import HttpTransport

        return HttpTransport(endpoint)
    from paddlex_triton.client.transports.grpc import GrpcTransport

    return GrpcTransport(endpoint)


def open_async_transport(endpoint: Endpoint) -> AsyncTransport:
    """Make an asyncio transport to a server; it connects with the first request."""
    if endpoint.protocol == "http":
        from paddlex_triton.client.transports.http import AsyncHttpTransport

        return AsyncHttpTransport(endpoint)
    from paddlex_triton.client.transports.grpc import open_async_grpc

    return open_async_grpc(endpoint)
