"""One file over HTTP: resumed where it broke off, tried again where that helps, never more than is allowed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from paddlex_triton.checksums import sha256_of_file
from paddlex_triton.export.errors import SourceError, Unreachable
from paddlex_triton.export.limits import MAX_FETCHED_BYTES

# Told the bytes that are there and, where the server says it, of how many.
Progress = Callable[[int, int | None], None]

_MAX_REDIRECTS = 5
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
# What hubs answer for a file or a repository that they do not have: Hugging Face asks strangers to log in (401).
_NOT_THERE = (401, 403, 404, 410)
# Failures before anything was sent: nobody is there, and waiting helps nobody.
_NOBODY = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class NotThere(SourceError):
    """The server answers, and does not have the file."""


class _Again(Exception):
    """A failure after which another try may help."""


@dataclass(frozen=True)
class Patience:
    """How long to wait and how often to try.

    Attributes:
        connect_s: seconds for a connection.
        read_s: seconds in which a server has to send something.
        attempts: tries in a row that bring nothing; a try that brings bytes starts the count anew.
        first_wait_s: upper end of the first pause; it doubles with every try.
        longest_wait_s: upper end of every later pause.
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    attempts: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 8.0


class _Notes(BaseModel):
    """Notes on a file of which a part is there; they lie beside the part."""

    model_config = ConfigDict(extra="forbid")

    url: str
    validator: str | None = None
    size: int | None = None


class _Part:
    """The part of a file that is there, in a file of its own, and notes on what it is a part of."""

    def __init__(self, path: Path, url: str) -> None:
        self.path, self.url = path, url
        self._notes_file = path.with_name(path.name + ".json")
        self.notes = self._read_notes()
        if self.notes.url != url or self.notes.validator is None:
            self.drop()

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def is_whole(self) -> bool:
        return self.notes.size is not None and self.size == self.notes.size

    def begin(self, validator: str | None, size: int | None) -> None:
        """Start anew."""
        self.notes = _Notes(url=self.url, validator=validator, size=size)
        self.path.write_bytes(b"")
        self._notes_file.write_text(self.notes.model_dump_json(), encoding="utf-8")

    def drop(self) -> None:
        """Forget what is there."""
        self.path.unlink(missing_ok=True)
        self._notes_file.unlink(missing_ok=True)
        self.notes = _Notes(url=self.url)

    def _read_notes(self) -> _Notes:
        try:
            return _Notes.model_validate_json(self._notes_file.read_bytes())
        except (OSError, ValidationError):
            return _Notes(url="")


