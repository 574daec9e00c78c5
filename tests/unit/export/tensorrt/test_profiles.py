"""Profiles: they cover what the modules send, in every family, and take from inference.yml what it says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from paddlex_triton.export.errors import InferenceFileError
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.inference_file.inference_settings import parse_inference
from paddlex_triton.export.tensorrt.precision import precision_table
from paddlex_triton.export.tensorrt.profiles import WITHOUT_PLAN, PlanShapes, plan_shapes, shapes_argument
from paddlex_triton.ops.recognition import merge_batches, plan_batches, plan_tight
from paddlex_triton.ops.text_detection import detection_size
from paddlex_triton.zoo import load_zoo

ZOO = load_zoo().networks
PLANNED = [name for name, entry in ZOO.items() if entry.family not in WITHOUT_PLAN]
# As in a published inference.yml of PP-OCRv5_server_det.
DET_SHAPES = {"x": [[1, 3, 32, 32], [1, 3, 736, 736], [1, 3, 4000, 4000]]}
REC_SHAPES = {"x": [[1, 3, 48, 160], [1, 3, 48, 320], [8, 3, 48, 3200]]}


def shapes_of(name: str) -> PlanShapes:
    entry = ZOO[name]
    family = FAMILIES[entry.family]
    settings = parse_inference(entry.inference, name)
    if settings.detection is None and entry.family in ("dense_detection", "detr_detection"):
        geometry = {"target_size": [480, 480]}
    else:
        geometry = family.geometry(settings)
    shapes = plan_shapes(entry.family, geometry, family.max_batch_size)
    assert shapes is not None
    return shapes


@pytest.mark.parametrize("name", PLANNED)
def test_networks_of_the_zoo(name):
    """Bounds are in order, every profile takes as many rows, and the rows are those of the configuration."""
    shapes = shapes_of(name)
    for profile in shapes.profiles:
        for bounds in profile.values():
            assert bounds.covers(bounds.usual)
            assert (bounds.least[0], bounds.most[0]) == (1, shapes.max_batch_size)
            assert all(low <= high for low, high in zip(bounds.least, bounds.most, strict=True))
    entry = precision_table().of(name, ZOO[name].family)
    assert len(entry.reason) > 10


@pytest.mark.parametrize("family", sorted(WITHOUT_PLAN))
def test_families_on_onnx_runtime(family):
    assert plan_shapes(family, {}, 0) is None
    with pytest.raises(KeyError):
        precision_table().of("any", family)


def test_precisions():
    table = precision_table()
    servers = [name for name in PLANNED if name.endswith(("server_det", "server_seal_det"))]
    assert len(servers) == 3
    assert {table.of(name, "db_detection").precision for name in servers} == {"fp32"}
    assert table.of("PP-OCRv5_mobile_det", "db_detection").precision == "fp16"
    assert table.of("somebody's", "db_detection").precision == "fp32"
    assert table.of("somebody's", "ctc_recognition").precision == "fp16"
    assert set(table.networks) <= set(ZOO)
    assert set(table.families) == set(FAMILIES) - WITHOUT_PLAN


@pytest.mark.parametrize("given", [None, DET_SHAPES])
@pytest.mark.parametrize("limits", [("min", 64), ("min", 736), ("max", 960), ("resize_long", 4000)])
def test_every_page_that_a_detector_is_sent_is_covered(given, limits):
    shapes = plan_shapes("db_detection", {}, 4, given)
    assert shapes is not None
    sides = [1, 31, 32, 33, 500, 1280, 1281, 3999, 4000, 4001, 12000, 32766]
    for height, width in itertools.product(sides, repeat=2):
        size = detection_size(height, width, limit_side_len=limits[1], limit_type=limits[0], max_side_limit=4000)
        assert shapes.profile_for({"x": (1, *size, 3)}) is not None, (height, width, size)


def test_larger_pages_are_told_to_be_refused():
    shapes = plan_shapes("db_detection", {}, 4)
    assert shapes is not None
    assert shapes.max_sides == (4000, 4000)
    assert shapes.profile_for({"x": (1, 4000, 4000, 3)}) == 1
    assert shapes.profile_for({"x": (1, 4032, 32, 3)}) is None
    assert shapes.profile_for({"x": (2, 960, 960, 3)}) is None
    assert shapes.profile_for({"x": (1, 960, 960, 3)}) == 0


@pytest.mark.parametrize("given", [None, REC_SHAPES])
@pytest.mark.parametrize("image_shape", [[3, 48, 320], [3, 32, 100], [3, 48, 1000], [3, 56, 61]])
def test_every_line_that_a_recogniser_is_sent_is_covered(given, image_shape):
    rows = FAMILIES["ctc_recognition"].max_batch_size
    shapes = plan_shapes("ctc_recognition", {"image_shape": image_shape}, rows, given)
    assert shapes is not None
    rng = np.random.default_rng(0)
    sizes = [(int(rng.integers(1, 200)), int(rng.integers(1, 20000))) for _ in range(300)]
    shape = tuple(image_shape)
    plans = [plan_batches(sizes, image_shape=shape, batch_size=batch_size) for batch_size in (1, 6, 32)]
    for planned in (*plans, plan_tight([(200, 1), *sizes], image_shape=shape)):
        for batch in merge_batches(planned, rows):
            count = len(batch.indices)
            sent = {"x": (count, image_shape[1], batch.width, 3), "widths": (count, 1)}
            assert shapes.profile_for(sent) is not None, sent
    full = {"x": (rows, image_shape[1], 3200, 3), "widths": (rows, 1)}
    assert shapes.profile_for(full) == 1
    assert shapes.profile_for({"x": (rows, image_shape[1], 3201, 3), "widths": (rows, 1)}) is None


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("dense_detection", {"x"}),
        ("detr_detection", {"x", "scale_factor"}),
        ("heatmap_keypoints", {"x"}),
        ("image_classification", {"x"}),
    ],
)
def test_images_of_one_size(family, names):
    rows = FAMILIES[family].max_batch_size
    shapes = plan_shapes(family, {"target_size": [64, 96]}, rows)
    assert shapes is not None
    (profile,) = shapes.profiles
    assert set(profile) == names
    for count in (1, 3, rows):
        sent = {"x": (count, 64, 96, 3), "scale_factor": (count, 2)}
        assert shapes.profile_for(sent) == 0
    assert shapes.profile_for({"x": (rows + 1, 64, 96, 3), "scale_factor": (rows + 1, 2)}) is None
    assert shapes.profile_for({"x": (1, 96, 64, 3), "scale_factor": (1, 2)}) is None


def test_usual_shapes_come_from_the_file():
    shapes = plan_shapes("db_detection", {}, 4, DET_SHAPES)
    assert shapes is not None
    assert [profile["x"].usual[1:3] for profile in shapes.profiles] == [(736, 736), (1760, 1248)]
    shapes = plan_shapes("db_detection", {}, 4, {"x": [[1, 3, 32, 32], [1, 3, 2048, 1536], [1, 3, 6400, 9000]]})
    assert shapes is not None
    assert [profile["x"].usual[1:3] for profile in shapes.profiles] == [(960, 960), (2048, 1536)]
    assert shapes.max_sides == (6400, 8000)
    shapes = plan_shapes("ctc_recognition", {"image_shape": [3, 48, 320]}, 32, REC_SHAPES)
    assert shapes is not None
    assert shapes.profiles[0]["x"].least == (1, 48, 128, 3)
    assert shapes.profiles[0]["x"].usual == (16, 48, 320, 3)
    shapes = plan_shapes("image_classification", {"target_size": [80, 160]}, 32, {"x": [[1, 3, 80, 160]] * 3})
    assert shapes is not None
    assert shapes.profiles[0]["x"].usual == (8, 80, 160, 3)


def test_of_several_images_none_is_taken():
    two = {"a": DET_SHAPES["x"], "b": DET_SHAPES["x"]}
    assert plan_shapes("db_detection", {}, 4, two) == plan_shapes("db_detection", {}, 4)


@pytest.mark.parametrize(("family", "key"), [("ctc_recognition", "image_shape"), ("dense_detection", "target_size")])
@pytest.mark.parametrize("value", [None, [48], "48"])
def test_geometry_of_another_form(family, key, value):
    with pytest.raises(ValueError, match=rf"{key} is .*is expected"):
        plan_shapes(family, {key: value}, 4)


def test_as_trtexec_takes_them():
    shapes = plan_shapes("ctc_recognition", {"image_shape": [3, 48, 320]}, 32)
    assert shapes is not None
    assert [shapes_argument(shapes.profiles[1], which) for which in ("least", "usual", "most")] == [
        "x:1x48x128x3,widths:1x1",
        "x:8x48x1280x3,widths:8x1",
        "x:32x48x3200x3,widths:32x1",
    ]


def hpi(tensorrt=None, paddle=None) -> dict:
    backends = {"tensorrt": {"dynamic_shapes": tensorrt}, "paddle_infer": {"trt_dynamic_shapes": paddle}}
    return {"Hpi": {"backend_configs": backends}}


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ({}, None),
        ({"Hpi": None}, None),
        (hpi(), None),
        (hpi(tensorrt=REC_SHAPES), REC_SHAPES),
        (hpi(paddle=DET_SHAPES), DET_SHAPES),
        (hpi(tensorrt=REC_SHAPES, paddle=DET_SHAPES), REC_SHAPES),
    ],
)
def test_shapes_are_read_from_the_file(content, wanted):
    found = parse_inference(content, "test").dynamic_shapes
    assert (found and {name: [list(shape) for shape in of] for name, of in found.items()}) == wanted


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"Hpi": [1]}, "Hpi is not a mapping"),
        ({"Hpi": {"backend_configs": {"tensorrt": 3}}}, r"Hpi\.backend_configs\.tensorrt is not a mapping"),
        (hpi(tensorrt={"x": [[1, 3, 32, 32]] * 2}), r"tensorrt\.dynamic_shapes: x"),
        (hpi(tensorrt={"x": [[1, 3, 32, 0]] * 3}), r"tensorrt\.dynamic_shapes: x"),
        (hpi(tensorrt={"x": [[1, 3, 9], [1, 3, 8], [1, 3, 9]]}), "the least, the usual and the largest"),
        (hpi(paddle={"x": [[1, 3], [1, 3, 8], [1, 3, 9]]}), r"trt_dynamic_shapes\.x is .* in this order"),
    ],
)
def test_shapes_of_another_form_are_refused(content, text):
    with pytest.raises(InferenceFileError, match=text):
        parse_inference(content, "test")
