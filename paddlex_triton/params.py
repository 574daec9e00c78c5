"""Parameters of PaddleX's `predict()` methods: names, defaults, types and ranges.

One JSON object travels with a request to every module of an ensemble; each module validates it against the
schema of its pipeline. Defaults are those of PaddleX's pipeline files (PaddleX 3.7.2). `null` means the default.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from paddlex_triton.errors import InvalidParameter
from paddlex_triton.limits import MAX_CANDIDATES, MAX_DETECTION_SIDE, MAX_PARAMS_BYTES, MAX_RECOGNITION_BATCH
from paddlex_triton.network import NETWORK_NAME

# An int stays an int, so that results echo numbers as they were given.
Score = Annotated[int | float, Field(ge=0, le=1, allow_inf_nan=False)]
Side = Annotated[int, Field(ge=1, le=MAX_DETECTION_SIDE)]
UnclipRatio = Annotated[int | float, Field(gt=0, le=10, allow_inf_nan=False)]
RecognitionBatch = Annotated[int, Field(ge=1, le=MAX_RECOGNITION_BATCH)]
LimitType = Literal["min", "max", "resize_long"]
NetworkName = Annotated[str, Field(pattern=NETWORK_NAME)]
MergeMode = Literal["large", "small", "union"]
Padding = Literal["paddlex", "tight"]

# A step's network is chosen by a parameter `<step>_model_name`, as in PaddleOCR.
MODEL_NAME_SUFFIX = "_model_name"
# Key of `json_schema_extra`: what a parameter of several forms may be, in words.
ALLOWED = "allowed"


def _read_class_ids(value: Any) -> Any:
    """JSON's keys are strings: "16" is class 16.

    Raises:
        ValueError: a class is there twice, as a string and as a number.
    """
    if not isinstance(value, dict):
        return value
    read = {_read_class_id(key): item for key, item in value.items()}
    if len(read) != len(value):
        raise ValueError("a class is named twice")
    return read


def _read_class_id(key: Any) -> Any:
    canonical = isinstance(key, str) and key.isascii() and key.isdigit() and len(key) < 10 and str(int(key)) == key
    return int(key) if canonical else key


def _read_pair(value: Any) -> Any:
    """Python's pairs are tuples or lists, JSON's are lists."""
    return tuple(value) if isinstance(value, list) else value


# A class of the layout network, its place in the network's list of labels.
ClassId = Annotated[int, Field(ge=0)]
V = TypeVar("V")
ByClass = Annotated[dict[ClassId, V], BeforeValidator(_read_class_ids)]
# Of width and of height.
UnclipPair = Annotated[tuple[UnclipRatio, UnclipRatio], BeforeValidator(_read_pair)]


class Params(BaseModel):
    """Base of a pipeline's parameters: strict types, no unknown names, `null` for the default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if value is not None or name not in cls.model_fields}
        return values

    def network_for(self, step: str) -> str | None:
        """The network that the caller wants in a step's place, one of those that are loaded; None for the default one.

        Args:
            step: PaddleX's name for the step, as in `PipelineSpec.steps`.
        """
        return getattr(self, f"{step}{MODEL_NAME_SUFFIX}", None)


def _model_name(step: str) -> Any:
    return Field(
        None,
        description=f"Network for {step}, one of those that are loaded; by default the first of them.",
        json_schema_extra={ALLOWED: "the name of a network: letters, digits, '.', '_' and '-'"},
    )


def _padded_together(default: int) -> Any:
    return Field(
        default,
        description="Lines of like shape that are padded to the width of the widest of them, which their scores depend "
        "on a little. How many are read at once is the server's decision.",
    )


class PagePreparationParams(Params):
    """Turning and flattening pages; shared by the pipelines that read documents."""

    # Whether one switch that is off decides about the other one too, where that is not given.
    SWITCHES_DECIDE_TOGETHER: ClassVar[bool] = True

    use_doc_orientation_classify: bool | None = Field(None, description="Turn the page upright first.")
    use_doc_unwarping: bool | None = Field(None, description="Flatten a curled page first.")
    return_preprocessed_img: bool | None = Field(
        None, description="Send the prepared page back with the result; by default only if it was flattened."
    )
    doc_orientation_classify_model_name: NetworkName | None = _model_name("telling how a page is turned")
    doc_unwarping_model_name: NetworkName | None = _model_name("flattening pages")

    @property
    def leaves_pages_as_they_are(self) -> bool:
        """Whether both steps are off although only one was switched off: PaddleX then takes neither for wanted."""
        given = {self.use_doc_orientation_classify, self.use_doc_unwarping} - {None}
        return self.SWITCHES_DECIDE_TOGETHER and given == {False}


