"""Results as JSON Lines: one file for any number of pages, which a run that was killed goes on with."""

from __future__ import annotations

import errno
import hashlib
import json
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

from paddlex_triton.client.exceptions import InvalidParameterError, PaddleXTritonError
from paddlex_triton.client.results import BaseResult
from paddlex_triton.client.wording import without_secrets

SUFFIX = ".jsonl"
# Of a page among those that were seen: two of a billion are mixed up once in some 10^10 runs.
_DIGEST_BYTES = 12
# How every line begins.
_START = b'{"input_path": '


class SeenPages:
    """Remembers pages by path and index, in some 100 bytes each.

    Attributes:
        skipped: how many were asked for that had been seen.
    """

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        self.skipped = 0

    def add(self, input_path: str, page_index: int | None) -> bool:
        """Remember a page; tell whether it is new."""
        content = f"{page_index} {input_path}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
        is_new = digest not in self._digests
        self._digests.add(digest)
        return is_new

    def skip(self, input_path: str, page_index: int | None) -> bool:
        """Tell whether a page was seen before, and remember it."""
        is_new = self.add(input_path, page_index)
        self.skipped += not is_new
        return not is_new


class JsonLines:
    """A file of results, one a line, written whole; and one of failures beside it, of this run alone.

    Attributes:
        path: of the results.
        failures_path: of the failures; there is such a file only if something failed.
        seen: the pages whose results are in the file.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        """Open the file, for this process alone; make it and its folder if missing.

        Args:
            path: of the file.
            resume: whether results may be in it already. What was written of a line when a run was killed is cut off.

        Raises:
            InvalidParameterError: it holds results and `resume` is False; or it holds something else, or another
                process writes to it.
            OSError: it cannot be opened.
        """
        self.path = path
        self.failures_path = path.with_name(f"{path.stem}.failures{SUFFIX}")
        self.seen = SeenPages()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._failures: FileIO | None = None
        try:
            _lock(self._file, path)
            self._end = path.stat().st_size
            if self._end and not resume:
                raise InvalidParameterError(
                    f"{path} holds results already; --resume goes on with it, and another name starts anew"
                )
            self._end = self._read()
            self._file.truncate(self._end)
            self.failures_path.unlink(missing_ok=True)
        except BaseException:
            self._file.close()
            raise

    def write(self, result: BaseResult) -> None:
        """Add a result.

        Raises:
            OSError: the disk is full; nothing of the line is left.
        """
        page = result.page
        line = _line({"input_path": page.input_path, "page_index": page.page_index, **result.json["res"]})
        try:
            _write(self._file, line)
        except OSError:
            # A run that goes on would cut it off as well.
            with suppress(OSError):
                self._file.truncate(self._end)
            raise
        self._end += len(line)

    def fail(self, error: PaddleXTritonError) -> None:
        """Add a page or an input that has no result.

        Raises:
            OSError: the disk is full.
        """
        if self._failures is None:
            self._failures = self.failures_path.open("wb", buffering=0)
        failure = {
            "source": error.source and without_secrets(error.source),
            "error": type(error).__name__,
            "message": without_secrets(error.message),
            "request_id": error.request_id,
        }
        _write(self._failures, _line(failure))

    def close(self) -> None:
        """Close the files. Safe to call more than once."""
        self._file.close()
        if self._failures is not None:
            self._failures.close()

    def _read(self) -> int:
        """Note whose results are there; return how many bytes are whole lines."""
        end = 0
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    # Nothing but our own is ever cut off.
                    if line.startswith(_START) or _START.startswith(line):
                        break
                    raise self._not_a_result(number)
                end += len(line)
                try:
                    result = json.loads(line)
                    input_path, page_index = result["input_path"], result["page_index"]
                except (ValueError, LookupError, TypeError, RecursionError):
                    raise self._not_a_result(number) from None
                # Data URIs have no path.
                if isinstance(input_path, str):
                    self.seen.add(input_path, page_index)
        return end

    def _not_a_result(self, number: int) -> InvalidParameterError:
        return InvalidParameterError(
            f"line {number} of {self.path} is no result of a run with {SUFFIX}; nothing is changed"
        )


def _line(content: dict[str, Any]) -> bytes:
    # What is no UTF-8 in a path becomes JSON's own escapes.
    return (json.dumps(content, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _write(file: FileIO, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[file.write(rest) :]


def _lock(file: FileIO, path: Path) -> None:
    """Keep other processes out for as long as the file is open, where the system knows how."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise InvalidParameterError(f"{path}: another process is writing its results there") from None
