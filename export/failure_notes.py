"""Notes on networks that could not be exported, kept in the repository: see `paddlex_triton.failed_exports`."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from paddlex_triton import paths
from paddlex_triton.export.shared_folders import locked
from paddlex_triton.failed_exports import FILE_NAME, read_failures

# Characters of a reason: it is part of every answer of a pipeline that runs on another network.
MAX_REASON = 500
_WRITING = f".{FILE_NAME}.new"


def note_failure(repository: Path, name: str, reason: str) -> None:
    """Remember why a network could not be exported.

    Callers are told: this machine's folders are left out of it.

    Raises:
        OSError: the repository cannot be written.
    """
    text = reason
    # Those that others lie in come last.
    for folder in sorted(map(str, _own_folders(repository)), key=len, reverse=True):
        text = text.replace(f"{folder}{os.sep}", "")
    text = text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"
    _change(repository, lambda failures: failures | {name: text})


def _own_folders(repository: Path) -> list[Path]:
    """Return the folders of this machine that messages of an export may name."""
    named = [repository, paths.home(), Path.home(), Path(tempfile.gettempdir()), Path(sys.prefix), Path.cwd()]
    return [folder for each in named for folder in {each, each.resolve(), each.parent} if folder != folder.parent]


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
        # One name, under the lock: what a killed export leaves is written over.
        made = repository / _WRITING
        made.write_text(json.dumps(failures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        made.replace(repository / FILE_NAME)
