"""Networks that flatten pages: how they are told apart, what they are fed, how pixels are made, and the proof."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from damage import change_weights
from onnx import TensorProto, helper
from onnx_runs import run
from preparation_graphs import SHIFT, UNWARPING, shifted, textline_orientation_yml, unwarping_folder, uvdoc_graph

from paddlex_triton.export.api import Options, export_directory, run_export_directory
from paddlex_triton.export.errors import GraphError, UsageError, VerificationError
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.graph.contract import open_source
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings, Normalization
from paddlex_triton.export.verify import verify
from paddlex_triton.network import NetworkInfo
from paddlex_triton.proof_pictures import noise, text_page
from paddlex_triton.server.host.model_config import read_config

FAMILY = FAMILIES["image_unwarping"]
YML = {"Global": {"model_name": UNWARPING}}
# Answers from -0.9 to 2.1: dark pixels below black, bright ones above white, some by more than 256 levels.
BEYOND = {"gain": 3.0, "offset": -0.9}


def edit(model: onnx.ModelProto) -> onnx.ModelProto:
    return FAMILY.edit(open_source(model.SerializeToString()), InferenceSettings())


def normalized(page: np.ndarray) -> np.ndarray:
    """PaddleX's arithmetic: BGR, a float64 constant that numpy rounds to float32 on use, and nothing added."""
    planes = page.transpose(2, 0, 1)[None].astype(np.float32)
    planes *= (1.0 / 255) / 1.0
    return planes


def pixels(planes: np.ndarray) -> np.ndarray:
    """PaddleX's arithmetic, over whole numbers: float to uint8 means something else on every processor."""
    levels = planes[0].transpose(1, 2, 0) * np.float32(255)
    return (np.trunc(levels.astype(np.float64)).astype(np.int64) % 256).astype(np.uint8)


@pytest.mark.parametrize("batch", ["N", 1])
def test_family_is_told_by_the_name(weights_folder, tmp_path, batch):
    path = export_directory(weights_folder(uvdoc_graph(batch=batch), YML), tmp_path / "repository")
    info = NetworkInfo.load(path / "network.json")
    assert (info.name, info.family, info.max_batch_size) == ("UVDoc", "image_unwarping", 0)
    assert (info.geometry, info.labels, info.characters, info.postprocess) == ({}, None, None, {})


def test_name_of_the_file_tells_the_family_under_another_name(weights_folder, tmp_path):
    path = export_directory(weights_folder(uvdoc_graph(), YML), tmp_path / "repository", name="mine")
    info = NetworkInfo.load(path / "network.json")
    assert (info.name, info.family) == ("mine", "image_unwarping")


def test_own_network_needs_its_family(weights_folder, tmp_path):
    folder = weights_folder(uvdoc_graph(), {"Global": {"model_name": "mine"}})
    with pytest.raises(UsageError, match=r"has no PostProcess.name; give the family: --family .*image_unwarping"):
        export_directory(folder, tmp_path / "repository")
    path = export_directory(folder, tmp_path / "repository", family="image_unwarping")
    assert NetworkInfo.load(path / "network.json").family == "image_unwarping"


def test_contradictions_are_refused(weights_folder, tmp_path):
    folder = weights_folder(uvdoc_graph(), textline_orientation_yml(name=UNWARPING))
    with pytest.raises(UsageError, match="says image_classification, --family says image_unwarping"):
        export_directory(folder, tmp_path / "repository", family="image_unwarping")


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("opset", [16, 20])
def test_tensors_are_as_configured(weights_folder, tmp_path, batch, opset):
    """Triton loads a network only if its configuration says of outputs just what ONNX Runtime makes out."""
    path = export_directory(weights_folder(uvdoc_graph(batch=batch, opset=opset), YML), tmp_path / "repository")
    for file in ("config.pbtxt", "configs/gpu.pbtxt"):
        config = read_config(path / file)
        assert config.max_batch_size == 0
        assert {output.name: list(output.dims) for output in config.output} == {"unwarped": [1, -1, -1, 3]}
        assert {value.name: list(value.dims) for value in config.input} == {"x": [1, -1, -1, 3]}
    session = onnxruntime.InferenceSession(path / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    (output,) = session.get_outputs()
    sizes = [size if isinstance(size, int) else -1 for size in output.shape]
    assert (output.name, output.type, sizes) == ("unwarped", "tensor(uint8)", [1, -1, -1, 3])


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("change", [{}, BEYOND])
@pytest.mark.parametrize("size", [(64, 48), (97, 143), (2, 300)])
def test_pages_of_any_size(batch, change, size):
    model = uvdoc_graph(batch=batch, **change)
    page = noise(7, *size, 3)
    answer = run(edit(model), {"x": page[None]})
    assert {name: (value.shape, value.dtype) for name, value in answer.items()} == {
        "unwarped": ((1, *size, 3), np.uint8)
    }
    planes = run(model, {"image": normalized(page)})["y"]
    assert np.array_equal(answer["unwarped"][0], pixels(planes))
    assert (answer["unwarped"][0] != page).mean() > 0.5, "pixels move"
    if change:
        assert planes.min() < -1 / 255
        assert planes.max() > 256 / 255


def identity(dims: str = "float[N,3,H,W]", body: str = "y = Identity (image)") -> onnx.ModelProto:
    return onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17]> g ({dims} image) => (float[N,3,H,W] y) {{{body}}}'
    )


