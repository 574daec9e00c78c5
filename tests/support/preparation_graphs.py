"""Tiny networks that prepare pages and lines, their inference.yml, and folders of weights made of them.

Their answers can be told by looking at a picture: a page's orientation by the tint of its paper, a line's by the half
that is darker; the unwarping network moves every pixel by a fixed distance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import numpy_helper, parser

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

DOC_ORIENTATION, TEXTLINE_ORIENTATION, UNWARPING = "PP-LCNet_x1_0_doc_ori", "PP-LCNet_x0_25_textline_ori", "UVDoc"
DOC_LABELS = ("0", "90", "180", "270")
TEXTLINE_LABELS = ("0_degree", "180_degree")
DOC_SIZE, DOC_RESIZE_SHORT = (224, 224), 256
TEXTLINE_SIZE = (80, 160)

# Paper whose tint tells the label of the same position: white, reddish, greenish, bluish. BGR.
PAPERS = ((255, 255, 255), (190, 190, 255), (190, 255, 190), (255, 190, 190))
# Rows down and columns right that the unwarping network moves a page by; what leaves at one side comes in at the other.
SHIFT = (3, 5)

_SHARPNESS = 60.0


def tinted(page: np.ndarray, position: int) -> np.ndarray:
    """A page, uint8 [H,W,3], BGR, printed on paper that is told as the class of this position (0 to 3)."""
    return (page.astype(np.uint16) * np.array(PAPERS[position], np.uint16) // 255).astype(np.uint8)


def shifted(page: np.ndarray, shift: tuple[int, int] = SHIFT) -> np.ndarray:
    """Return what `unwarping_graph` makes of a page, uint8 [H,W,3]."""
    return np.ascontiguousarray(np.roll(page, shift, axis=(0, 1)))


def doc_orientation_graph(*, batch: int | str = "N", size: Sequence[int | str] = DOC_SIZE) -> onnx.ModelProto:
    """Four classes: the mean colour of the picture is closest to grey, or leans to red, green or blue.

    Args:
        batch: of the declared input.
        size: height and width it is declared with.
    """
    # Of mean R, G, B from 0 to 1: how far one channel lies above the two others. Grey wins below a tenth.
    lean = np.array([[0, 0, 0], [1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]])
    body = "pooled = GlobalAveragePool (x) flat = Flatten (pooled)"
    return _classifier(body, lean, np.array([0.1, 0, 0, 0]), batch, size)


def textline_orientation_graph(*, batch: int | str = "N", opset: int = 17) -> onnx.ModelProto:
    """Two classes: the left half is the darker one (or none is), or the right half.

    Args:
        batch: of the declared input. With a number the shape inside is fixed too, as a converter folds it.
        opset: of ONNX's operators.
    """
    # R, G, B of the left and of the right half: channel first.
    difference = np.tile([-1.0, 1.0], 3) / 3
    rows = batch if isinstance(batch, int) else 0
    body = (
        "pooled = AveragePool <kernel_shape = [80, 80], strides = [80, 80]> (x)\n"
        f"flat_shape = Constant <value = int64[2] {{{rows}, 6}}> ()\n"
        "flat = Reshape (pooled, flat_shape)"
    )
    return _classifier(
        body, np.stack([difference, -difference]), np.array([0.01, 0]), batch, TEXTLINE_SIZE, copies=2, opset=opset
    )


def unwarping_graph(shift: tuple[int, int] = SHIFT) -> onnx.ModelProto:
    """Moves every pixel, of pages that are larger than the shift, and leaves its value as it is.

    Args:
        shift: rows down and columns right, one at least of each.
    """
    moves = ""
    for axis, (before, after, distance) in enumerate((("image", "moved", shift[0]), ("moved", "y", shift[1])), start=2):
        moves += (
            f"{after}_axis = Constant <value = int64[1] {{{axis}}}> ()\n"
            f"{after}_start = Constant <value = int64[1] {{0}}> ()\n"
            f"{after}_cut = Constant <value = int64[1] {{{-distance}}}> ()\n"
            f"{after}_end = Constant <value = int64[1] {{{2**40}}}> ()\n"
            f"{after}_last = Slice ({before}, {after}_cut, {after}_end, {after}_axis)\n"
            f"{after}_first = Slice ({before}, {after}_start, {after}_cut, {after}_axis)\n"
            f"{after} = Concat <axis = {axis}> ({after}_last, {after}_first)\n"
        )
    return parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17]> shifting (float[N,3,H,W] image) => (float[N,3,H,W] y) {{{moves}}}'
    )


# UVDoc in small: the page at a fixed size, where each of its points has been moved to, brought to the page's own size,
# and the pixels fetched from there. `Mul` and `Add` at the end leave 0..1, as no network should.
_UVDOC = """
  rows = {rows}
  plane = Shape <start = 2, end = 4> (image)
  small_sizes = Concat <axis = 0> (rows, small_shape)
  small = Resize <mode = "linear", coordinate_transformation_mode = "align_corners"> (image, none, none, small_sizes)
  c1 = Conv <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (small, w1)
  f = Relu (c1)
  c2 = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (f, w2)
  moves = Tanh (c2)
  scaled = Mul (moves, reach)
  points = Add (scaled, still)
  grid_sizes = Concat <axis = 0> (rows, two, plane)
  spread = Resize <mode = "linear", coordinate_transformation_mode = "align_corners"> (points, none, none, grid_sizes)
  grid = Transpose <perm = [0, 2, 3, 1]> (spread)
  flat = GridSample <align_corners = 1, mode = "{mode}"> (image, grid)
  stretched = Mul (flat, gain)
  y = Add (stretched, offset)
