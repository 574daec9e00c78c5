"""Detectors that score every anchor (PicoDet, PP-YOLOE): pages in, all boxes and scores out, the NMS is the host's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import onnx
from onnx import TensorProto

from paddlex_triton.export.errors import GraphError, InferenceFileError
from paddlex_triton.export.families.base import FormError, Run, Tensors, max_difference, row_by_row
from paddlex_triton.export.families.detector import (
    Detector,
    check_rows,
    detection_of,
    detector_inputs,
    page_side,
    require_rows_and_count,
    rows_and_count,
)
from paddlex_triton.export.families.nms_graph import NMSGraph
from paddlex_triton.export.families.rows import relative_difference
from paddlex_triton.export.graph.builder import GraphBuilder
from paddlex_triton.export.graph.contract import (
    SOURCE_PREFIX,
    SourceGraph,
    SourceTensor,
    dims_text,
    parse_model,
    require_dims,
    require_float,
    tensor_info,
)
from paddlex_triton.export.graph.cut import (
    NMS,
    free_batch,
    inferred_shapes,
    keep_ancestors,
    nodes_of,
    reads,
    with_outputs,
)
from paddlex_triton.export.graph.nms import nms_inputs, nms_thresholds
from paddlex_triton.export.inference_file.detector_section import NMSSettings
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.network import Family
from paddlex_triton.ops.detection_nms import boxes_to_page


@dataclass(frozen=True)
class _Ends:
    """The tensors a source is cut at.

    Attributes:
        boxes: [N,A,4], the source's own name.
        scores: [N,C,A], the source's own name.
        has_nms: they go into an NMS; otherwise they are the source's outputs.
    """

    boxes: str
    scores: str
    has_nms: bool


class DenseDetection(Detector):
    """`x` UINT8 [N,H,W,3] BGR -> `boxes` FP32 [N,A,4] in pixels of the input, `scores` FP32 [N,C,A]."""

    name: ClassVar[Family] = "dense_detection"
    max_batch_size: ClassVar[int] = 4
    fixed_rows: ClassVar[bool] = True

    def complete(self, settings: InferenceSettings, source: onnx.ModelProto, origin: str) -> InferenceSettings:
        """Take how boxes are chosen from the graph's own NMS, and from inference.yml where it has none.

        PaddleX runs the graph. PaddleDetection writes the section NMS with other numbers when the graph is built
        already: 0.3 and 0.5 beside the 0.025 and 0.6 in PicoDet's.

        Raises:
            InferenceFileError: inference.yml does not tell the network's size and classes, or nothing tells how boxes
                are chosen.
        """
        settings = super().complete(settings, source, origin)
        if (thresholds := nms_thresholds(source)) is None:
            if detection_of(settings).nms is not None:
                return settings
            raise InferenceFileError(
                f"{origin}: inference.yml has no section NMS (score_threshold, nms_threshold, nms_top_k, keep_top_k), "
                f"which a {self.name} network needs where they cannot be read from the graph; a graph that has its own "
                "NMS is exported with `--family nms_detection`"
            )
        detection = detection_of(settings).model_copy(update={"nms": NMSSettings.model_validate(thresholds)})
        return settings.model_copy(update={"detection": detection})

    def edit(self, source: SourceGraph, settings: InferenceSettings) -> onnx.ModelProto:
        """Normalise in the graph, cut it in front of its NMS if it has one, and free its batch.

        The graph divides boxes by `scale_factor` before its NMS. It is fed ones, which leave every box as it is.

        Raises:
            GraphError: the inputs are not those of a detector, or the outputs neither rows and their count, made by
                one NMS, nor boxes and scores.
        """
        detection = detection_of(settings)
        inputs = detector_inputs(source, detection)
        ends = _ends_of(source)
        names = [SOURCE_PREFIX + ends.boxes, SOURCE_PREFIX + ends.scores]
        classes = len(detection.labels)
        _require_classes(source, names[1], classes)
        model = free_batch(source.model, inputs.image.inner) if inputs.takes_one else source.model
        cut = replace(source, model=keep_ancestors(model, names))
        builder = GraphBuilder(cut)
        self.feed(builder, inputs, settings)
        for tensor, values in ((inputs.scale_factor, (1, 1)), (inputs.im_shape, detection.target_size)):
            if tensor is not None and reads(cut.model, tensor.inner):
                builder.add("Identity", builder.constant(np.array([values], np.float32)), output=tensor.inner)
        builder.after_source()
        for name, output in zip(names, ("boxes", "scores"), strict=True):
            builder.add("Identity", name, output=output)
        height, width = detection.target_size
        return builder.build(
            [tensor_info("x", TensorProto.UINT8, ["N", height, width, 3])],
            [
                tensor_info("boxes", TensorProto.FLOAT, ["N", "A", 4]),
                tensor_info("scores", TensorProto.FLOAT, ["N", classes, "A"]),
            ],
            {"paddlex_triton.family": self.name},
        )

    def probe(self, source: SourceGraph) -> bytes:
        """Return the source; one with an NMS shows its inputs too."""
        ends = _ends_of(source)
        if not ends.has_nms:
            return source.content
        shown = with_outputs(parse_model(source.content), [ends.boxes, ends.scores], rank=3)
        return shown.SerializeToString(deterministic=True)

    def takes_one(self, source: SourceGraph) -> bool:
        """Return whether the source has an NMS, which takes one page whatever the source declares."""
        return _ends_of(source).has_nms or super().takes_one(source)

    def host_difference(self, source: SourceGraph, settings: InferenceSettings, answer: Tensors) -> float:
        """Compare the NMS of `ops` with the graph's, on boxes made for it; 0 where the graph has none."""
        ends = _ends_of(source)
        if not ends.has_nms:
            return 0.0
        rows, count = require_rows_and_count(source)
        classes = len(detection_of(settings).labels)
        graph = NMSGraph(source, (ends.boxes, ends.scores), (rows.name, count.name))
        own = nms_thresholds(source.model) is not None
        return graph.difference(classes, answer["boxes"].shape[1], _nms_of(settings), bounds=own)

    def answer_of_source(
        self, run: Run, feeds: Tensors, settings: InferenceSettings, source: SourceGraph
    ) -> dict[str, np.ndarray]:
        """Return all boxes and scores; with an NMS also `page_boxes`, those on the page."""
        ends = _ends_of(source)

        def raw_answer(some: Tensors) -> dict[str, np.ndarray]:
            return self._raw_answer(run, some, settings, source)

        answer = row_by_row(raw_answer, feeds) if self.takes_one(source) else raw_answer(feeds)
        boxes, scores = answer["boxes"], answer["scores"]
        rows, classes = len(feeds["x"]), len(detection_of(settings).labels)
        if boxes.ndim != 3 or boxes.shape[2] != 4 or scores.shape != (rows, classes, boxes.shape[1]):
            raise FormError(
                f"the boxes are {list(boxes.shape)} and the scores {list(scores.shape)}; [{rows}, anchors, 4] and "
                f"[{rows}, {classes} classes, anchors] are expected{' in front of the NMS' if ends.has_nms else ''}"
            )
        return answer

    def config_values(self, settings: InferenceSettings, output_dims: Mapping[str, Sequence[int]]) -> dict[str, str]:
        """Return the values of all detectors, and how many anchors there are."""
        return {**super().config_values(settings, output_dims), "anchors": str(output_dims["boxes"][0])}

    def difference(
        self, wanted: Tensors, got: Tensors, feeds: Tensors, settings: InferenceSettings, *, exact: bool
    ) -> float:
        """Return the largest difference of scores or boxes, these as parts of the network's input; on the page too."""
        del exact
        side = max(detection_of(settings).target_size)
        apart = max(
            max_difference(wanted["scores"], got["scores"]), relative_difference(wanted["boxes"], got["boxes"], side)
        )
        if "page_boxes" not in wanted or not np.isfinite(apart):
            return apart
        pairs = zip(wanted["page_boxes"], got["boxes"], feeds["scale_factor"], strict=True)
        on_page = (
            relative_difference(first, boxes_to_page(second, scale), page_side(detection_of(settings), scale))
            for first, second, scale in pairs
        )
        return max(apart, *on_page)

    def postprocess(self, settings: InferenceSettings) -> dict[str, Any]:
        """Return the threshold PaddleX takes where none is asked for, and how boxes are chosen."""
        return {**super().postprocess(settings), "nms": _nms_of(settings).thresholds}

    def _raw_answer(
        self, run: Run, feeds: Tensors, settings: InferenceSettings, source: SourceGraph
    ) -> dict[str, np.ndarray]:
        """Return `answer_of_source` for as many pages as the source takes; one, if it has an NMS."""
        ends = _ends_of(source)
        ones = np.ones_like(feeds["scale_factor"])
        plain = run(self.source_feeds(feeds["x"], ones, settings, source))
        answer = {"boxes": plain[ends.boxes], "scores": plain[ends.scores]}
        if not ends.has_nms:
            return answer
        outputs = run(self.source_feeds(feeds["x"], feeds["scale_factor"], settings, source))
        check_rows(outputs[require_rows_and_count(source)[0].name], detection_of(settings).labels)
        return {**answer, "page_boxes": outputs[ends.boxes]}


