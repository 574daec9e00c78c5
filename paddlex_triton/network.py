"""`network.json`: what is known about an exported network. Export writes it, modules and the client read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from paddlex_triton.limits import DEFAULT_CANDIDATES

FILE_NAME = "network.json"
# In an assembled module's folder: pipeline -> step -> `StandIn`, where its network is one.
STAND_INS_FILE = "stand_ins.json"

# What a network may be called: a folder, and a model in Triton.
NETWORK_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"

# Families share one graph contract: names, dtypes and shapes of inputs and outputs.
Family = Literal[
    "db_detection",
    "ctc_recognition",
    "dense_detection",
    "detr_detection",
    "nms_detection",
    "heatmap_keypoints",
    "image_classification",
    "image_unwarping",
]
FAMILY_OUTPUTS: dict[Family, tuple[str, ...]] = {
    "db_detection": ("prob",),
    "ctc_recognition": ("indices", "probs"),
    "dense_detection": ("boxes", "scores"),
    "detr_detection": ("rows",),
    "nms_detection": ("rows", "count"),
    "heatmap_keypoints": ("heatmaps",),
    "image_classification": ("probs",),
    "image_unwarping": ("unwarped",),
}


def split_names(text: str) -> tuple[str, ...]:
    """Networks for one step as they are written in a row, `A,B`: each once, the default one first; none if empty."""
    return tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))


class Provenance(BaseModel):
    """Where a network came from and how it was made."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(description="e.g. 'wheel:rapidocr-onnxruntime==1.4.4', 'official:bos/UVDoc' or 'dir:<folder>'")
    file: str = Field(description="name of the source file")
    source_sha256: str
    opset: int
    ir_version: int
    converters: dict[str, str] = Field(default_factory=dict, description="tool -> version")
    url: str | None = Field(default=None, description="where it was fetched from")
    url_sha256: str | None = Field(default=None, description="of what came from there")


class StandIn(BaseModel):
    """A network in the place of another one, which a pipeline would rather have.

    Attributes:
        name: the network's.
        instead_of: the other one's.
        reason: why it is not used, for people.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    instead_of: str
    reason: str


class OnCpu(BaseModel):
    """How the flavours for CPUs do with a network."""

    model_config = ConfigDict(extra="forbid")

    processor: str = Field(description="that it was measured on, see `processors.describe`")
    threads: int = Field(ge=1, description="of a run")
    milliseconds: dict[str, float] = Field(description="flavour -> of a usual run, see `export.engine_times`")
    refused: dict[str, str] = Field(
        default_factory=dict, description="flavour -> why it does not serve the network: its answers are not the same"
    )


class NetworkInfo(BaseModel):
    """One network: family, geometry, labels, provenance."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    name: str
    family: Family
    max_batch_size: int = Field(ge=0)
    sha256: str = Field(description="of 1/model.onnx as installed")
    geometry: dict[str, Any] = Field(
        default_factory=dict,
        description="ctc_recognition: image_shape [C,H,W]; object detection: target_size [H,W], interpolation (of "
        "OpenCV); heatmap_keypoints: target_size [H,W]; image_classification: target_size [H,W] and, where it is the "
        "middle of the image, resize_short; others: nothing. Modules are told max_sides [H,W] of a TensorRT plan "
        "too, and max_columns of a recogniser's run on a CPU",
    )
    postprocess: dict[str, Any] = Field(
        default_factory=dict,
        description="inference.yml's PostProcess, less lists; ctc_recognition: bidi, if lines run from right to left",
    )
    characters: list[str] | None = Field(
        default=None, description="ctc_recognition: one string per class, class 0 is the blank"
    )
    labels: list[str] | None = None
    dynamic_shapes: dict[str, list[list[int]]] | None = Field(
        default=None,
        description="inference.yml's shapes for TensorRT: input of the source -> least, usual and largest, [N,C,H,W]",
    )
    on_cpu: OnCpu | None = Field(default=None, description="measured at export, or by `paddlex-triton measure`")
    provenance: Provenance

    @property
    def max_candidates(self) -> int:
        """Contours that are looked at in a map of db_detection, PaddleX's number where inference.yml has none."""
        return int(self.postprocess.get("max_candidates", DEFAULT_CANDIDATES))

    @classmethod
    def load(cls, path: Path) -> NetworkInfo:
        """Read a network.json.

        Raises:
            OSError: the file cannot be read.
            pydantic.ValidationError: it is not a network.json of this format.
        """
        return cls.model_validate_json(path.read_bytes())


def load_stand_ins(folder: Path) -> dict[str, dict[str, StandIn]]:
    """Read which networks of an assembled module are in others' places: pipeline -> step -> which.

    Raises:
        OSError: the file is there and cannot be read.
        pydantic.ValidationError: it is not one that assembly writes.
    """
    file = folder / STAND_INS_FILE
    return TypeAdapter(dict[str, dict[str, StandIn]]).validate_json(file.read_bytes()) if file.is_file() else {}
