"""One mapping of a pipeline file: what is read from it, and what is left over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paddlex_triton.params import SHOWN_CHARACTERS, shorten
from paddlex_triton.pipeline_file.model import PipelineFileError

_NOTHING: Any = object()


class Section:
    """A mapping; knows where it stands in the file, and which of its keys were asked for."""

    def __init__(self, values: Mapping[Any, Any], origin: str, remarks: list[str], path: tuple[str, ...] = ()) -> None:
        """Look into a mapping.

        Args:
            values: its keys and values.
            origin: what to call the file in messages.
            remarks: where remarks go, shared by all sections of a file.
            path: the keys that lead to it.

        Raises:
            PipelineFileError: a key is no text.
        """
        self._values, self._origin, self._remarks, self._path = values, origin, remarks, path
        self._asked: set[str] = set()
        for key in values:
            if not isinstance(key, str):
                inside = f" in {'.'.join(path)}" if path else ""
                raise PipelineFileError(f"{origin}: the key {shorten(key)}{inside} is no text")

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def where(self, key: str) -> str:
        """Return the dotted path of a key, on one line."""
        return ".".join((*self._path, key if key.isprintable() and len(key) <= SHOWN_CHARACTERS else shorten(key)))

    def get(self, key: str, fallback: Any = _NOTHING) -> Any:
        """Read a value; where the key is missing, the fallback.

        Raises:
            PipelineFileError: the key is missing and has no fallback, or its value is null.
        """
        value = self.get_optional(key, fallback)
        if value is _NOTHING:
            raise PipelineFileError(f"{self._origin}: {self.where(key)} is missing")
        if value is None:
            raise self.refusal(key, "a value; null is not")
        return value

    def get_optional(self, key: str, fallback: Any = None) -> Any:
        """Read a value, null included; where the key is missing, the fallback."""
        self._asked.add(key)
        return self._values.get(key, fallback)

    def flag(self, key: str, fallback: bool) -> bool:
        """Read True or False.

        Raises:
            PipelineFileError: it is neither.
        """
        value = self.get_optional(key, fallback)
        if not isinstance(value, bool):
            raise self.refusal(key, "True or False")
        return value

    def text(self, key: str) -> str:
        """Read a text that must be there.

        Raises:
            PipelineFileError: it is missing, or no text.
        """
        value = self.get(key)
        if not isinstance(value, str) or not value:
            raise self.refusal(key, "a text")
        return value

    def section(self, key: str, needed_by: str | None = None) -> Section:
        """Read a mapping inside this one; an empty one if it is missing.

        Args:
            key: its name.
            needed_by: why it must be there.

        Raises:
            PipelineFileError: it is missing although it must be there, or no mapping.
        """
        value = self.get_optional(key)
        if value is None and needed_by is not None:
            raise PipelineFileError(f"{self._origin}: {self.where(key)} is missing; {needed_by}")
        if not isinstance(value, Mapping | None):
            raise self.refusal(key, "a section with keys of its own")
        return Section(value or {}, self._origin, self._remarks, (*self._path, key))

    def skip(self, *keys: str) -> None:
        """Leave keys alone that are not looked at in this file, without a word."""
        self._asked.update(keys)

    def ignore(self, key: str, why: str, *harmless: Any) -> None:
        """Remark on a key that has no meaning here, unless it is missing or says what goes without saying.

        Args:
            key: which one.
            why: the end of a sentence, after the key and its value.
            harmless: values that need no remark, beside null and False.
        """
        value = self.get_optional(key)
        if value is not None and value is not False and value not in harmless:
            self.remark(key, why)

    def only(self, key: str, allowed: Any, why: str) -> None:
        """Refuse a key that would change answers, unless it is missing, null or has the one value allowed."""
        value = self.get_optional(key)
        if value is not None and value != allowed:
            raise self.refusal(key, f"{allowed!r}; {why}")

    def remark(self, key: str, why: str) -> None:
        """Say something about a key that is there, or is missing."""
        value = shorten(self._values[key]) if key in self._values else "missing"
        self._remarks.append(f"{self._origin}: {self.where(key)} is {value}: {why}")

    def refusal(self, key: str, allowed: str) -> PipelineFileError:
        """Make the error for a value that cannot be honoured."""
        return self.fault(key, f"is {shorten(self._values.get(key))}; allowed: {allowed}")

    def fault(self, key: str, text: str) -> PipelineFileError:
        """Make an error about a key."""
        return PipelineFileError(f"{self._origin}: {self.where(key)} {text}")

    def close(self) -> None:
        """Remark on the keys that nobody asked for."""
        for key in self._values:
            if key not in self._asked:
                self.remark(key, "not a key that PaddleX reads there; ignored")
