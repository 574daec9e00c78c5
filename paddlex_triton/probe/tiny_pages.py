"""The tiny pages: small pictures on which every network of a pipeline has something to do.

A word in OpenCV's letters, `samples/seal_1.png` with 256 pixels a side, and `proof_pictures.person(2, 64, 64)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PAGES = Path(__file__).parent / "pages"
# The seal is given to its detector as large as it is.
_SMALL_SEAL = {"seal_det_limit_side_len": 256, "seal_det_limit_type": "max"}


@dataclass(frozen=True)
class TinyPage:
    """A page for one pipeline.

    Attributes:
        picture: its file.
        attempts: parameters to send it with: the next where nothing was found with those before, so that the networks
            behind a detector run whatever it was trained on.
        found: output whose first axis counts what was found; None where nothing is looked for.
    """

    picture: str
    attempts: tuple[Mapping[str, Any], ...] = ({},)
    found: str | None = None

    def read(self) -> bytes:
        """Return the picture as a file's bytes."""
        return (_PAGES / self.picture).read_bytes()


# By ensembles.
TINY_PAGES: dict[str, TinyPage] = {
    "ocr": TinyPage("text.png", ({}, {"text_det_thresh": 0.02, "text_det_box_thresh": 0.0}), "texts"),
    "seal_recognition": TinyPage(
        "seal.png",
        (
            _SMALL_SEAL,
            {**_SMALL_SEAL, "use_layout_detection": False, "seal_det_thresh": 0.02, "seal_det_box_thresh": 0.0},
        ),
        "texts",
    ),
    "human_keypoint_detection": TinyPage("person.png", ({"det_threshold": 0.1}, {"det_threshold": 0.0}), "keypoints"),
    "doc_preprocessor": TinyPage("text.png"),
}
