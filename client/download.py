"""Fetching inputs that are given as URLs."""

from __future__ import annotations

import logging

import httpx

from paddlex_triton.client.exceptions import InputError
from paddlex_triton.client.transports.sockets import BoundedClient, open_client
from paddlex_triton.client.urls import without_credentials
from paddlex_triton.client.wording import without_secrets
from paddlex_triton.limits import MAX_DOWNLOAD_BYTES

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_TOTAL_TIMEOUT_S = 300.0
_MAX_REDIRECTS = 5
_SETTINGS = {"timeout": _TIMEOUT, "follow_redirects": True, "max_redirects": _MAX_REDIRECTS}


def _hide_secrets(record: logging.LogRecord) -> bool:
    """Take secrets out of the URLs that httpx logs, those of redirects too."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            without_secrets(str(value)) if isinstance(value, httpx.URL) else value for value in record.args
        )
    return True


logging.getLogger("httpx").addFilter(_hide_secrets)


def download(url: str, *, max_bytes: int = MAX_DOWNLOAD_BYTES) -> bytes:
    """Fetch a file.

    Args:
        url: an http or https URL; at most 5 redirects are followed.
        max_bytes: limit of the body.

    Raises:
        InputError: no answer, an answer other than success, or a body that is too large or takes too long.
    """
    source = without_credentials(url)
    try:
        with (
            open_client(BoundedClient, InputError, **_SETTINGS) as client,
            client.within(_TOTAL_TIMEOUT_S),
            client.stream("GET", url) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise InputError(f"the URL answered {response.status_code} {response.reason_phrase}")
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > max_bytes:
                    raise InputError(f"the URL gave more than the {max_bytes} bytes that are allowed")
            return bytes(body)
    except InputError as error:
        error.source = source
        raise
    except (httpx.InvalidURL, UnicodeError):
        # The reason repeats parts of it.
        raise InputError("the URL cannot be fetched: it is not a valid URL", source=source) from None
    except httpx.TimeoutException:
        raise InputError(
            f"the URL cannot be fetched: it takes too long; allowed are {_TIMEOUT.connect:g} s to connect, "
            f"{_TIMEOUT.read:g} s without a byte and {_TOTAL_TIMEOUT_S:g} s in all",
            source=source,
        ) from None
    except httpx.HTTPError as error:
        reason = without_secrets(str(error)) or type(error).__name__
        raise InputError(f"the URL cannot be fetched: {reason}", source=source) from None