def test_every_value_comes_back():
    """In and out again is the same pixel; channels stay in their places."""
    page = np.arange(768, dtype=np.uint32).reshape(16, 16, 3).astype(np.uint8)
    assert len(np.unique(page[..., 0])) > 80
    assert np.array_equal(run(edit(identity()), {"x": page[None]})["unwarped"][0], page)


def test_network_is_fed_what_paddlex_feeds():
    """Bit for bit, for every pixel value, and not what inference.yml says of other networks."""
    page = np.random.default_rng(0).permutation(np.arange(60 * 40 * 3) % 256).astype(np.uint8).reshape(60, 40, 3)
    settings = InferenceSettings(img_mode="RGB", normalization=Normalization(mean=(0.5, 0.5, 0.5)))
    edited = FAMILY.edit(open_source(uvdoc_graph().SerializeToString()), settings)
    edited.graph.output.append(helper.make_tensor_value_info("source/image", TensorProto.FLOAT, None))
    assert np.array_equal(run(edited, {"x": page[None]})["source/image"], normalized(page))


@pytest.mark.parametrize(
    ("level", "pixel"),
    [
        (-0.999, 0),
        (-1, 255),
        (-1.5, 255),
        (-256, 0),
        (-300.7, 212),
        (255.999, 255),
        (256, 0),
        (600.9, 88),
        (12.999, 12),
    ],
)
def test_levels_are_cut_and_wrapped(level, pixel):
    """Towards 0, and modulo 256 as numpy does it; in the optimised graph too."""
    model = identity(body="zero = Sub (image, image) y = Add (zero, value)")
    # The level itself, after the product with 255 in float32.
    value = np.float32(level) / np.float32(255)
    while np.trunc(value * np.float32(255)) != np.trunc(np.float32(level)):
        value = np.nextafter(value, np.float32(np.inf if level > 0 else -np.inf))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, np.float32), "value"))
    content = edit(model).SerializeToString()
    answer = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(
        ["unwarped"], {"x": np.zeros((1, 4, 4, 3), np.uint8)}
    )[0]
    assert np.unique(np.asarray(answer)).tolist() == [pixel]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (uvdoc_graph(size=(712, 488)), r"the input is \[\?,3,712,488\]; expected \[N,3,H,W\], where letters are"),
        (uvdoc_graph(batch=2), r"the input is \[2,3,\?,\?\]; expected \[N,3,H,W\]"),
        (identity("float[N,1,H,W]"), r"the input is \[\?,1,\?,\?\]"),
        (identity("float16[N,3,H,W]", "y = Cast <to = 1> (image)"), "input 'image' is FLOAT16; FLOAT is expected"),
    ],
)
def test_graphs_that_do_not_fit_are_refused(weights_folder, tmp_path, model, message):
    with pytest.raises(GraphError, match=message):
        export_directory(weights_folder(model, YML), tmp_path / "repository")
    assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("y = AveragePool <kernel_shape = [2, 2]> (image)", r"the page is \[1, 3, 60, 46\]; \[1, 3, 61, 47\] is expec"),
        ("z = Sub (image, image) y = Div (image, z)", "the page has values that are no numbers"),
    ],
)
def test_answers_that_are_no_pages_are_refused(weights_folder, tmp_path, body, message):
    with pytest.raises(VerificationError, match=message):
        export_directory(weights_folder(identity(body=body), YML), tmp_path / "repository")
    assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize("change", [{}, BEYOND])
