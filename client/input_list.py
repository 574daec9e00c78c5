"""Lists of inputs: a file or the standard input, with one path or URL a line."""

from __future__ import annotations

import codecs
import os
import sys
from pathlib import Path

from paddlex_triton.client.exceptions import InputError

STANDARD_INPUT = "-"


def read_input_list(source: str) -> list[str]:
    """Read a list of inputs.

    Args:
        source: path of a file, or "-" for the standard input. Empty lines do not count; every other line is an input
            as it is, spaces included.

    Raises:
        InputError: it cannot be read, is no text, or names nothing.
    """
    name = "the standard input" if source == STANDARD_INPUT else source
    try:
        content = sys.stdin.buffer.read() if source == STANDARD_INPUT else Path(source).read_bytes()
    except OSError as error:
        raise InputError(f"the list of inputs cannot be read: {error.strerror or error}", source=name) from None
    if b"\0" in content:
        raise InputError("this is no list of inputs: text in UTF-8 is needed, one path or URL a line", source=name)
    lines = content.removeprefix(codecs.BOM_UTF8).split(b"\n")
    inputs = [os.fsdecode(line) for line in (line.removesuffix(b"\r") for line in lines) if line.strip()]
    if not inputs:
        raise InputError("the list of inputs is empty", source=name)
    return inputs
