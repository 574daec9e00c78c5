"""Pipeline files of PaddleX 3: `SubModules` and `SubPipelines`.

Missing keys have the values that PaddleX 3.7.2's code falls back on, which are not always those of its own files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paddlex_triton.pipeline_file.draft import SERVERS_BATCHES, Draft, ignore_engine
from paddlex_triton.pipeline_file.section import Section

# Keys of a text detector -> what PaddleX takes where they are missing, for upright text and for seals.
DETECTION = {
    "limit_side_len": (960, 736),
    "limit_type": ("max", "min"),
    "thresh": (0.3, 0.2),
    "box_thresh": (0.6, 0.6),
    "unclip_ratio": (2.0, 0.5),
}
MAX_SIDE = 4000
# No class is named: regions stay as they are.
_NOT_GROWN: dict[int, float] = {}
_NO_INPUT_SHAPE = "networks take the sizes that they were made for"


def read_version3(root: Section, draft: Draft) -> None:
    """Read a file of the pipeline that the draft is for.

    Args:
        root: the whole file.
        draft: where it is noted.

    Raises:
        PipelineFileError: it says what cannot be honoured.
    """
    ignore_engine(root)
    _READERS[draft.spec.name](root, draft)


def _ocr(root: Section, draft: Draft) -> None:
    _text_type(root, "general")
    pipelines, modules = root.section("SubPipelines"), root.section("SubModules")
    _page_preparation(root, pipelines, draft)
    if draft.switch("textline_orientation", root.flag("use_textline_orientation", True)):
        module = modules.section("TextLineOrientation", _needed("use_textline_orientation"))
        draft.network(module, "textline_orientation", "textline_orientation")
        draft.param(module, "batch_size", "textline_orientation_batch_size", 1)
        module.close()
    else:
        modules.skip("TextLineOrientation")
    detector = _text_detector(modules, draft, "text_detection", "text_det_", seal=False)
    draft.param(detector, "max_side_limit", "text_det_max_side_limit", MAX_SIDE)
    detector.close()
    reader = _text_recogniser(modules, draft)
    draft.param(reader, "score_thresh", "text_rec_score_thresh", 0)
    draft.param(reader, "return_word_box", "return_word_box", False)
    reader.close()
    _pages_together(root, draft)
    pipelines.close()
    modules.close()


def _seal_recognition(root: Section, draft: Draft) -> None:
    pipelines, modules = root.section("SubPipelines"), root.section("SubModules")
    _page_preparation(root, pipelines, draft)
    if draft.switch("layout_detection", root.flag("use_layout_detection", True)):
        _layout_detection(modules.section("LayoutDetection", _needed("use_layout_detection")), draft)
    else:
        modules.skip("LayoutDetection")
    _seal_ocr(pipelines.section("SealOCR", "the pipeline cannot do without it"), draft)
    root.ignore("batch_size", SERVERS_BATCHES, 1)
    pipelines.close()
    modules.close()


def _layout_detection(module: Section, draft: Draft) -> None:
    draft.network(module, "layout_detection", "layout_detection")
    # The networks of PaddleX's have 0.5 in their own files.
    draft.optional_param(module, "threshold", "layout_threshold", 0.5)
    if "threshold" not in module and "model_dir" in module:
        module.remark("threshold", "PaddleX goes by the draw_threshold in the folder's inference.yml, here it is 0.5")
    draft.optional_param(module, "layout_nms", "layout_nms", False)
    draft.optional_param(module, "layout_unclip_ratio", "layout_unclip_ratio", _NOT_GROWN)
    draft.optional_param(module, "layout_merge_bboxes_mode", "layout_merge_bboxes_mode", "union")
    _no_image_size(module)
    module.ignore("batch_size", SERVERS_BATCHES, 1)
    module.close()


def _seal_ocr(pipeline: Section, draft: Draft) -> None:
    _sub_pipeline(pipeline, "OCR")
    _text_type(pipeline, "seal")
    for key in ("use_doc_preprocessor", "use_textline_orientation"):
        if pipeline.flag(key, True):
            raise pipeline.fault(key, "is True, as it also is where it is missing; allowed: False for seals")
    pipeline.section("SubPipelines").skip("DocPreprocessor")
    modules = pipeline.section("SubModules")
    modules.skip("TextLineOrientation")
    detector = _text_detector(modules, draft, "seal_text_detection", "seal_det_", seal=True)
    detector.only("max_side_limit", MAX_SIDE, "PaddleX's calls for seals have no parameter for it")
    detector.close()
    reader = _text_recogniser(modules, draft)
    draft.param(reader, "score_thresh", "seal_rec_score_thresh", 0)
    reader.only("return_word_box", False, "seals are read without the places of their words")
    reader.close()
    pipeline.ignore("batch_size", SERVERS_BATCHES, 1)
    ignore_engine(pipeline)
    modules.close()
    pipeline.close()


def _human_keypoint_detection(root: Section, draft: Draft) -> None:
    modules = root.section("SubModules")
    detector = modules.section("ObjectDetection", "the pipeline cannot do without it")
    draft.network(detector, "human_detection", "object_detection")
    draft.optional_param(detector, "threshold", "det_threshold")
    _no_image_size(detector)
    detector.only("imgsz", None, _NO_INPUT_SHAPE)
    finder = modules.section("KeypointDetection", "the pipeline cannot do without it")
    draft.network(finder, "keypoint_detection", "keypoint_detection")
    finder.only("flip", False, "joints are looked for in the picture alone, not in its mirror image too")
    finder.only("use_udp", None, "the network's own file decides how crops are made")
    for module in (detector, finder):
        module.ignore("batch_size", SERVERS_BATCHES, 1)
        module.close()
    root.ignore("batch_size", SERVERS_BATCHES, 1)
    modules.close()


_READERS: dict[str, Callable[[Section, Draft], None]] = {
    "OCR": _ocr,
    "seal_recognition": _seal_recognition,
    "human_keypoint_detection": _human_keypoint_detection,
}


def _page_preparation(root: Section, pipelines: Section, draft: Draft) -> None:
    if not root.flag("use_doc_preprocessor", True):
        pipelines.skip("DocPreprocessor")
        for step in ("doc_orientation_classify", "doc_unwarping"):
            draft.switch(step, False)
        return
    preparation = pipelines.section("DocPreprocessor", _needed("use_doc_preprocessor"))
    _sub_pipeline(preparation, "doc_preprocessor")
    modules = preparation.section("SubModules")
    steps = [
        ("doc_orientation_classify", "DocOrientationClassify", "doc_text_orientation"),
        ("doc_unwarping", "DocUnwarping", "image_unwarping"),
    ]
    for step, key, module_name in steps:
        switch = str(draft.spec.steps[step].switch)
        if not draft.switch(step, preparation.flag(switch, True)):
            modules.skip(key)
            continue
        module = modules.section(key, _needed(preparation.where(switch)))
        draft.network(module, step, module_name)
        module.ignore("batch_size", SERVERS_BATCHES, 1)
        module.close()
    if not any(draft.params[str(draft.spec.steps[step].switch)] for step, _, _ in steps):
        root.remark("use_doc_preprocessor", "both of its steps are off, so results say that it is off")
    preparation.ignore("batch_size", SERVERS_BATCHES, 1)
    ignore_engine(preparation)
    modules.close()
    preparation.close()


def _text_detector(modules: Section, draft: Draft, step: str, prefix: str, *, seal: bool) -> Section:
    """Read the detector's section, of which all is read but `max_side_limit`."""
    module = modules.section("TextDetection", "the pipeline cannot do without it")
    draft.network(module, step, step)
    for key, fallbacks in DETECTION.items():
        value = module.get_optional(key, fallbacks[seal])
        if value is None or _is_zero(value):
            raise module.refusal(key, "a value; by null and 0 PaddleX goes by what the network's own file says")
        draft.param(module, key, f"{prefix}{key}", fallbacks[seal])
    module.only("input_shape", None, _NO_INPUT_SHAPE)
    module.ignore("max_side_len", "PaddleX reads it nowhere, its name for the limit is max_side_limit; ignored")
    module.ignore("batch_size", SERVERS_BATCHES, 1)
    return module


