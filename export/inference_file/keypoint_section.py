"""The part of an `inference.yml` that PaddleDetection writes: how a keypoint network's input is made.

arch: HRNet                     # what TinyPose is to PaddleDetection; may be missing, and is not looked at
Preprocess:                     # these three, in this order
  - {type: TopDownEvalAffine, trainsize: [96, 128]}    # width and height
  - {type: NormalizeImage, is_scale: true, mean: [...], std: [...]}
  - {type: Permute}
label_list: [keypoint]          # no names of joints: they are COCO's
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from paddlex_triton.export.errors import InferenceFileError
from paddlex_triton.export.inference_file.detector_section import Side
from paddlex_triton.export.inference_file.preprocess_section import Operators, refuse_others

OPERATORS = ("TopDownEvalAffine", "NormalizeImage", "Permute")


class KeypointSettings(BaseModel):
    """A keypoint network as an `inference.yml` describes it.

    Attributes:
        trainsize: the network's input, width and height, pixels. People are cut out at its aspect.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trainsize: tuple[Side, Side]

    @property
    def target_size(self) -> tuple[int, int]:
        """The network's input, height and width, pixels."""
        width, height = self.trainsize
        return height, width


def read_keypoint(operators: Operators, origin: str) -> dict[str, Any]:
    """Read what an `inference.yml` says about a keypoint network, the normalising left out.

    Args:
        operators: its `Preprocess`, which is `OPERATORS`.
        origin: what to call the file in messages.

    Returns:
        What to make `KeypointSettings` of.

    Raises:
        InferenceFileError: it asks for a cut-out that is not served.
    """
    affine = dict(operators["TopDownEvalAffine"])
    if affine.pop("use_udp", False):
        raise InferenceFileError(
            f"{origin}: TopDownEvalAffine.use_udp is true; only PaddleX's usual cut-out, without it, is served"
        )
    keypoint = {"trainsize": affine.pop("trainsize", None)}
    refuse_others("TopDownEvalAffine", affine, origin)
    return keypoint
