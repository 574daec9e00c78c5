"""The `settings` output: each stage's JSON about one page, written by its module and read by the client.

A module answers `np.array([LayoutDetectionSettings(networks={...}, page_size=(w, h), ...).encode()], dtype=object)`;
`LayoutDetectionSettings.model_validate_json` reads it. Parameters stand there as they were used.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from paddlex_triton.params import ByClass, LimitType, MergeMode, Padding, Score, Side, UnclipPair, UnclipRatio
from paddlex_triton.version import __version__

# What `StageSettings.add_time` puts behind the settings.
_TIME = re.compile(rb', "milliseconds": [0-9.]+\}$')


class UsedNetwork(BaseModel, frozen=True):
    """A network that answered; the last two only if it stands in for another one."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: str
    sha256: str
    instead_of: str | None = None
    reason: str | None = None

    @model_serializer(mode="wrap")
    def _leave_out(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values = serialize(self)
        return {key: value for key, value in values.items() if value is not None or key not in ("instead_of", "reason")}


class StageSettings(BaseModel, frozen=True):
    """The settings that all stages tell: stage, product version, and the networks by the steps they took.

    Keys that are not known here are kept: a server may be newer than its clients. `milliseconds` is what the stage took
    for the page, waiting included; None from a server that does not tell.
    """

    model_config = ConfigDict(extra="allow", strict=True)

    stage: str
    version: str = __version__
    networks: dict[str, UsedNetwork]
    milliseconds: float | None = None

    def to_plain(self) -> dict[str, Any]:
        """Return the values as JSON has them: lists, and strings for keys; without the time, which is no setting."""
        plain = self.model_dump(mode="json", exclude={"milliseconds"})
        plain["networks"] = plain.pop("networks")
        return plain

    def encode(self) -> bytes:
        """Return the JSON, UTF-8."""
        return json.dumps(self.to_plain(), ensure_ascii=False).encode()

    @staticmethod
    def add_time(encoded: bytes, milliseconds: float) -> bytes:
        """Return what `encode` gave, with the time that the stage took."""
        return encoded[:-1] + b', "milliseconds": %.3f}' % milliseconds

    @staticmethod
    def drop_time(encoded: bytes) -> bytes:
        """Return what `add_time` was given: the same for the same page, however long it took."""
        return _TIME.sub(b"}", encoded)


class DocPreprocessorSettings(StageSettings, frozen=True):
    """Page preparation: which of its steps were used."""

    stage: Literal["doc_preprocessor"] = "doc_preprocessor"
    use_doc_orientation_classify: bool
    use_doc_unwarping: bool


class LayoutDetectionSettings(StageSettings, frozen=True):
    """Layout detection; `page_size` is width and height of the page, pixels."""

    stage: Literal["layout_detection"] = "layout_detection"
    use_layout_detection: bool
    page_size: tuple[int, int]
    threshold: Score | ByClass[Score]
    layout_nms: bool
    layout_unclip_ratio: UnclipRatio | UnclipPair | ByClass[UnclipRatio | UnclipPair]
    layout_merge_bboxes_mode: MergeMode | ByClass[MergeMode]


class LineDetectionSettings(StageSettings, frozen=True):
    """The settings that both detectors of text lines tell; all but `text_type` is PaddleX's `text_det_params`."""

    text_type: Literal["general", "seal"]
    limit_side_len: Side
    limit_type: LimitType
    thresh: Score
    max_side_limit: Side
    box_thresh: Score
    unclip_ratio: UnclipRatio


class TextDetectionSettings(LineDetectionSettings, frozen=True):
    """Detection of the lines of a page."""

    stage: Literal["text_detection"] = "text_detection"


class SealTextDetectionSettings(LineDetectionSettings, frozen=True):
    """Detection of the lines of seals."""

    stage: Literal["seal_text_detection"] = "seal_text_detection"


class TextRecognitionSettings(StageSettings, frozen=True):
    """Text recognition; `padding` is `text_recognition_padding`, which servers without a word of it have as PaddleX."""

    stage: Literal["text_recognition"] = "text_recognition"
    score_thresh: Score
    return_word_box: bool
    use_textline_orientation: bool
    padding: Padding = "paddlex"


class HumanDetectionSettings(StageSettings, frozen=True):
    """Human detection; `page_size` is width and height of the page, pixels."""

    stage: Literal["human_detection"] = "human_detection"
    page_size: tuple[int, int]
    threshold: Score


class KeypointDetectionSettings(StageSettings, frozen=True):
    """Keypoint detection, which has no parameters."""

    stage: Literal["keypoint_detection"] = "keypoint_detection"
