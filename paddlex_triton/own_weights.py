"""People's own weights in a folder: which of its files they are, and how `network.json` knows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from paddlex_triton.checksums import sha256_of, sha256_of_file

# Begins the source of own weights in network.json; behind it stands their folder's name.
LOCAL = "dir:"

ONNX_FILES = ("inference.onnx", "model.onnx")
# PaddlePaddle 3 writes the first, older versions the second. Where both are there the newer form is taken, as PaddleX
# does.
GRAPH_FILES = ("inference.json", "inference.pdmodel")
PARAMETERS_FILE = "inference.pdiparams"


class WeightsError(ValueError):
    """A folder does not hold the weights of one network; the message says what it holds."""


@dataclass(frozen=True)
class PaddleModel:
    """The two files of a PaddlePaddle model."""

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
        """Return one SHA-256 of both: what `sha256sum <graph> <parameters> | sha256sum` prints.

        Raises:
            OSError: a file cannot be read.
        """
        lines = [f"{sha256_of_file(path)}  {path.name}\n" for path in (self.graph, self.parameters)]
        return sha256_of("".join(lines).encode())


def find_paddle_model(folder: Path) -> PaddleModel | None:
    """Return the PaddlePaddle model in a folder, None where there is none or it is not whole."""
    graph = next((folder / name for name in GRAPH_FILES if (folder / name).is_file()), None)
    parameters = folder / PARAMETERS_FILE
    return PaddleModel(graph, parameters) if graph is not None and parameters.is_file() else None


def find_weights(folder: Path) -> Path | PaddleModel:
    """Return the ONNX file or the PaddlePaddle model that a folder holds.

    Where it holds both, the newer one is taken, the ONNX file where they are of the same age: whoever trains again into
    a folder means the weights of today, not a conversion of yesterday's.

    Raises:
        WeightsError: it is no folder, or holds no model or two ONNX files.
    """
    if not folder.is_dir():
        raise WeightsError(f"{folder} is not a folder")
    files = [folder / name for name in ONNX_FILES if (folder / name).is_file()]
    model = find_paddle_model(folder)
    if len(files) > 1:
        raise WeightsError(f"{folder} holds both {' and '.join(ONNX_FILES)}; keep the one to export")
    if files and (model is None or files[0].stat().st_mtime >= model.changed):
        return files[0]
    if model is not None:
        return model
    if (folder / PARAMETERS_FILE).is_file():
        raise WeightsError(
            f"{folder} holds {PARAMETERS_FILE} and neither {' nor '.join(GRAPH_FILES)}: half of a PaddlePaddle model"
        )
    raise WeightsError(
        f"{folder} holds no {' or '.join(ONNX_FILES)}, and no PaddlePaddle model ({' or '.join(GRAPH_FILES)} "
        f"with {PARAMETERS_FILE})"
    )


def weights_sha256(folder: Path) -> str:
    """Return the SHA-256 by which network.json knows the weights in a folder.

    Raises:
        WeightsError: see `find_weights`.
        OSError: a file cannot be read.
    """
    found = find_weights(folder)
    return found.sha256() if isinstance(found, PaddleModel) else sha256_of_file(found)
