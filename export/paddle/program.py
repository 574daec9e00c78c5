"""The program of a PaddlePaddle 3 model, `inference.json`, and the operators in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from paddlex_triton.export.errors import ConversionError


def read_program(graph: Path) -> Any:
    """Read an `inference.json`.

    Raises:
        ConversionError: it is not one of PaddlePaddle's.
        OSError: it cannot be read.
    """
    try:
        program = json.loads(graph.read_bytes())
    except ValueError as error:
        raise ConversionError(f"{graph} is not JSON: {error}") from error
    code = program.get("base_code") if isinstance(program, dict) else None
    if not isinstance(code, dict) or code.get("magic") != "pir":
        raise ConversionError(f"{graph} is not a PaddlePaddle program (no base_code.magic 'pir')")
    return program


def operator_names(program: Any) -> set[str]:
    """Return the names of the operators in a program, those in branches too."""
    if isinstance(program, list):
        return {name for inner in program for name in operator_names(inner)}
    if not isinstance(program, dict):
        return set()
    found = operator_names(list(program.values()))
    dialect, _, name = str(program.get("#")).partition(".")
    # Types and attributes have a kind too, but operators alone have results. Dialect 1 is pd_op.
    return found | {name} if dialect == "1" and "O" in program else found
