"""Inputs given as URLs: their names, without what is nobody else's business."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from paddlex_triton.client.exceptions import InputError

# Bytes of a file name made of a URL: file systems take 255, and results add to it.
_MAX_NAME_BYTES = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//|", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(?:[^:]*|\[.*\])(?::\d*)?")


def is_url(text: str) -> bool:
    """Tell whether an input is fetched rather than read from disk."""
    return text.lower().startswith(("http://", "https://"))


def split_urls(given: Iterable[str]) -> list[str]:
    """Return the addresses of servers that stand in options or a variable, apart by spaces or commas."""
    return [url for text in given for url in re.split(r"[\s,]+", text) if url]


def is_data_uri(text: str) -> bool:
    """Tell whether an input is itself the file: `data:image/png;base64,...`."""
    return text[:5].lower() == "data:" and "," in text


def file_name(url: str) -> str:
    """Return the last part of a URL's path, without the query, as a name that files can have."""
    path = PurePosixPath(_CONTROL.sub("_", unquote(urlsplit(url).path)))
    suffix = path.suffix if len(path.suffix.encode()) < _MAX_NAME_BYTES else ""
    stem = path.name.removesuffix(suffix).encode()[: _MAX_NAME_BYTES - len(suffix.encode())]
    return stem.decode("utf-8", "ignore") + suffix


def without_credentials(url: str) -> str:
    """Return a URL without `user:password@`; also one in which a password with unescaped characters breaks the rest."""
    found = _SCHEME.match(url)
    scheme = found.group() if found else ""
    rest = url.removeprefix(scheme)
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        return scheme + authority.rpartition("@")[2] + rest.removeprefix(authority)
    # What stands behind a colon is a port, or else the beginning of a password.
    if "@" in rest and not _HOST_AND_PORT.fullmatch(authority):
        return scheme + rest.rpartition("@")[2]
    return url


def read_data_uri(uri: str) -> bytes:
    """Return the file that a data URI is.

    Raises:
        InputError: its base64 is broken.
    """
    kind, _, content = uri.partition(",")
    if not kind.lower().endswith(";base64"):
        return unquote_to_bytes(content)
    try:
        # Line breaks are allowed; anything else that is no base64 would be a mistake.
        return base64.b64decode("".join(unquote(content).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"the base64 of the data URI is broken: {error}") from None