def _text_recogniser(modules: Section, draft: Draft) -> Section:
    """Read the recogniser's section, of which all is read but `score_thresh` and `return_word_box`."""
    module = modules.section("TextRecognition", "the pipeline cannot do without it")
    draft.network(module, "text_recognition", "text_recognition")
    draft.param(module, "batch_size", "text_recognition_batch_size", 1)
    module.only("input_shape", None, _NO_INPUT_SHAPE)
    return module


def _pages_together(root: Section, draft: Draft) -> None:
    """Refuse batches of pages where PaddleX turns lines of several pages by the looks of one."""
    turned_together = draft.params.get("textline_orientation_batch_size", 1) > 1
    if turned_together:
        root.only(
            "batch_size", 1, "with more, PaddleX turns lines of several pages together, as the first of them lies"
        )
    root.ignore("batch_size", SERVERS_BATCHES, 1)


def _text_type(section: Section, allowed: str) -> None:
    if section.text("text_type") != allowed:
        raise section.refusal("text_type", repr(allowed))


def _sub_pipeline(section: Section, name: str) -> None:
    if section.text("pipeline_name") != name:
        raise section.refusal("pipeline_name", repr(name))


def _no_image_size(module: Section) -> None:
    module.ignore("img_size", "PaddleX's pipeline does not read it; ignored")


def _needed(switch: str) -> str:
    return f"{switch} is on, as it also is where it is missing"


def _is_zero(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == 0
