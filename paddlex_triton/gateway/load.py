"""What a request may cost: it is turned away before its body is read, and its work ends when nobody waits for it."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Collection, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from paddlex_triton.gateway.errors import ApiError, busy

T = TypeVar("T")

# After a body that is not read to its end the connection cannot be used again.
_CLOSE = {"Connection": "close"}


class HungUp(Exception):
    """The caller went away."""


def check_key(request: Request, keys: Collection[str]) -> None:
    """Check the API key that a request carries.

    Args:
        request: nothing of its body has been read.
        keys: those that are taken; none where no key is needed.

    Raises:
        ApiError: it carries none of them.
    """
    if not keys:
        return
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = (bearer.strip() if kind.lower() == "bearer" else request.headers.get("x-api-key", "")).encode()
    # All are compared, each in constant time: how long it takes tells nothing.
    if not sum(hmac.compare_digest(given, key.encode()) for key in keys):
        headers = {"WWW-Authenticate": "Bearer", **_CLOSE}
        text = "an API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY"
        raise ApiError(401, text, headers=headers, reason="key")


class Admission:
    """Counts the requests that are worked on."""

    def __init__(self, most: int) -> None:
        """Start with none.

        Args:
            most: at once.
        """
        self.most, self.now = most, 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place for the time inside.

        Raises:
            ApiError: all are taken.
        """
        if self.now >= self.most:
            raise busy(f"too many requests: {self.most} are worked on at once; try again", "in_flight")
        self.now += 1
        try:
            yield
        finally:
            self.now -= 1


async def read_body(request: Request, max_bytes: int, timeout_s: float) -> bytes:
    """Read a request's body.

    Raises:
        ApiError: it is too large, or takes too long.
        HungUp: the caller went away.
    """
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > max_bytes:
        raise _too_large(max_bytes)

    async def read() -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise _too_large(max_bytes)
        return bytes(body)

    try:
        return await asyncio.wait_for(read(), timeout_s)
    except asyncio.TimeoutError:
        raise ApiError(408, f"the body did not come within {timeout_s:g} s", headers=_CLOSE, reason="slow") from None
    except ClientDisconnect:
        raise HungUp from None


async def work_while_awaited(request: Request, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
    """Do the work of a request; cancel it when its caller goes away, or when it takes too long.

    Args:
        request: its body must have been read.
        work: what is to be done.
        timeout_s: for it.

    Raises:
        HungUp: the caller went away.
        ApiError: it took too long.
    """
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_hang_up(request))
    try:
        await asyncio.wait({working, watching}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        if watching.done():
            raise HungUp
        raise ApiError(504, f"the answer was not ready within {timeout_s:g} s", reason="deadline")
    finally:
        for task in (working, watching):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(working, watching, return_exceptions=True)


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _too_large(max_bytes: int) -> ApiError:
    return ApiError(
        413, f"the body has more than the {max_bytes} bytes that are allowed", headers=_CLOSE, reason="too_large"
    )
