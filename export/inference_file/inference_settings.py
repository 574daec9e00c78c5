"""PaddleX's `inference.yml`: how a network's input is made and its output read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from paddlex_triton.export.errors import InferenceFileError
from paddlex_triton.export.inference_file import detector_section, keypoint_section
from paddlex_triton.export.inference_file.classifier_section import TOPK, ClassificationSettings, read_classification
from paddlex_triton.export.inference_file.detector_section import FAMILY_OF_ARCH, DetectionSettings, read_detection
from paddlex_triton.export.inference_file.hpi_section import DynamicShapes, read_dynamic_shapes
from paddlex_triton.export.inference_file.keypoint_section import KeypointSettings, read_keypoint
from paddlex_triton.export.inference_file.preprocess_section import read_normalization, read_operators
from paddlex_triton.network import Family

FILE_NAME = "inference.yml"

# The post-processing a family is known by.
FAMILY_OF_POSTPROCESS: dict[str, Family] = {"DBPostProcess": "db_detection", "CTCLabelDecode": "ctc_recognition"}

_QUOTIENT = re.compile(r"\s*([0-9.eE+-]+)\s*(?:/\s*([0-9.eE+-]+)\s*)?")


class Normalization(BaseModel):
    """`NormalizeImage`: (x * scale - mean) / std, one constant per channel in the order the channels are fed.

    The defaults are ImageNet's, as in PaddleX.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    scale: float = 1.0 / 255.0

    @field_validator("scale", mode="before")
    @classmethod
    def _read_quotient(cls, value: Any) -> Any:
        """Read a scale that is written as text, `1./255.`."""
        if not isinstance(value, str):
            return value
        found = _QUOTIENT.fullmatch(value)
        if found is None:
            raise ValueError(f"scale is {value!r}; allowed: a number or a quotient such as '1./255.'")
        divisor = float(found[2] or 1)
        if divisor == 0:
            raise ValueError(f"scale is {value!r}; a division by zero")
        return float(found[1]) / divisor

    @field_validator("std")
    @classmethod
    def _refuse_zero(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if 0.0 in value:
            raise ValueError(f"std is {list(value)}; a zero cannot be divided by")
        return value


class InferenceSettings(BaseModel):
    """An `inference.yml`, with the family's defaults where it says nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_name: str | None = None
    family: Family | None = None
    img_mode: Literal["BGR", "RGB"] = "BGR"
    normalization: Normalization = Normalization()
    image_shape: tuple[int, int, int] = Field(default=(3, 48, 320), description="recognition: C, H, W")
    postprocess: dict[str, Any] = Field(default_factory=dict, description="PostProcess, less lists")
    characters: tuple[str, ...] | None = Field(default=None, description="the dictionary, without blank and space")
    detection: DetectionSettings | None = Field(default=None, description="what PaddleDetection writes of a detector")
    keypoint: KeypointSettings | None = Field(default=None, description="what it writes of a keypoint network")
    classification: ClassificationSettings | None = Field(default=None, description="what PaddleClas writes")
    dynamic_shapes: DynamicShapes | None = Field(default=None, description="Hpi: shapes for TensorRT, [N,C,H,W]")


def read_inference_yml(path: Path) -> InferenceSettings:
    """Read a PaddleX `inference.yml`.

    Raises:
        InferenceFileError: the file cannot be read, or something in it is not as PaddleX writes it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InferenceFileError(f"{path} cannot be read: {error.strerror}") from error
    return parse_inference(load_sections(content, str(path)), str(path))


def load_sections(content: bytes, origin: str) -> dict[str, Any]:
    """Return the sections of an `inference.yml`, as they are written.

    Args:
        content: of the file.
        origin: what to call it in messages.

    Raises:
        InferenceFileError: it is not YAML, or not a mapping.
    """
    # The C loader reads a dictionary of 18,000 characters ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        sections = yaml.load(content, Loader=loader)
    except (yaml.YAMLError, UnicodeError) as error:
        raise InferenceFileError(f"{origin} is not YAML: {error}") from error
    if not isinstance(sections, dict):
        raise InferenceFileError(f"{origin} is not a mapping of sections (Global, PreProcess, PostProcess)")
    return sections


def parse_inference(content: dict[str, Any], origin: str) -> InferenceSettings:
    """Turn the content of an `inference.yml` into settings.

    Args:
        content: the file's sections.
        origin: what to call it in messages.

    Raises:
        InferenceFileError: a section is missing its form, or a value is not allowed.
    """
    postprocess = _section(content, "PostProcess", origin)
    transforms = _transforms(content, origin)
    characters = postprocess.get("character_dict")
    values: dict[str, Any] = {
        "model_name": _section(content, "Global", origin).get("model_name"),
        "family": FAMILY_OF_POSTPROCESS.get(str(postprocess.get("name"))),
        "img_mode": transforms.get("DecodeImage", {}).get("img_mode"),
        "normalization": transforms.get("NormalizeImage"),
        "image_shape": transforms.get("RecResizeImg", {}).get("image_shape"),
        "postprocess": {key: value for key, value in postprocess.items() if not isinstance(value, list)},
        "characters": _characters(characters, origin) if characters is not None else None,
        "dynamic_shapes": read_dynamic_shapes(content.get("Hpi"), origin),
    }
    if TOPK in postprocess:
        values |= _of_paddle_clas(transforms, postprocess, origin)
    if "Preprocess" in content:
        found = _of_paddle_detection(content, origin)
        values |= found | {"family": values["family"] or found["family"]}
    try:
        return InferenceSettings.model_validate({key: value for key, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InferenceFileError(f"{origin}: {where}: {first['msg']}") from error


def _of_paddle_clas(transforms: dict[str, dict[str, Any]], postprocess: dict[str, Any], origin: str) -> dict[str, Any]:
    """Read what a file with PaddleClas's `PostProcess.Topk` says, less what all files have in common."""
    return {
        "family": "image_classification",
        # PaddleX feeds these networks RGB.
        "img_mode": "RGB",
        "postprocess": {},
        "classification": read_classification(transforms, postprocess, origin),
    }


def _of_paddle_detection(content: dict[str, Any], origin: str) -> dict[str, Any]:
    """Read what a file with PaddleDetection's `Preprocess` says, less what all files have in common."""
    operators = read_operators(content["Preprocess"], origin)
    kinds = {" > ".join(module.OPERATORS): module for module in (detector_section, keypoint_section)}
    written = " > ".join(operators)
    if written not in kinds:
        raise InferenceFileError(
            f"{origin}: Preprocess is {written or 'empty'}; {' or '.join(kinds)} is what is served"
        )
    # PaddleX feeds these networks RGB.
    found: dict[str, Any] = {
        "img_mode": "RGB",
        "normalization": read_normalization(operators["NormalizeImage"], origin),
    }
    if kinds[written] is keypoint_section:
        return found | {"keypoint": read_keypoint(operators, origin), "family": "heatmap_keypoints"}
    family = FAMILY_OF_ARCH.get(str(content.get("arch")))
    return found | {"detection": read_detection(content, operators, origin), "family": family}


def _section(content: dict[str, Any], name: str, origin: str) -> dict[str, Any]:
    section = content.get(name) or {}
    if not isinstance(section, dict):
        raise InferenceFileError(f"{origin}: {name} is not a mapping")
    return section


def _transforms(content: dict[str, Any], origin: str) -> dict[str, dict[str, Any]]:
    """Read `PreProcess.transform_ops`: a list of one-entry mappings, an operator's name to its arguments."""
    listed = _section(content, "PreProcess", origin).get("transform_ops") or []
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise InferenceFileError(f"{origin}: PreProcess.transform_ops is not a list of operators")
    found: dict[str, dict[str, Any]] = {}
    for entry in listed:
        for name, arguments in entry.items():
            if not isinstance(arguments, dict) and arguments is not None:
                raise InferenceFileError(f"{origin}: the arguments of {name} are not a mapping")
            found[name] = {key: value for key, value in (arguments or {}).items() if value is not None}
    return found


def _characters(listed: Any, origin: str) -> tuple[str, ...]:
    if not isinstance(listed, list) or not listed:
        raise InferenceFileError(f"{origin}: PostProcess.character_dict is not a list of characters")
    for position, character in enumerate(listed):
        if not isinstance(character, str):
            raise InferenceFileError(
                f"{origin}: entry {position} of PostProcess.character_dict is {character!r}, not a string; "
                "YAML needs quotes around digits, yes, no and null"
            )
    return tuple(listed)