class TextDetectionParams(Params):
    """Finding lines of text on a page."""

    text_det_limit_side_len: Side = Field(64, description="Side limit of the detector's input, pixels.")
    text_det_limit_type: LimitType = Field(
        "min",
        description="Which side the limit is for: 'min' (at least), 'max' (at most), 'resize_long' (exactly).",
    )
    text_det_max_side_limit: Side = Field(4000, description="Longest side of the detector's input, pixels.")
    text_det_thresh: Score = Field(0.3, description="A pixel above this probability is text.")
    text_det_box_thresh: Score = Field(0.6, description="A box below this mean probability is dropped.")
    text_det_unclip_ratio: UnclipRatio = Field(1.5, description="How far boxes are grown.")
    text_detection_model_name: NetworkName | None = _model_name("finding lines")


class TextRecognitionParams(Params):
    """Reading lines."""

    text_recognition_batch_size: RecognitionBatch = _padded_together(6)
    text_recognition_padding: Padding = Field(
        "paddlex",
        description="How wide a line's input is. 'paddlex': as there, so that answers are PaddleX's. 'tight': as wide "
        "as the line, which costs less and reads some lines otherwise; text_recognition_batch_size then has no effect.",
    )
    text_recognition_model_name: NetworkName | None = _model_name("reading lines")

    @property
    @abstractmethod
    def rec_score_thresh(self) -> int | float:
        """Lines below this score are dropped; the pipelines have names of their own for it."""

    @property
    def wants_words(self) -> bool:
        """Whether words and their boxes are wanted too."""
        return False

    @property
    def lines_turned_together(self) -> int:
        """So many lines that follow each other are turned as the first of them lies."""
        return 1


class OCRParams(TextRecognitionParams, TextDetectionParams, PagePreparationParams):
    """Parameters of the `OCR` pipeline."""

    use_textline_orientation: bool | None = Field(None, description="Turn upside-down text lines.")
    textline_orientation_batch_size: Annotated[int, Field(ge=1, le=MAX_CANDIDATES)] = Field(
        6,
        description="Lines that are turned together, as the first of them lies: PaddleX looks at no other. With 1 "
        "every line is turned as it lies itself.",
    )
    text_rec_score_thresh: Score = Field(0.0, description="Lines below this score are dropped.")
    return_word_box: bool = Field(False, description="Also give a box per word.")
    textline_orientation_model_name: NetworkName | None = _model_name("telling upside-down lines")

    @property
    def rec_score_thresh(self) -> int | float:
        """Lines below this score are dropped."""
        return self.text_rec_score_thresh

    @property
    def wants_words(self) -> bool:
        """Whether words and their boxes are wanted too."""
        return self.return_word_box

    @property
    def lines_turned_together(self) -> int:
        """So many lines that follow each other are turned as the first of them lies."""
        return self.textline_orientation_batch_size


class LayoutDetectionParams(Params):
    """Finding regions on a page."""

    use_layout_detection: bool | None = Field(
        None, description="Find the seals on the page first; without, the whole page is one seal."
    )
    layout_threshold: Score | ByClass[Score] = Field(
        0.5,
        description="A region at or below this score is dropped; in an object, classes that it does not name keep 0.5.",
        json_schema_extra={ALLOWED: "a number from 0 to 1, or an object of class ids to such numbers"},
    )
    layout_nms: bool = Field(True, description="Of regions that overlap keep the best.")
    layout_unclip_ratio: UnclipRatio | UnclipPair | ByClass[UnclipRatio | UnclipPair] = Field(
        1.0,
        description="How far regions are grown around their centre.",
        json_schema_extra={
            ALLOWED: "a factor above 0 and up to 10, a pair of them for width and height, or an object of class ids "
            "to either"
        },
    )
    layout_merge_bboxes_mode: MergeMode | ByClass[MergeMode] = Field(
        "large",
        description="Of regions inside each other keep the outer ('large'), the inner ('small') or all ('union').",
        json_schema_extra={ALLOWED: "'large', 'small', 'union', or an object of class ids to these"},
    )
    layout_detection_model_name: NetworkName | None = _model_name("finding seals")