"""
_UVDOC_SIZE = (40, 28)


def uvdoc_graph(
    *,
    batch: int | str = "N",
    opset: int = 17,
    gain: float = 1.0,
    offset: float = 0.0,
    size: Sequence[int | str] = ("H", "W"),
) -> onnx.ModelProto:
    """A UVDoc with weights of no meaning, which bends pages and takes up what lies around a pixel.

    Args:
        batch: of the declared input. With a number the batch inside is fixed too.
        opset: of ONNX's operators, 16 at least.
        gain: what the pixels of the answer are multiplied by.
        offset: what is added to them then, 1 is white.
        size: height and width of the declared input.
    """
    rng = np.random.default_rng(4)
    rows = (
        f"Constant <value = int64[1] {{{batch}}}> ()"
        if isinstance(batch, int)
        else "Shape <start = 0, end = 1> (image)"
    )
    down, right = (np.linspace(-1, 1, side // 2) for side in _UVDOC_SIZE)
    floats = {
        "w1": rng.normal(size=(8, 3, 3, 3)) * 0.3,
        "w2": rng.normal(size=(2, 8, 3, 3)) * 0.3,
        "reach": np.array(0.1),
        "still": np.stack(np.meshgrid(right, down))[None],
        "gain": np.array(gain),
        "offset": np.array(offset),
        "none": np.zeros(0),
    }
    integers = {"small_shape": [3, *_UVDOC_SIZE], "two": [2]}
    dims = f"float[{batch},3,{size[0]},{size[1]}]"
    body = _UVDOC.format(rows=rows, mode="linear" if opset >= 20 else "bilinear")
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["": {opset}]> bending ({dims} image) => ({dims} y) {{{body}}}'
    )
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(value, dtype), name)
        for values, dtype in ((floats, np.float32), (integers, np.int64))
        for name, value in values.items()
    )
    onnx.checker.check_model(model)
    return model


# UVDoc as its authors have it, in small: the page comes at a fixed size, and where its points lie is the answer.
_GRID = """
  c1 = Conv <kernel_shape = [3, 3], strides = [4, 4], pads = [1, 1, 1, 1]> (page, w1)
  f = Relu (c1)
  c2 = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (f, w2)
  moves = Tanh (c2)
  scaled = Mul (moves, reach)
  grid = Add (scaled, still)
  depth = Conv <kernel_shape = [1, 1]> (f, w3)