def test_proof(weights_folder, tmp_path, change):
    images = [text_page(1, 1200, 30), text_page(2, 200, 1000)]
    folder = weights_folder(uvdoc_graph(**change), YML)
    proof = run_export_directory(folder, Options(into=tmp_path / "repository", images=images)).report.verification
    sizes = [tuple(case.shape[1:3]) for case in proof.cases]
    assert (len(set(sizes)), len(sizes)) == (7, 8)
    assert sizes[-2:] == [(960, 24), (192, 960)]
    assert (proof.max_edit_difference, proof.max_row_difference) == (0, 0)
    assert proof.max_runtime_difference < FAMILY.rounding_bound / 10


def swap_axes(model: onnx.ModelProto) -> None:
    *_, node = [node for node in model.graph.node if node.op_type == "Transpose"]
    node.attribute[0].ints[:] = [0, 3, 2, 1]


def round_up(model: onnx.ModelProto) -> None:
    """To the nearest whole number instead of towards 0."""
    place = [node.name.startswith("paddlex_triton/Cast") for node in model.graph.node].index(True, 2)
    node = model.graph.node[place]
    model.graph.node.insert(place, helper.make_node("Round", [node.input[0]], ["rounded"]))
    node.input[0] = "rounded"


@pytest.mark.parametrize(
    "damage",
    [
        swap_axes,
        round_up,
        change_weights("source/w2", lambda weights: weights * np.float32(1.01)),
        change_weights("paddlex_triton/constant_0", lambda scale: scale * np.float32(1.01)),
    ],
)
def test_broken_edits_are_found(damage):
    source = open_source(uvdoc_graph().SerializeToString())
    edited = edit(uvdoc_graph())
    damage(edited)
    with pytest.raises(VerificationError, match="from that of the source graph"):
        verify(FAMILY, source, edited.SerializeToString(), InferenceSettings())


def difference(level: float, pixel: int, *, exact: bool = False) -> float:
    levels = np.full((1, 2, 2, 3), 100.0, np.float32)
    levels[0, 0, 0, 0] = level
    wanted = {"unwarped": (np.trunc(levels).astype(np.int64) % 256).astype(np.uint8), "levels": levels}
    got = {"unwarped": wanted["unwarped"].copy()}
    got["unwarped"][0, 0, 0, 0] = pixel
    return 255 * FAMILY.difference(wanted, got, {}, InferenceSettings(), exact=exact)


@pytest.mark.parametrize(
    ("level", "pixel", "apart"),
    [
        (4.75, 4, 0),
        (4.75, 5, 0.25),
        (5.0, 4, 0),
        (5.25, 4, 0.25),
        (5.25, 9, 3.75),
        # Black and white lie one level apart where numbers wrap round.
        (0.0, 255, 1),
        (-0.75, 255, 0.25),
        (-1.0, 0, 0),
        (-1.25, 0, 0.25),
        (-2.5, 255, 0.5),
        (-2.5, 253, 0.5),
        (255.75, 0, 0.25),
        (256.5, 255, 0.5),
        (256.5, 1, 0.5),
        (-256.5, 255, 0.5),
        (100.0, 228, 128),
    ],
)
def test_pixels_differ_by_what_tips_them(level, pixel, apart):
    assert difference(level, pixel) == pytest.approx(apart, abs=1e-9)


def test_graphs_that_run_as_written_must_be_equal():
    assert difference(4.9999, 4, exact=True) == 0
    assert difference(4.9999, 5, exact=True) == 1
    assert FAMILY.edit_tolerance < 1 / 255


def test_other_shapes_and_types_differ():
    page = noise(1, 1, 4, 5, 3)
    wanted = {"unwarped": page, "levels": page.astype(np.float32)}
    for got in (page[:, :3], page.astype(np.int16)):
        for exact in (False, True):
            assert FAMILY.difference(wanted, {"unwarped": got}, {}, InferenceSettings(), exact=exact) == np.inf


def test_network_for_live_tests(tmp_path):
    path = export_directory(unwarping_folder(tmp_path / "weights"), tmp_path / "repository")
    page = text_page(1, 90, 120)
    moved = run(path, {"x": page[None]})["unwarped"][0]
    assert np.array_equal(moved, shifted(page))
    assert np.array_equal(moved[SHIFT[0] :, SHIFT[1] :], page[: -SHIFT[0], : -SHIFT[1]])