class SealTextDetectionParams(Params):
    """Finding the lines of seals."""

    seal_det_limit_side_len: Side = Field(736, description="Side limit of the detector's input, pixels.")
    seal_det_limit_type: LimitType = Field(
        "min",
        description="Which side the limit is for: 'min' (at least), 'max' (at most), 'resize_long' (exactly).",
    )
    seal_det_thresh: Score = Field(0.2, description="A pixel above this probability is text.")
    seal_det_box_thresh: Score = Field(0.6, description="A line below this mean probability is dropped.")
    seal_det_unclip_ratio: UnclipRatio = Field(0.5, description="How far outlines are grown.")
    seal_text_detection_model_name: NetworkName | None = _model_name("finding the lines of seals")


class SealRecognitionParams(
    TextRecognitionParams, SealTextDetectionParams, LayoutDetectionParams, PagePreparationParams
):
    """Parameters of the `seal_recognition` pipeline."""

    seal_rec_score_thresh: Score = Field(0, description="Lines below this score are dropped.")
    text_recognition_batch_size: RecognitionBatch = _padded_together(1)

    @property
    def rec_score_thresh(self) -> int | float:
        """Lines below this score are dropped."""
        return self.seal_rec_score_thresh


class HumanDetectionParams(Params):
    """Finding people on a picture."""

    det_threshold: Score | None = Field(
        None,
        description="A person at or below this score is dropped; without it, the detector's own threshold counts.",
        json_schema_extra={ALLOWED: "a number from 0 to 1"},
    )
    human_detection_model_name: NetworkName | None = _model_name("finding people")


class KeypointParams(HumanDetectionParams):
    """Parameters of the `human_keypoint_detection` pipeline."""

    keypoint_detection_model_name: NetworkName | None = _model_name("finding joints")


class DocPreprocessorParams(PagePreparationParams):
    """Parameters of the `doc_preprocessor` pipeline."""

    SWITCHES_DECIDE_TOGETHER: ClassVar[bool] = False


# A message names so many faults, and shows so much of a value.
_SHOWN_FAULTS = 5
SHOWN_CHARACTERS = 60

P = TypeVar("P", bound=BaseModel)


def parse_params(raw: bytes | str | None, schema: type[P]) -> P:
    """Read the `params` tensor.

    Args:
        raw: UTF-8 JSON of one object; None or empty for all defaults.
        schema: the pipeline's parameters.

    Raises:
        InvalidParameter: names the parameter, what was given and what is allowed.
    """
    values = _load_object(raw)
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise InvalidParameter(_explain(error, schema, values)) from None


def _load_object(raw: bytes | str | None) -> dict[str, Any]:
    if not raw:
        return {}
    if len(raw) > MAX_PARAMS_BYTES:
        raise InvalidParameter(f"params has {len(raw)} bytes; at most {MAX_PARAMS_BYTES} are allowed")
    try:
        values = json.loads(raw.decode("utf-8") if isinstance(raw, bytes) else raw)
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


def _explain(error: ValidationError, schema: type[BaseModel], values: Mapping[str, Any]) -> str:
    """The faults of one object in a line, each once, in the order of the object."""
    unknown: list[str] = []
    faults: dict[str, str] = {}
    for fault in error.errors(include_url=False):
        name = str(fault["loc"][0]) if fault["loc"] else "params"
        if fault["type"] == "extra_forbidden":
            unknown.append(shorten(name))
            continue
        if allowed := _allowed(schema, name):
            # Of a parameter with several forms every form has its complaint: one sentence says more.
            faults[name] = f"{name} is {shorten(values[name])}; allowed: {allowed}"
            continue
        message = fault["msg"][:1].lower() + fault["msg"][1:]
        faults[name] = (
            f"{faults[name]} or {message}" if name in faults else f"{name} is {shorten(fault['input'])}; {message}"
        )
    told = list(faults.values())
    if unknown:
        word = "unknown parameter" if len(unknown) == 1 else "unknown parameters"
        told.append(f"{word} {_first(unknown, ', ')}; allowed: {', '.join(schema.model_fields)}")
    return _first(told, "; ")


def _allowed(schema: type[BaseModel], name: str) -> str | None:
    """Say in words what a parameter of several forms may be; None for those of one form."""
    field = schema.model_fields.get(name)
    extra = field.json_schema_extra if field is not None else None
    return str(extra[ALLOWED]) if isinstance(extra, dict) and ALLOWED in extra else None


def shorten(value: Any) -> str:
    """A value as a message shows it."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def _first(texts: list[str], separator: str) -> str:
    more = len(texts) - _SHOWN_FAULTS
    return separator.join(texts[:_SHOWN_FAULTS]) + (f"{separator}and {more} more" if more > 0 else "")
