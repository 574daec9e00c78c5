"""The part of an `inference.yml` that PaddleClas writes: how a classifier's input is made, and its classes.

PreProcess:
  transform_ops:
    - ResizeImage: {resize_short: 256}        # and CropImage; or {size: [160, 80]}, width and height, without it
    - CropImage: {size: 224}
    - NormalizeImage: {mean: [...], std: [...], scale: 0.00392156862745098, order: '', channel_num: 3}
    - ToCHWImage: null
PostProcess:
  Topk: {topk: 1, label_list: ['0', '90', '180', '270']}

PaddleX does the four in this order, whatever the order they are written in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from paddlex_triton.export.errors import InferenceFileError
from paddlex_triton.export.inference_file.detector_section import Side
from paddlex_triton.export.inference_file.preprocess_section import Operators, refuse_others

# The section of `PostProcess` that the family is known by.
TOPK = "Topk"

_CROP = "CropImage"
_REQUIRED = ("ResizeImage", "NormalizeImage", "ToCHWImage")
# What PaddleX takes where CropImage gives no size.
_CROP_SIZE = 224


class ClassificationSettings(BaseModel):
    """A classifier as an `inference.yml` describes it.

    Attributes:
        size: the network's input, width and height, pixels.
        resize_short: length an image's shorter side is brought to before the input is cut from its middle; None where
            the image is stretched to `size`.
        labels: one per class.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: tuple[Side, Side]
    resize_short: Side | None = None
    labels: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def target_size(self) -> tuple[int, int]:
        """The network's input, height and width, pixels."""
        width, height = self.size
        return height, width


def read_classification(operators: Operators, postprocess: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Read what an `inference.yml` says about a classifier, the constants of the normalising left out.

    Args:
        operators: its `PreProcess.transform_ops`.
        postprocess: its `PostProcess`, which has a section `Topk`.
        origin: what to call the file in messages.

    Returns:
        What to make `ClassificationSettings` of.

    Raises:
        InferenceFileError: it asks for an input that is not served, or does not name the classes.
    """
    if not set(_REQUIRED) <= set(operators) <= {*_REQUIRED, _CROP}:
        raise InferenceFileError(
            f"{origin}: PreProcess is {' > '.join(operators) or 'empty'}; "
            f"{' > '.join(_REQUIRED)} with {_CROP} or without is what is served of a classifier"
        )
    _require_usual(operators, origin)
    return _read_sizes(operators, origin) | {"labels": _read_labels(postprocess, origin)}


def _read_sizes(operators: Operators, origin: str) -> dict[str, Any]:
    resize = operators["ResizeImage"]
    short, stretched = resize.get("resize_short"), resize.get("size")
    if (short is None) == (stretched is None):
        raise InferenceFileError(
            f"{origin}: ResizeImage has {'neither' if short is None else 'both'} resize_short and size; "
            "one of them is expected"
        )
    if short is None:
        if _CROP in operators:
            raise InferenceFileError(f"{origin}: {_CROP} after ResizeImage.size; only after resize_short is it served")
        return {"size": _pair(stretched)}
    if _CROP not in operators:
        raise InferenceFileError(
            f"{origin}: ResizeImage.resize_short without {_CROP}: images would come in sizes of their own"
        )
    size = _pair(operators[_CROP].get("size", _CROP_SIZE))
    if isinstance(short, int) and any(isinstance(side, int) and side > short for side in size):
        raise InferenceFileError(
            f"{origin}: {_CROP}.size is {list(size)}, more than the {short} of ResizeImage.resize_short"
        )
    return {"size": size, "resize_short": short}


def _pair(size: Any) -> Any:
    """Return width and height; one number stands for both."""
    return (size, size) if isinstance(size, int) else size


def _require_usual(operators: Operators, origin: str) -> None:
    """Refuse arguments that ask for more than is served."""
    usual = {
        "ResizeImage": {"interpolation": "LINEAR", "backend": "cv2"},
        "NormalizeImage": {"order": "", "channel_num": 3},
    }
    read = {"ResizeImage": ("resize_short", "size"), _CROP: ("size",), "NormalizeImage": ("mean", "std", "scale")}
    for name, arguments in operators.items():
        for argument, served in usual.get(name, {}).items():
            given = arguments.get(argument, served)
            if given != served:
                raise InferenceFileError(f"{origin}: {name}.{argument} is {given!r}; {served!r} is what is served")
        known = (*read.get(name, ()), *usual.get(name, {}))
        refuse_others(name, {key: value for key, value in arguments.items() if key not in known}, origin)


def _read_labels(postprocess: Mapping[str, Any], origin: str) -> tuple[str, ...]:
    others = [name for name in postprocess if name != TOPK]
    if others:
        raise InferenceFileError(f"{origin}: PostProcess has {', '.join(others)} besides {TOPK}, which is not served")
    arguments = postprocess[TOPK]
    listed = arguments.get("label_list") if isinstance(arguments, dict) else None
    if not isinstance(listed, list) or not listed:
        raise InferenceFileError(f"{origin}: PostProcess.{TOPK} has no label_list: the classes have no names")
    for position, label in enumerate(listed):
        # Degrees may be written as numbers; what YAML takes for yes, no or null was meant to be something else.
        if not isinstance(label, str | int) or isinstance(label, bool):
            raise InferenceFileError(
                f"{origin}: entry {position} of PostProcess.{TOPK}.label_list is {label!r}, not a string; "
                "YAML needs quotes around yes, no and null"
            )
    return tuple(str(label) for label in listed)
