"""Notes on networks that could not be exported, kept in the repository: see `paddlex_triton.failed_exports`."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from paddlex_triton.export.locks import locked
from paddlex_triton.failed_exports import FILE_NAME, read_failures

# Characters of a reason: it is part of every answer of a pipeline that runs on another network.
MAX_REASON = 500
# The folders of an absolute path; what follows them is its last part.
_FOLDERS = re.compile(r"(?<![\w./:])/(?:[^\s/:]+/)+")


def note_failure(repository: Path, name: str, reason: str) -> None:
    """Remember why a network could not be exported. Callers are told: folders of this machine are left out of it.

    Raises:
        OSError: the repository cannot be written.
    """
    text = _FOLDERS.sub("", reason)
    text = text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"
    _change(repository, lambda failures: failures | {name: text})


def forget_failure(repository: Path, name: str) -> None:
    """Drop the note on a network: it is exported now.

    Raises:
        OSError: the repository cannot be written.
    """
    if name in read_failures(repository):
        _change(repository, lambda failures: {other: why for other, why in failures.items() if other != name})


def _change(repository: Path, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Write all notes anew, in one step."""
    repository.mkdir(parents=True, exist_ok=True)
    with locked(repository):
        failures = change(read_failures(repository))
        if not failures:
            (repository / FILE_NAME).unlink(missing_ok=True)
            return
        handle, made = tempfile.mkstemp(prefix=f".{FILE_NAME}-", dir=repository)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(failures, file, indent=1, ensure_ascii=False)
            Path(made).replace(repository / FILE_NAME)
        except BaseException:
            Path(made).unlink(missing_ok=True)
            raise
