"""RT-DETR: pages in, a fixed number of rows per page out, without any NMS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import onnx
from onnx import TensorProto

from paddlex_triton.export.errors import GraphError
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
from paddlex_triton.export.graph.contract import SourceGraph, dims_text, tensor_info
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.network import Family


class DETRDetection(Detector):
    """`x` UINT8 [N,H,W,3] BGR, `scale_factor` FP32 [N,2] -> `rows` FP32 [N,Q,6]."""

    name: ClassVar[Family] = "detr_detection"
    max_batch_size: ClassVar[int] = 4
    fixed_rows: ClassVar[bool] = True

    def edit(self, source: SourceGraph, settings: InferenceSettings) -> onnx.ModelProto:
        """Normalise in the graph, say the network's size there, and give each page its own rows.

        Raises:
            GraphError: the inputs are not those of a detector, the outputs not rows and their counts, or the graph is
                for a batch of 1.
        """
        detection = detection_of(settings)
        rows, _ = require_rows_and_count(source)
        inputs, scale_factor = page_inputs(source, detection)
        fixed = [tensor for tensor in source.inputs if tensor.shape[0] is not None]
        if fixed:
            raise GraphError(
                f"{fixed[0].name} is {dims_text(fixed[0].shape)}: the graph is for a batch of {fixed[0].shape[0]}"
            )
        builder = GraphBuilder(source)
        self.feed(builder, inputs, settings)
        shape = builder.add("Shape", "x")
        batch = builder.add("Gather", shape, builder.constant(np.array([0], np.int64)), axis=0)
        builder.add("Identity", "scale_factor", output=scale_factor.inner)
        if inputs.im_shape is not None:
            size = builder.constant(np.array([detection.target_size], np.float32))
            pair = builder.add("Concat", batch, builder.constant(np.array([2], np.int64)), axis=0)
            builder.add("Expand", size, pair, output=inputs.im_shape.inner)
        builder.after_source()
        rest = builder.constant(np.array([-1, ROW_LENGTH], np.int64))
        builder.add("Reshape", rows.inner, builder.add("Concat", batch, rest, axis=0), output="rows")
        return builder.build(
            page_tensors(detection),
            [tensor_info("rows", TensorProto.FLOAT, ["N", "Q", ROW_LENGTH])],
            {"paddlex_triton.family": self.name},
        )

    def answer_of_source(
        self, run: Run, feeds: Tensors, settings: InferenceSettings, source: SourceGraph
    ) -> dict[str, np.ndarray]:
        """Return the rows of each page, which must be as many for all."""
        outputs = run(self.source_feeds(feeds["x"], feeds["scale_factor"], settings, source))
        rows, counts = (outputs[tensor.name] for tensor in require_rows_and_count(source))
        check_rows(rows, detection_of(settings).labels)
        pages = len(feeds["x"])
        # Some converters leave one count, whatever the batch.
        if not len(rows) or counts.shape not in ((1,), (pages,)) or (counts * pages != len(rows)).any():
            raise FormError(
                f"the counts are {counts.tolist()} for {pages} pages and {len(rows)} rows; as many rows for each page "
                "are expected"
            )
        return {"rows": rows.reshape(pages, -1, ROW_LENGTH)}

    def config_values(self, settings: InferenceSettings, output_dims: Mapping[str, Sequence[int]]) -> dict[str, str]:
        """Return the values of all detectors, and how many queries there are."""
        return {**super().config_values(settings, output_dims), "queries": str(output_dims["rows"][0])}

    def distinct(self, first: Tensors, second: Tensors) -> float:
        """Return how far the rows' classes and scores lie apart."""
        return distinct_rows(first["rows"], second["rows"])

    def difference(
        self, wanted: Tensors, got: Tensors, feeds: Tensors, settings: InferenceSettings, *, exact: bool
    ) -> float:
        """Return the largest difference of two rows that stand for the same box."""
        if wanted["rows"].shape != got["rows"].shape:
            return float("inf")
        detection = detection_of(settings)
        pairs = zip(wanted["rows"], got["rows"], feeds["scale_factor"], strict=True)
        return max(
            rows_difference(
                first,
                second,
                side=page_side(detection, scale_factor),
                draw_threshold=detection.draw_threshold,
                same_order=exact,
            )
            for first, second, scale_factor in pairs
        )
