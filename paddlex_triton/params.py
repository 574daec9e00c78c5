"""Parameters of PaddleX's `predict()` methods: names, defaults, types and ranges.

One JSON object travels with a request to every module of an ensemble; each module validates it against the
schema of its pipeline. Defaults are those of PaddleX's pipeline files (PaddleX 3.7.2). `null` means the default.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from paddlex_triton.errors import InvalidParameter
from paddlex_triton.limits import MAX_DETECTION_SIDE, MAX_PARAMS_BYTES

# An int stays an int, so that results echo numbers as they were given.
Score = Annotated[int | float, Field(ge=0, le=1, allow_inf_nan=False)]
Side = Annotated[int, Field(ge=1, le=MAX_DETECTION_SIDE)]
UnclipRatio = Annotated[int | float, Field(gt=0, le=10, allow_inf_nan=False)]
LimitType = Literal["min", "max", "resize_long"]


class Params(BaseModel):
    """Base of a pipeline's parameters: strict types, no unknown names, `null` for the default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if value is not None or name not in cls.model_fields}
        return values


class DocPreprocessorParams(Params):
    """Page preparation, shared by the pipelines that read documents."""

    use_doc_orientation_classify: bool | None = Field(None, description="Turn the page upright first.")
    use_doc_unwarping: bool | None = Field(None, description="Flatten a curled page first.")
    return_preprocessed_img: bool = Field(False, description="Send the prepared page back with the result.")


class OCRParams(DocPreprocessorParams):
    """Parameters of the `OCR` pipeline."""

    use_textline_orientation: bool | None = Field(None, description="Turn upside-down text lines.")
    text_det_limit_side_len: Side = Field(64, description="Side limit of the detector's input, pixels.")
    text_det_limit_type: LimitType = Field(
        "min",
        description="Which side the limit is for: 'min' (at least), 'max' (at most), 'resize_long' (exactly).",
    )
    text_det_max_side_limit: Side = Field(4000, description="Longest side of the detector's input, pixels.")
    text_det_thresh: Score = Field(0.3, description="A pixel above this probability is text.")
    text_det_box_thresh: Score = Field(0.6, description="A box below this mean probability is dropped.")
    text_det_unclip_ratio: UnclipRatio = Field(1.5, description="How far boxes are grown.")
    text_rec_score_thresh: Score = Field(0.0, description="Lines below this score are dropped.")
    return_word_box: bool = Field(False, description="Also give a box per word.")


# A message names so many faults, and shows so much of a value.
_SHOWN_FAULTS = 5
_SHOWN_CHARACTERS = 60

P = TypeVar("P", bound=BaseModel)


def parse_params(raw: bytes | str | None, *schemas: type[P]) -> P:
    """Read the `params` tensor.

    Args:
        raw: UTF-8 JSON of one object; None or empty for all defaults.
        schemas: the pipelines the module serves; the object must fit one of them. The first is used for the
            message when none fits.

    Raises:
        InvalidParameter: names the parameter, what was given and what is allowed.
    """
    values = _load_object(raw)
    errors: list[ValidationError] = []
    for schema in schemas:
        try:
            return schema.model_validate(values)
        except ValidationError as error:
            errors.append(error)
    best = min(range(len(errors)), key=lambda index: errors[index].error_count())
    raise InvalidParameter(_explain(errors[best], schemas[best]))


def _load_object(raw: bytes | str | None) -> dict[str, Any]:
    if not raw:
        return {}
    if len(raw) > MAX_PARAMS_BYTES:
        raise InvalidParameter(f"params has {len(raw)} bytes; at most {MAX_PARAMS_BYTES} are allowed")
    try:
        values = json.loads(raw)
    except json.JSONDecodeError as error:
        raise InvalidParameter(f"params is not JSON: {error}") from None
    except UnicodeDecodeError:
        raise InvalidParameter("params is not JSON: it is not UTF-8") from None
    except RecursionError:
        raise InvalidParameter("params is not JSON that is read here: nested too deeply") from None
    except ValueError:
        raise InvalidParameter("params is not JSON that is read here: a number has too many digits") from None
    if not isinstance(values, dict):
        raise InvalidParameter(f"params must be one JSON object, got {type(values).__name__}")
    return values


def _explain(error: ValidationError, schema: type[BaseModel]) -> str:
    """The faults of one object in a line, each once, in the order of the object."""
    unknown: list[str] = []
    faults: dict[str, str] = {}
    for fault in error.errors(include_url=False):
        name = str(fault["loc"][0]) if fault["loc"] else "params"
        if fault["type"] == "extra_forbidden":
            unknown.append(_shorten(name))
            continue
        message = fault["msg"][:1].lower() + fault["msg"][1:]
        faults[name] = (
            f"{faults[name]} or {message}" if name in faults else f"{name} is {_shorten(fault['input'])}; {message}"
        )
    told = list(faults.values())
    if unknown:
        word = "unknown parameter" if len(unknown) == 1 else "unknown parameters"
        told.append(f"{word} {_first(unknown, ', ')}; allowed: {', '.join(schema.model_fields)}")
    return _first(told, "; ")


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def _first(texts: list[str], separator: str) -> str:
    more = len(texts) - _SHOWN_FAULTS
    return separator.join(texts[:_SHOWN_FAULTS]) + (f"{separator}and {more} more" if more > 0 else "")
