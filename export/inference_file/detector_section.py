"""The part of an `inference.yml` that PaddleDetection writes: how a detector's input is made, and its classes.

arch: GFL                       # or YOLO, PicoDet, DETR; may be missing
draw_threshold: 0.5
Preprocess:                     # these three, in this order
  - {type: Resize, target_size: [480, 480], keep_ratio: false, interp: 2}
  - {type: NormalizeImage, is_scale: true, norm_type: mean_std, mean: [...], std: [...]}
  - {type: Permute}
label_list: [image, table, seal]
NMS: {name: MultiClassNMS, score_threshold: 0.3, nms_threshold: 0.5, nms_top_k: 1000, keep_top_k: 100}

PaddleDetection writes the section NMS for PicoDet; for PP-YOLOE it is to be read from the graph.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from paddlex_triton.export.errors import InferenceFileError
from paddlex_triton.export.inference_file.preprocess_section import Operators, refuse_others
from paddlex_triton.limits import MAX_DETECTION_SIDE
from paddlex_triton.network import Family

# What the architecture of a detector says about its graph.
FAMILY_OF_ARCH: dict[str, Family] = {
    "GFL": "dense_detection",
    "PicoDet": "dense_detection",
    "YOLO": "dense_detection",
    "DETR": "detr_detection",
}

OPERATORS = ("Resize", "NormalizeImage", "Permute")

Side = Annotated[int, Field(ge=1, le=MAX_DETECTION_SIDE)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class NMSSettings(BaseModel):
    """Section `NMS`: how Paddle's multiclass_nms3 chooses boxes. Only its usual form is served."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["MultiClassNMS"] = "MultiClassNMS"
    score_threshold: Fraction
    nms_threshold: Fraction
    nms_top_k: Annotated[int, Field(ge=1)]
    keep_top_k: Annotated[int, Field(ge=1)]
    nms_eta: Literal[1] = 1
    normalized: Literal[True] = True
    background_label: Literal[-1] = -1

    @property
    def thresholds(self) -> dict[str, int | float]:
        """The four numbers that differ between networks."""
        return {
            "score_threshold": self.score_threshold,
            "nms_threshold": self.nms_threshold,
            "nms_top_k": self.nms_top_k,
            "keep_top_k": self.keep_top_k,
        }


class DetectionSettings(BaseModel):
    """A detector as an `inference.yml` describes it.

    Attributes:
        arch: the architecture, where it is said.
        target_size: the network's input, height and width, pixels. Pages are stretched to it.
        interpolation: OpenCV's number for it.
        labels: one per class.
        draw_threshold: PaddleX's threshold of scores where none is asked for.
        nms: how boxes are chosen, where it is said.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    arch: str | None = None
    target_size: tuple[Side, Side]
    interpolation: Literal[2] = 2
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    draw_threshold: Fraction = 0.5
    nms: NMSSettings | None = None


def read_detection(content: dict[str, Any], operators: Operators, origin: str) -> dict[str, Any]:
    """Read what an `inference.yml` says about a detector, the normalising left out.

    Args:
        content: the whole file.
        operators: its `Preprocess`, which is `OPERATORS`.
        origin: what to call it in messages.

    Returns:
        What to make `DetectionSettings` of.

    Raises:
        InferenceFileError: it asks for a preparation of pages that is not served.
    """
    resize = dict(operators["Resize"])
    if resize.pop("keep_ratio", False):
        raise InferenceFileError(f"{origin}: Resize.keep_ratio is true; only pages stretched to target_size are served")
    detection = {
        "arch": content.get("arch"),
        "target_size": resize.pop("target_size", None),
        "interpolation": resize.pop("interp", 2),
        "labels": content.get("label_list"),
        "draw_threshold": content.get("draw_threshold", 0.5),
        "nms": content.get("NMS"),
    }
    if detection["interpolation"] != 2:
        raise InferenceFileError(
            f"{origin}: Resize.interp is {detection['interpolation']!r}; 2 (cubic) is what is served"
        )
    refuse_others("Resize", resize, origin)
    return detection
