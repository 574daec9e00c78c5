"""A PaddlePaddle model in a folder: which files it is made of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddlex_triton.export.errors import ConversionError
from paddlex_triton.export.sources.base import sha256_of_file

# PaddlePaddle 3 writes the first, older versions the second. Where both are there the newer form is taken, as PaddleX
# does.
GRAPH_FILES = ("inference.json", "inference.pdmodel")
PARAMETERS_FILE = "inference.pdiparams"


@dataclass(frozen=True)
class PaddleModel:
    """The two files of a model."""

    graph: Path
    parameters: Path

    @property
    def is_pir(self) -> bool:
        """Whether the graph is PaddlePaddle 3's, in JSON."""
        return self.graph.suffix == ".json"

    @property
    def changed(self) -> float:
        """When the newer one of the files was written, seconds."""
        return max(self.graph.stat().st_mtime, self.parameters.stat().st_mtime)

    def sha256(self) -> str:
        """One SHA-256 of both: what `sha256sum <graph> <parameters> | sha256sum` prints.

        Raises:
            OSError: a file cannot be read.
        """
        lines = [f"{sha256_of_file(path)}  {path.name}\n" for path in (self.graph, self.parameters)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def read_program(self) -> Any:
        """The content of an `inference.json`.

        Raises:
            ConversionError: it is not one of PaddlePaddle's.
            OSError: it cannot be read.
        """
        try:
            program = json.loads(self.graph.read_bytes())
        except ValueError as error:
            raise ConversionError(f"{self.graph} is not JSON: {error}") from error
        code = program.get("base_code") if isinstance(program, dict) else None
        if not isinstance(code, dict) or code.get("magic") != "pir":
            raise ConversionError(f"{self.graph} is not a PaddlePaddle program (no base_code.magic 'pir')")
        return program


def operator_names(program: Any) -> set[str]:
    """PaddlePaddle's operators in an `inference.json`, those in branches too."""
    if isinstance(program, list):
        return {name for inner in program for name in operator_names(inner)}
    if not isinstance(program, dict):
        return set()
    found = operator_names(list(program.values()))
    dialect, _, name = str(program.get("#")).partition(".")
    # Types and attributes have a kind too, but operators alone have results. Dialect 1 is pd_op.
    return found | {name} if dialect == "1" and "O" in program else found


def find_model(folder: Path) -> PaddleModel | None:
    """The PaddlePaddle model in a folder, None where there is none or it is not whole."""
    graph = next((folder / name for name in GRAPH_FILES if (folder / name).is_file()), None)
    parameters = folder / PARAMETERS_FILE
    return PaddleModel(graph, parameters) if graph is not None and parameters.is_file() else None
