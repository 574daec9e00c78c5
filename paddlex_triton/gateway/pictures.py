"""Pictures of answers: scaled and encoded as PaddleX's server does it."""

from __future__ import annotations

import base64
import io

import cv2
import numpy as np
from PIL import Image

# Most pixels of a side of a JPEG: libjpeg's bound. The picture of a page's text is twice as wide as the page.
_MAX_SIDE = 65_500


def scale_down(image: np.ndarray, largest: tuple[int, int] | None) -> np.ndarray:
    """Scale a picture that is larger than allowed.

    PaddleX compares the height with the first number and the width with the second, and scales with them the other way
    round: what comes out is within the bound where both are the same, as they are unless a file says otherwise.

    Args:
        image: UINT8 [H,W,3].
        largest: `Serving.extra.max_output_img_size`; None for no bound.
    """
    if largest is None:
        return image
    height, width = image.shape[:2]
    if width <= largest[1] and height <= largest[0]:
        return image
    wide = width / height > largest[0] / largest[1]
    factor = largest[0] / width if wide else largest[1] / height
    return cv2.resize(image, (max(1, int(factor * width)), max(1, int(factor * height))))


def encode(picture: Image.Image | np.ndarray, largest: tuple[int, int] | None, suffix: str = ".jpg") -> str:
    """Return a picture of a result in base64, scaled to what a JPEG can hold if there is no lower bound.

    Args:
        picture: of Pillow, or UINT8 [H,W,3] BGR.
        largest: see `scale_down`.
        suffix: of the format, as OpenCV takes it.
    """
    if isinstance(picture, Image.Image):
        picture = cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR)
    scaled = scale_down(scale_down(picture, largest), (_MAX_SIDE, _MAX_SIDE))
    return base64.b64encode(cv2.imencode(suffix, scaled)[1].tobytes()).decode("ascii")


def encode_skeletons(picture: Image.Image) -> str:
    """Return the picture of people in base64: Pillow's JPEG, in its own size, as PaddleX has it there alone."""
    with io.BytesIO() as file:
        picture.save(file, format="JPEG")
        return base64.b64encode(file.getvalue()).decode("ascii")
