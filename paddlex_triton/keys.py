"""Files with keys, one a line. What they hold is in no message."""

from __future__ import annotations

from pathlib import Path

# Characters of a key, so that none is guessed.
MIN_KEY_CHARACTERS = 16


class KeyFileError(ValueError):
    """A file with keys cannot be used."""


def read_keys(path: Path) -> frozenset[str]:
    """Read keys, one a line; empty lines and those that begin with # do not count.

    Args:
        path: the file, UTF-8.

    Raises:
        KeyFileError: it cannot be read, holds no key, or one that is short.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeyFileError(f"{path} is not UTF-8 text") from None
    lines = (line.strip() for line in text.splitlines())
    keys = frozenset(line for line in lines if line and not line.startswith("#"))
    if not keys:
        raise KeyFileError(f"{path} holds no key; keys stand one a line")
    if (shortest := min(map(len, keys))) < MIN_KEY_CHARACTERS:
        raise KeyFileError(f"{path}: a key has {shortest} characters; at least {MIN_KEY_CHARACTERS} are needed")
    return keys