def _nms_of(settings: InferenceSettings) -> NMSSettings:
    nms = detection_of(settings).nms
    # `complete` made sure of it.
    assert nms is not None
    return nms


def _ends_of(source: SourceGraph) -> _Ends:
    """Return where boxes and scores are.

    Raises:
        GraphError: there is nothing that can be told to be them.
    """
    if rows_and_count(source) is not None:
        return _inputs_of_nms(source)
    boxes, scores = _raw_outputs(source)
    return _Ends(boxes.name, scores.name, has_nms=False)


def _require_classes(source: SourceGraph, scores: str, classes: int) -> None:
    """Refuse scores of another number of classes, where the graph tells it."""
    shape = inferred_shapes(source.model).get(scores)
    if shape is not None and (len(shape) != 3 or shape[1] not in (None, classes)):
        raise GraphError(f"the scores are {dims_text(shape)}; label_list has {classes} classes: [N,{classes},A]")


def _raw_outputs(source: SourceGraph) -> tuple[SourceTensor, SourceTensor]:
    """Return the outputs of a graph without NMS: boxes [N,A,4] and scores [N,C,A], in whatever order.

    Raises:
        GraphError: its outputs are others.
    """
    boxes = [tensor for tensor in source.outputs if len(tensor.shape) == 3 and tensor.shape[2] == 4]
    scores = [tensor for tensor in source.outputs if len(tensor.shape) == 3 and tensor not in boxes]
    if len(source.outputs) != 2 or len(boxes) != 1 or len(scores) != 1:
        raise GraphError(
            f"the graph has {source.outside()}; rows FLOAT [M,6] and an integer count [N], or boxes [N,A,4] and scores "
            "[N,C,A], are the outputs expected"
        )
    for tensor in (*boxes, *scores):
        require_float("output", tensor)
    anchors = boxes[0].shape[1]
    require_dims("the scores", scores[0].shape, (1, scores[0].shape[1], anchors), "[N,C,A]")
    return boxes[0], scores[0]


def _inputs_of_nms(source: SourceGraph) -> _Ends:
    found = nms_inputs(source)
    if found is None:
        count = len(nodes_of(source.model, NMS))
        raise GraphError(f"the graph has {count} {NMS} nodes; one is expected, where it is cut")
    return _Ends(*found, has_nms=True)
