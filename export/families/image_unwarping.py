"""Networks that flatten curled pages (UVDoc): a page in, the same page flat out, of the same size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import onnx
from onnx import TensorProto

from paddlex_triton.export.families.base import (
    Case,
    FormError,
    NetworkFamily,
    Run,
    Tensors,
    max_difference,
)
from paddlex_triton.export.families.grid_unwarping import answer_by_grid, flatten_by_grid, grid_form
from paddlex_triton.export.graph.builder import GraphBuilder
from paddlex_triton.export.graph.contract import SourceGraph, require_dims, tensor_info
from paddlex_triton.export.graph.edits import WHITE, feed_planar_float, normalize_unit, pixels_of_unit
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.network import Family
from paddlex_triton.proof_pictures import fit, noise, seal_page, text_page

_LONGEST_SIDE = 960


class ImageUnwarping(NetworkFamily):
    """`x` UINT8 [1,H,W,3] BGR, any H and W -> `unwarped` UINT8 [1,H,W,3] BGR.

    PaddleX feeds BGR whatever inference.yml says, and reverses the channels of the answer twice: they stay.
    """

    name: ClassVar[Family] = "image_unwarping"
    # PaddleX too takes one page at a time, and networks may hold a batch of 1 inside.
    max_batch_size: ClassVar[int] = 0
    # A quarter of a level. Pixels are whole numbers: equal, or another picture. With a grid they count as `difference`
    # says; measured: 3e-5.
    edit_tolerance: ClassVar[float] = 1e-3
    # Five of 255 levels. Places are computed to 1e-6 of a page, and a place a thousandth of a pixel off moves the value
    # between a black and a white pixel by as much.
    rounding_floor: ClassVar[float] = 0.02

    def edit(self, source: SourceGraph, settings: InferenceSettings) -> onnx.ModelProto:
        """Bring pixels to 0..1 and back in the graph; see `grid_unwarping` for sources that answer a grid.

        Raises:
            GraphError: the input or the output is not one planar image, with H and W left free.
        """
        del settings
        form = grid_form(source)
        builder = _flatten_pages(source) if form is None else flatten_by_grid(source, form, "x", "unwarped")
        return builder.build(
            [tensor_info("x", TensorProto.UINT8, [1, "H", "W", 3])],
            [tensor_info("unwarped", TensorProto.UINT8, [1, "H", "W", 3])],
            {"paddlex_triton.family": self.name},
        )

    def distinct(self, first: Tensors, second: Tensors) -> float:
        """Compare the grids, where there are some: the pages that they are laid over are others in any case."""
        if "places" in first:
            return max_difference(first["places"], second["places"])
        return super().distinct(first, second)

    def keeps_layout(self, source: SourceGraph) -> bool:
        """Return whether a grid is rounded to float16: a value that tips moves the page by up to a quarter pixel."""
        form = grid_form(source)
        return form is not None and form.grid.dtype == TensorProto.FLOAT16

    def cases(self, settings: InferenceSettings, images: Sequence[np.ndarray]) -> Iterator[Case]:
        """Yield noise, pages of text and seals, and the given images, all of different sizes, odd ones among them."""
        del settings
        yield Case("noise", {"x": noise(1, 1, 61, 47, 3)})
        yield Case("noise", {"x": noise(2, 1, 96, 160, 3)})
        yield Case("text", {"x": text_page(3, 480, 360)[None]})
        yield Case("text", {"x": text_page(4, 333, 501)[None]})
        yield Case("seals", {"x": seal_page(5, 544, 409)[None]})
        # Of a size that another one has: a network that answers all alike shows.
        yield Case("text", {"x": text_page(6, 544, 409)[None]})
        for index, image in enumerate(images):
            height, width = image.shape[:2]
            scale = min(1.0, _LONGEST_SIDE / max(height, width))
            yield Case(
                f"image {index}", {"x": fit(image, *(max(1, round(side * scale)) for side in (height, width)))[None]}
            )

    def answer_of_source(
        self, run: Run, feeds: Tensors, settings: InferenceSettings, source: SourceGraph
    ) -> dict[str, np.ndarray]:
        """Return the page in pixels as PaddleX makes them; `levels` are those before they are cut to whole numbers.

        Of a source that answers a grid, see `answer_by_grid`.
        """
        del settings
        if (form := grid_form(source)) is not None:
            return answer_by_grid(run, feeds, form)
        planes = feeds["x"].transpose(0, 3, 1, 2).astype(np.float32) * np.float32(1 / WHITE)
        flat = run({source.input.name: planes})[source.output.name]
        if flat.shape != planes.shape:
            raise FormError(f"the page is {list(flat.shape)}; {list(planes.shape)} is expected, as the input")
        if not np.isfinite(flat).all():
            raise FormError("the page has values that are no numbers")
        levels = np.ascontiguousarray(flat.transpose(0, 2, 3, 1)) * np.float32(WHITE)
        return {"unwarped": levels.astype(np.int32).astype(np.uint8), "levels": levels}

    def difference(
        self, wanted: Tensors, got: Tensors, feeds: Tensors, settings: InferenceSettings, *, exact: bool
    ) -> float:
        """Return the largest difference of two pixels, as a part of white.

        Cutting to whole numbers makes a level of a rounding, and wrapping round at 256 makes black of white. So unless
        graphs ran as they are written, a pixel that differs counts as how far the source's level would have to be moved
        to become it. Levels that were sampled here, in other roundings than the graph's, count so in any case.
        """
        del feeds, settings
        apart, sampled = max_difference(wanted["unwarped"], got["unwarped"]), wanted.get("sampled")
        if (exact and sampled is None) or not np.isfinite(apart):
            return apart / WHITE
        differ = wanted["unwarped"] != got["unwarped"]
        levels = (wanted["levels"] if sampled is None else sampled)[differ]
        moved = [_distance(levels, answer["unwarped"][differ]) for answer in (wanted, got)]
        return float(np.max(moved, initial=0.0)) / WHITE

    def postprocess(self, settings: InferenceSettings) -> dict[str, Any]:
        """Return nothing: PaddleX reads none."""
        del settings
        return {}


def _flatten_pages(source: SourceGraph) -> GraphBuilder:
    """Bring pixels to 0..1 in front of a source, and back behind it."""
    for what, tensor in (("the input", source.input), ("the output", source.output)):
        require_dims(what, tensor.shape, (1, 3, None, None), "[N,3,H,W]")
    builder = GraphBuilder(source)
    normalize_unit(builder, feed_planar_float(builder, "x", "BGR"), output=source.input.inner)
    builder.after_source()
    pixels_of_unit(builder, source.output.inner, output="unwarped")
    return builder


def _distance(levels: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return how far levels lie from the nearest one that becomes a pixel, float64 [M].

    Args:
        levels: float32 [M], of white 255, any number.
        pixels: uint8 [M].
    """
    values = levels.astype(np.float64)
    whole = np.trunc(values)
    # Of the whole numbers that wrap round to the pixel, the nearest.
    nearest = whole + (pixels - whole + 128) % 256 - 128
    # Cutting goes towards 0: 0 is made of (-1, 1), 5 of [5, 6), -5 of (-6, -5].
    low = np.where(nearest > 0, nearest, nearest - 1)
    high = np.where(nearest < 0, nearest, nearest + 1)
    return np.maximum(np.maximum(low - values, values - high), 0.0)
