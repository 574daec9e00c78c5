"""DB text detectors (ordinary text and seals): a page in, the probability of text per pixel out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import onnx
from onnx import TensorProto

from paddlex_triton.export.errors import InferenceFileError
from paddlex_triton.export.families.base import (
    Case,
    FormError,
    NetworkFamily,
    Run,
    Tensors,
    max_difference,
    normalized_planar,
)
from paddlex_triton.export.graph.builder import GraphBuilder
from paddlex_triton.export.graph.contract import SourceGraph, require_dims, tensor_info
from paddlex_triton.export.graph.edits import feed_planar_float, normalize_affine
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.limits import DEFAULT_CANDIDATES, MAX_CANDIDATES
from paddlex_triton.network import Family
from paddlex_triton.proof_pictures import fit, noise, text_page

# PaddleX rounds a detector's input to this, the stride of its coarsest feature map.
_STRIDE = 32
_LONGEST_SIDE = 960
# PaddleX's where inference.yml has none.
DEFAULT_THRESHOLD = 0.3


class DBDetection(NetworkFamily):
    """`x` UINT8 [N,H,W,3] BGR, H and W multiples of 32 -> `prob` FP32 [N,H,W]."""

    name: ClassVar[Family] = "db_detection"
    max_batch_size: ClassVar[int] = 4

    def complete(self, settings: InferenceSettings, source: onnx.ModelProto, origin: str) -> InferenceSettings:
        """Return the settings as they are.

        Raises:
            InferenceFileError: more lines may be taken from a page than are served.
        """
        del source
        candidates = settings.postprocess.get("max_candidates", DEFAULT_CANDIDATES)
        if not isinstance(candidates, int) or not 1 <= candidates <= MAX_CANDIDATES:
            raise InferenceFileError(
                f"{origin}: PostProcess.max_candidates is {candidates!r}; 1 to {MAX_CANDIDATES} is what is served"
            )
        return settings

    def edit(self, source: SourceGraph, settings: InferenceSettings) -> onnx.ModelProto:
        """Normalise in the graph, and drop the channel axis of the map.

        Raises:
            GraphError: the input is not [N,3,H,W] or the output not [N,1,H,W], with N, H, W left free.
        """
        require_dims("the input", source.input.shape, (None, 3, None, None), "[N,3,H,W]")
        require_dims("the output", source.output.shape, (None, 1, None, None), "[N,1,H,W]")
        builder = GraphBuilder(source)
        planar = feed_planar_float(builder, "x", settings.img_mode)
        normalize_affine(builder, planar, settings.normalization, output=source.input.inner)
        builder.after_source()
        builder.squeeze(source.output.inner, 1, output="prob")
        return builder.build(
            [tensor_info("x", TensorProto.UINT8, ["N", "H", "W", 3])],
            [tensor_info("prob", TensorProto.FLOAT, ["N", "H", "W"])],
            {"paddlex_triton.family": self.name},
        )

    def cases(self, settings: InferenceSettings, images: Sequence[np.ndarray]) -> Iterator[Case]:
        """Yield noise, pages of text and the given images, batches of 1, 3 and the maximum."""
        del settings
        yield Case("noise", {"x": noise(1, 1, 64, 96, 3)})
        yield Case("noise", {"x": noise(2, 3, 160, 96, 3)})
        yield Case("text", {"x": np.stack([text_page(3, 640, 480)])})
        yield Case("text", {"x": np.stack([text_page(seed, 320, 416) for seed in range(3)])})
        yield Case("text", {"x": np.stack([text_page(seed, 192, 256) for seed in range(self.max_batch_size)])})
        for index, image in enumerate(images):
            height, width = image.shape[:2]
            scale = min(1.0, _LONGEST_SIDE / max(height, width))
            size = [max(_STRIDE, round(side * scale / _STRIDE) * _STRIDE) for side in (height, width)]
            yield Case(f"image {index}", {"x": fit(image, size[0], size[1])[None]})

    def answer_of_source(
        self, run: Run, feeds: Tensors, settings: InferenceSettings, source: SourceGraph
    ) -> dict[str, np.ndarray]:
        """Return the map without its channel axis; it must have the input's own size."""
        output = run({source.input.name: normalized_planar(feeds["x"], settings)})[source.output.name]
        rows, height, width = feeds["x"].shape[:3]
        if output.shape != (rows, 1, height, width):
            raise FormError(f"the map is {list(output.shape)}; {[rows, 1, height, width]} is expected")
        return {"prob": output[:, 0]}

    def difference(
        self, wanted: Tensors, got: Tensors, feeds: Tensors, settings: InferenceSettings, *, exact: bool
    ) -> float:
        """Return the largest difference of two maps.

        Unless graphs ran as they are written, of what boxes are made of: which pixels are text, where one that changes
        sides of the threshold counts as how far it moved, and the mean, which is what boxes are scored by.
        """
        del feeds
        apart = max_difference(wanted["prob"], got["prob"])
        if exact or not np.isfinite(apart):
            return apart
        moved = np.abs(wanted["prob"] - got["prob"])
        threshold = float(settings.postprocess.get("thresh", DEFAULT_THRESHOLD))
        changed = (wanted["prob"] > threshold) != (got["prob"] > threshold)
        return float(max(moved.mean(), moved.max(where=changed, initial=0.0)))