def download(
    url: str,
    path: Path,
    *,
    progress: Progress,
    max_bytes: int = MAX_FETCHED_BYTES,
    patience: Patience | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Fetch a file. A part that an earlier try or run left is continued if the server still has the same file.

    Args:
        url: http or https; at most 5 redirects are followed, none from https to http.
        path: where to put it. Beside it lie notes, `<path>.json`; what broke off stays for the next run.
        progress: told how far it is.
        max_bytes: limit of the file.
        patience: how long to wait and how often to try.
        sleep: how to pause.

    Returns:
        SHA-256 of the file, in hexadecimal.

    Raises:
        NotThere: the server does not have it.
        Unreachable: no server answers.
        SourceError: it is too large, or did not come whole however often it was tried.
        OSError: it cannot be written.
    """
    chosen = patience or Patience()
    part = _Part(path, url)
    counted = _Attempts(part, chosen.attempts)
    retrying = Retrying(
        retry=retry_if_exception_type(_Again),
        wait=wait_random_exponential(multiplier=chosen.first_wait_s, max=chosen.longest_wait_s),
        stop=counted.exhausted,
        sleep=sleep,
        reraise=True,
    )
    timeout = httpx.Timeout(chosen.read_s, connect=chosen.connect_s)
    try:
        with httpx.Client(timeout=timeout, follow_redirects=True, max_redirects=_MAX_REDIRECTS) as client:
            retrying(_continue, client, part, progress, max_bytes)
    except _Again as error:
        raise SourceError(f"{url}: {error} ({chosen.attempts} tries in a row)") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceError(f"{url}: {error or type(error).__name__}") from None
    return sha256_of_file(path)


class _Attempts:
    """Counts the tries in a row that brought nothing."""

    def __init__(self, part: _Part, most: int) -> None:
        self._part, self._most = part, most
        self._reached, self._in_vain = 0, 0

    def exhausted(self, state: RetryCallState) -> bool:
        del state
        self._in_vain = 0 if self._part.size > self._reached else self._in_vain + 1
        self._reached = max(self._reached, self._part.size)
        return self._in_vain >= self._most


def _continue(client: httpx.Client, part: _Part, progress: Progress, max_bytes: int) -> None:
    """Ask once for what is missing and write it."""
    before = part.size
    try:
        if not part.is_whole:
            with client.stream("GET", part.url, headers=_headers(part)) as response:
                _accept(response, part, max_bytes)
                _write(response, part, progress, max_bytes)
    except _NOBODY as error:
        reason = str(error) or type(error).__name__
        if part.size == before == 0:
            raise Unreachable(f"{part.url}: {reason}") from None
        raise _Again(reason) from None
    except (httpx.TooManyRedirects, httpx.DecodingError):
        raise
    except httpx.RequestError as error:
        raise _Again(str(error) or type(error).__name__) from None
    if part.notes.size is not None and part.size != part.notes.size:
        raise _Again(f"{part.size} of {part.notes.size} bytes came")


def _headers(part: _Part) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}
    if part.size and part.notes.validator:
        # The part is of use only if the file is still the same: the server decides, and sends all of it if not.
        headers |= {"Range": f"bytes={part.size}-", "If-Range": part.notes.validator}
    return headers


def _accept(response: httpx.Response, part: _Part, max_bytes: int) -> None:
    """Look at the head of an answer, and make the part ready for what follows.

    Raises:
        _Again: the answer is of no use, the next one may be.
        SourceError: no other try would help.
    """
    status = response.status_code
    if status in _NOT_THERE:
        raise NotThere(f"{part.url}: {status} {response.reason_phrase}")
    if status in (408, 425, 429) or status >= 500:
        raise _Again(f"{status} {response.reason_phrase}")
    if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        part.drop()
        raise _Again("what is there is of another file")
    if status not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        raise SourceError(f"{part.url}: {status} {response.reason_phrase}")
    if response.url.scheme != "https" and part.url.startswith("https:"):
        raise SourceError(f"{part.url} leads to {response.url.scheme}://{response.url.host}; only https is followed")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise SourceError(f"{part.url}: comes as {response.headers['Content-Encoding']}, which was not asked for")
    if status == httpx.codes.PARTIAL_CONTENT:
        _require_rest(response, part)
        return
    length = response.headers.get("Content-Length", "")
    size = int(length) if length.isdigit() else None
    if size is not None and size > max_bytes:
        raise SourceError(f"{part.url}: {size} bytes; at most {max_bytes} are fetched (MAX_FETCHED_BYTES)")
    part.begin(_validator(response), size)


def _require_rest(response: httpx.Response, part: _Part) -> None:
    """Refuse an answer that does not go on where the part ends, or is of a file of another size."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    sizes = {"*", str(part.notes.size)}
    if found is None or int(found[1]) != part.size or (part.notes.size is not None and found[2] not in sizes):
        part.drop()
        raise _Again("the server sent another part than the one asked for")


def _validator(response: httpx.Response) -> str | None:
    """Return what tells this version of a file from others; no weak ETag, which stands for equal meaning."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _write(response: httpx.Response, part: _Part, progress: Progress, max_bytes: int) -> None:
    there = part.size
    with part.path.open("ab") as file:
        for chunk in response.iter_raw():
            there += len(chunk)
            if there > max_bytes:
                part.drop()
                raise SourceError(f"{part.url}: more than {max_bytes} bytes (MAX_FETCHED_BYTES)")
            file.write(chunk)
            progress(there, part.notes.size)
