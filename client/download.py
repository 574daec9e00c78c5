"""Fetching inputs that are given as URLs."""

from __future__ import annotations

import time

import httpx

from paddlex_triton.client.exceptions import InputError
from paddlex_triton.client.urls import without_credentials
from paddlex_triton.limits import MAX_DOWNLOAD_BYTES

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_TOTAL_TIMEOUT_S = 300.0
_MAX_REDIRECTS = 5


def download(url: str, *, max_bytes: int = MAX_DOWNLOAD_BYTES) -> bytes:
    """Fetch a file.

    Args:
        url: an http or https URL; at most 5 redirects are followed.
        max_bytes: limit of the body.

    Raises:
        InputError: no answer, an answer other than success, or a body that is too large or takes too long.
    """
    source = without_credentials(url)
    deadline = time.monotonic() + _TOTAL_TIMEOUT_S
    try:
        with (
            httpx.Client(timeout=_TIMEOUT, follow_redirects=True, max_redirects=_MAX_REDIRECTS) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise InputError(f"the URL answered {response.status_code} {response.reason_phrase}", source=source)
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > max_bytes:
                    raise InputError(f"the URL gave more than the {max_bytes} bytes that are allowed", source=source)
                if time.monotonic() > deadline:
                    raise InputError(f"the URL gave no whole file within {_TOTAL_TIMEOUT_S:g} s", source=source)
            return bytes(body)
    except httpx.InvalidURL:
        # The reason repeats parts of it.
        raise InputError("the URL cannot be fetched: it is not a valid URL", source=source) from None
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise InputError(f"the URL cannot be fetched: {reason}", source=source) from None
