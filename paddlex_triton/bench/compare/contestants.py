"""Who is compared. A line more here is a contestant more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from paddlex_triton.flavours import flavours_for
from paddlex_triton.pipelines import ChoiceError, find_pipeline

OCR, SEALS, KEYPOINTS = PIPELINES = ("OCR", "seal_recognition", "human_keypoint_detection")
# Whom all others are divided by.
BASE = "paddlex"


@dataclass(frozen=True)
class Contestant:
    """One that reads pages.

    Attributes:
        name: as the command line names it.
        label: in reports.
        driver: script in `drivers`.
        requirements: file in `requirements` of its environment; None for the running one.
        pipelines: those that it has.
        options: told to its driver beside what all are told.
        params: parameters of this package's pipelines, beyond those that all get.
        networks: step -> network, where it runs no others.
        takes_callers: whether one process answers several callers at once.
        takes_threads: whether its driver can be told how many threads to use, which two of it side by side are.
    """

    name: str
    label: str
    driver: str
    requirements: str | None = None
    pipelines: tuple[str, ...] = PIPELINES
    options: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    takes_callers: bool = False
    takes_threads: bool = False

    @property
    def is_own(self) -> bool:
        """Whether it is this package."""
        return self.requirements is None


# Name, label, flavour, parameters. Those whose flavour or parameters this version does not have are left out.
_OWN: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("cpu", "paddlex-triton, ONNX Runtime", "cpu", {}),
    ("openvino", "paddlex-triton, OpenVINO", "openvino", {}),
    ("cpu-tight", "paddlex-triton, ONNX Runtime, tight padding", "cpu", {"text_recognition_padding": "tight"}),
    ("openvino-tight", "paddlex-triton, OpenVINO, tight padding", "openvino", {"text_recognition_padding": "tight"}),
)
_PEERS = (
    Contestant("paddlex", "PaddleX, ONNX Runtime", "paddlex_process.py", "paddlex.txt", takes_threads=True),
    Contestant(
        "paddlex-serve", "PaddleX's server, ONNX Runtime", "paddlex_server.py", "paddlex.txt", takes_callers=True
    ),
    Contestant(
        "rapidocr-onnxruntime",
        "RapidOCR 3, ONNX Runtime",
        "rapidocr_3.py",
        "rapidocr_3.txt",
        (OCR,),
        {"engine": "onnxruntime"},
        takes_threads=True,
    ),
    Contestant(
        "rapidocr-openvino",
        "RapidOCR 3, OpenVINO f32",
        "rapidocr_3.py",
        "rapidocr_3.txt",
        (OCR,),
        {"engine": "openvino"},
        takes_threads=True,
    ),
    Contestant(
        "rapidocr-5",
        "RapidOCR 5, its own engine, PP-OCRv6 small",
        "rapidocr_5.py",
        "rapidocr_5.txt",
        (OCR,),
        networks={"text_detection": "PP-OCRv6_small_det", "text_recognition": "PP-OCRv6_small_rec"},
    ),
)
# What all pipelines are asked for. OCR's detector sees pages at least so large, as in RapidOCR and in PaddleOCR.
PARAMS: dict[str, dict[str, Any]] = {
    OCR: {
        "use_doc_orientation_classify": False,
        "use_doc_unwarping": False,
        "use_textline_orientation": False,
        "text_det_limit_side_len": 736,
        "text_det_limit_type": "min",
    },
    SEALS: {"use_doc_orientation_classify": False, "use_doc_unwarping": False},
    KEYPOINTS: {},
}
# PaddleX's own weights where they can be had from a package index, and what can be where they cannot.
PRESETS = {OCR: "PP-OCRv4_mobile", SEALS: "offline", KEYPOINTS: "PP-TinyPose_128x96"}


def contestants_for(pipeline: str, names: list[str] | None = None) -> list[Contestant]:
    """Return who has a pipeline, this package first.

    Args:
        pipeline: PaddleX's name.
        names: those that are wanted; all if None.

    Raises:
        ChoiceError: there is no contestant of such a name.
    """
    known = [*_own_contestants(), *_PEERS]
    if unknown := sorted(set(names or ()) - {each.name for each in known}):
        raise ChoiceError(f"unknown contestant {', '.join(unknown)}; known: {', '.join(each.name for each in known)}")
    fields = find_pipeline(pipeline).params.model_fields
    return [
        each
        for each in known
        if pipeline in each.pipelines and set(each.params) <= set(fields) and (names is None or each.name in names)
    ]


def _own_contestants() -> list[Contestant]:
    flavours = {flavour.name for flavour in flavours_for("cpu")}
    table = [
        *_OWN,
        *((name, f"paddlex-triton, {name}", name, {}) for name in sorted(flavours - {row[2] for row in _OWN})),
    ]
    return [
        Contestant(name, label, "own_server.py", options={"flavour": flavour}, params=params, takes_callers=True)
        for name, label, flavour, params in table
        if flavour in flavours
    ]
