"""Detectors that keep what their graph ends in, an NMS or none: one page in, its rows out."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx
from onnx import TensorProto

from paddlex_triton.export.families.base import FormError, Run, Tensors
from paddlex_triton.export.families.detector import (
    ROW_LENGTH,
    Detector,
    check_rows,
    detection_of,
    page_inputs,
    page_side,
    page_tensors,
    require_rows_and_count,
)
from paddlex_triton.export.families.rows import distinct_rows, rows_difference
from paddlex_triton.export.graph.builder import GraphBuilder
from paddlex_triton.export.graph.contract import SourceGraph, tensor_info
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.network import Family


class NMSDetection(Detector):
    """`x` UINT8 [1,H,W,3] BGR, `scale_factor` FP32 [1,2] -> `rows` FP32 [M,6], `count` INT32 [1]."""

    name: ClassVar[Family] = "nms_detection"
    max_batch_size: ClassVar[int] = 0

    def edit(self, source: SourceGraph, settings: InferenceSettings) -> onnx.ModelProto:
        """Normalise in the graph, and say the network's size there.

        Raises:
            GraphError: the inputs are not those of a detector, or the outputs not rows and their count.
        """
        detection = detection_of(settings)
        rows, count = require_rows_and_count(source)
        inputs, scale_factor = page_inputs(source, detection)
        builder = GraphBuilder(source)
        self.feed(builder, inputs, settings)
        builder.add("Identity", "scale_factor", output=scale_factor.inner)
        if inputs.im_shape is not None:
            shape = builder.constant(np.array([detection.target_size], np.float32))
            builder.add("Identity", shape, output=inputs.im_shape.inner)
        builder.after_source()
        # All rows, but by a condition: a graph whose number of rows can be inferred would not fit its configuration.
        classes = builder.add("Gather", rows.inner, builder.constant(np.array(0, np.int64)), axis=1)
        is_row = builder.add("Equal", classes, classes)
        builder.add("Compress", rows.inner, is_row, axis=0, output="rows")
        builder.add("Cast", count.inner, output="count", to=TensorProto.INT32)
        return builder.build(
            # Their batch is left free, though one page at a time is fed: ONNX Runtime lays a graph of a fixed batch out
            # in another way than the source, and rounds otherwise.
            page_tensors(detection),
            [
                tensor_info("rows", TensorProto.FLOAT, ["M", ROW_LENGTH]),
                tensor_info("count", TensorProto.INT32, [1]),
            ],
            {"paddlex_triton.family": self.name},
        )

    def answer_of_source(
        self, run: Run, feeds: Tensors, settings: InferenceSettings, source: SourceGraph
    ) -> dict[str, np.ndarray]:
        """Return the rows as they are, and their count."""
        outputs = run(self.source_feeds(feeds["x"], feeds["scale_factor"], settings, source))
        rows, count = (outputs[tensor.name] for tensor in require_rows_and_count(source))
        check_rows(rows, detection_of(settings).labels)
        if count.shape != (1,) or count[0] != len(rows):
            raise FormError(f"the count is {count.tolist()} for {len(rows)} rows; their number is expected")
        return {"rows": rows, "count": count.astype(np.int32)}

    def distinct(self, first: Tensors, second: Tensors) -> float:
        """Return how far the rows' classes and scores lie apart."""
        return distinct_rows(first["rows"], second["rows"])

    def difference(
        self, wanted: Tensors, got: Tensors, feeds: Tensors, settings: InferenceSettings, *, exact: bool
    ) -> float:
        """Return the largest difference of two rows that stand for the same box."""
        if got["count"].tolist() != [len(got["rows"])]:
            return float("inf")
        detection = detection_of(settings)
        return rows_difference(
            wanted["rows"],
            got["rows"],
            side=page_side(detection, feeds["scale_factor"][0]),
            draw_threshold=detection.draw_threshold,
            same_order=exact,
        )
