"""`parameters` of a configuration: strings, read as the C++ backend reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from paddlex_triton.server.backends.common.errors import LoadError

# How many networks that say so run at once, see `turns`; 0 for one that takes no turns.
TURNS_KEY = "take_turns"

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
# std::stoi reads a number at the start and ignores what follows: "4x" is 4.
_LEADING_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)")
_TRUE = frozenset({"true", "on", "1"})
_FALSE = frozenset({"false", "off", "0"})


def parameters_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters of a model configuration, as Triton gives it in JSON."""
    return {key: value.get("string_value", "") for key, value in (config.get("parameters") or {}).items()}


def parse_int(text: str) -> int:
    """Parse as C++'s `std::stoi` does: leading white space, sign, digits; the rest is ignored.

    Raises:
        LoadError: there is no number, or it does not fit 32 bits.
    """
    found = _LEADING_INTEGER.match(text)
    value = int(found[1]) if found else None
    if value is None or not _INT32_MIN <= value <= _INT32_MAX:
        raise LoadError(f"failed to convert '{text}' to integral number")
    return value


def parse_bool(text: str) -> bool:
    """Parse true/on/1 and false/off/0 in any case.

    Raises:
        LoadError: it is none of them.
    """
    lowered = text.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise LoadError(f"failed to convert '{text}' to boolean")


def parse_optional_bool(text: str | None) -> bool | None:
    """Parse as `parse_bool` does; None stays None."""
    return None if text is None else parse_bool(text)