"""
GRID_SIZE = (32, 24)


def grid_graph(
    *,
    batch: int | str = "N",
    opset: int = 17,
    dtype: type = np.float16,
    takes: str = "3,32,24",
    answers: str = "2,rows,columns",
    depth: str = "3,rows,columns",
) -> onnx.ModelProto:
    """A network with weights of no meaning that answers a grid of 8 x 6 points, some of them beyond the page.

    Args:
        batch: of the declared input.
        opset: of ONNX's operators.
        dtype: float16 or float32, of inputs, weights and outputs.
        takes: dimensions that the page is declared with, behind the batch.
        answers: those of the grid.
        depth: those of another answer.
    """
    rng = np.random.default_rng(6)
    kind = "float16" if dtype is np.float16 else "float"
    down, right = (np.linspace(-1, 1, side // 4) for side in GRID_SIZE)
    outputs = f"{kind}[{batch},{answers}] grid, {kind}[{batch},{depth}] depth"
    head = f"({kind}[{batch},{takes}] page) => ({outputs})"
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> bending {head} {{{_GRID}}}')
    weights = {
        "w1": rng.normal(size=(8, 3, 3, 3)) * 0.3,
        "w2": rng.normal(size=(2, 8, 3, 3)) * 0.3,
        "w3": rng.normal(size=(3, 8, 1, 1)),
        "reach": np.array(0.15),
        "still": np.stack(np.meshgrid(right, down))[None],
    }
    model.graph.initializer.extend(
        numpy_helper.from_array(value.astype(dtype), name) for name, value in weights.items()
    )
    onnx.checker.check_model(model)
    return model


def classifier_yml(
    name: str,
    labels: Sequence[str],
    *,
    resize: Mapping[str, Any],
    crop: int | None = None,
    normalize: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """An inference.yml as PaddleX writes it of a classifier.

    Args:
        name: of the network.
        labels: of its classes.
        resize: the arguments of ResizeImage.
        crop: the size of CropImage, which is left out without one.
        normalize: arguments of NormalizeImage besides, or instead of, the usual ones.
    """
    usual = {"channel_num": 3, "mean": [*MEAN], "std": [*STD], "order": "", "scale": 0.00392156862745098}
    operators: list[dict[str, Any]] = [{"ResizeImage": dict(resize)}]
    operators += [{"CropImage": {"size": crop}}] if crop is not None else []
    operators += [{"NormalizeImage": usual | dict(normalize or {})}, {"ToCHWImage": None}]
    return {
        "Global": {"model_name": name},
        "PreProcess": {"transform_ops": operators},
        "PostProcess": {"Topk": {"topk": 1, "label_list": [*labels]}},
    }


def doc_orientation_yml(name: str = DOC_ORIENTATION, labels: Sequence[str] = DOC_LABELS) -> dict[str, Any]:
    """That of a classifier of pages."""
    return classifier_yml(name, labels, resize={"resize_short": DOC_RESIZE_SHORT}, crop=DOC_SIZE[0])


def textline_orientation_yml(
    name: str = TEXTLINE_ORIENTATION, labels: Sequence[str] = TEXTLINE_LABELS
) -> dict[str, Any]:
    """That of a classifier of lines."""
    return classifier_yml(name, labels, resize={"size": [TEXTLINE_SIZE[1], TEXTLINE_SIZE[0]]})


def doc_orientation_folder(folder: Path, name: str = DOC_ORIENTATION, labels: Sequence[str] = DOC_LABELS) -> Path:
    """Write the classifier of pages.

    Args:
        folder: where to; made if it is not there.
        name: of the network.
        labels: what paper of each of `PAPERS` is called, in their order.
    """
    return _write(folder, doc_orientation_graph(), doc_orientation_yml(name, labels))


def textline_orientation_folder(
    folder: Path, name: str = TEXTLINE_ORIENTATION, labels: Sequence[str] = TEXTLINE_LABELS
) -> Path:
    """Write the classifier of lines; see `doc_orientation_folder`."""
    return _write(folder, textline_orientation_graph(), textline_orientation_yml(name, labels))


def unwarping_folder(folder: Path, name: str = UNWARPING, shift: tuple[int, int] = SHIFT) -> Path:
    """Write the network that moves pages by `shift`. A name that is not the zoo's needs `family="image_unwarping"`."""
    return _write(folder, unwarping_graph(shift), {"Global": {"model_name": name}})


def _classifier(
    body: str,
    weights: np.ndarray,
    bias: np.ndarray,
    batch: int | str,
    size: Sequence[int | str],
    *,
    copies: int = 1,
    opset: int = 17,
) -> onnx.ModelProto:
    """A classifier by a linear rule.

    Args:
        body: the nodes from `x` float32 [N,3,H,W] to `flat` [N, 3 * copies], channels first.
        weights: of the rule, of values from 0 to 1 (RGB), [classes, 3 * copies].
        bias: of the rule, [classes].
        batch: of the declared input.
        size: height and width it is declared with.
        copies: numbers per channel.
        opset: of ONNX's operators.
    """
    std, mean = np.repeat(STD, copies), np.repeat(MEAN, copies)
    head = f"(float[{batch},3,{size[0]},{size[1]}] x) => (float[{batch},{len(bias)}] scores)"
    tail = "raw = Gemm (flat, w, b) scores = Softmax <axis = 1> (raw)"
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> tiny {head} {{{body} {tail}}}')
    values = {"w": _SHARPNESS * (weights * std).T, "b": _SHARPNESS * (weights @ mean + bias)}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name) for name, value in values.items()
    )
    onnx.checker.check_model(model)
    return model


def _write(folder: Path, model: onnx.ModelProto, yml: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "inference.onnx").write_bytes(model.SerializeToString())
    (folder / "inference.yml").write_text(yaml.safe_dump(yml, sort_keys=False), encoding="utf-8")
    return folder
