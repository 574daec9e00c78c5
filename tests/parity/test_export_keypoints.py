"""Export of keypoint networks: equal to the weights as they came, on people cut out of real pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from paddlex_triton.export.api import Options, Outcome, run_export_directory
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.graph.contract import open_source
from paddlex_triton.export.inference_file.inference_settings import parse_inference, read_inference_yml
from paddlex_triton.export.lookup import find_network
from paddlex_triton.network import NetworkInfo
from paddlex_triton.ops.keypoint_crop import crop_people, frames_of_boxes
from paddlex_triton.ops.keypoint_decode import keypoints_on_page

FOLDERS = {
    "models/PP-TinyPose_128x96": (128, 96),
    "models/PP-TinyPose_256x192": (256, 192),
    "reference/e2e_standin/networks/PP-TinyPose_128x96": (128, 96),
}
REAL = list(FOLDERS)[:2]


def session(content: bytes | Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Bit for bit only as written: the optimiser lays the two graphs out differently.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True)
class Page:
    """A picture BGR, boxes of people in it, and the keypoints PaddleX finds with the network of some size."""

    image: np.ndarray
    boxes: np.ndarray
    keypoints: np.ndarray


def pages_of(shared: Path, size: tuple[int, int]) -> list[Page]:
    found = []
    for file in sorted((shared / "reference" / "e2e_real").glob("kpt_*.json")):
        image = cv2.imread(str(shared / "images" / "human" / f"{file.stem.removeprefix('kpt_')}.jpg"))
        assert image is not None, file
        people = json.loads(file.read_text())[f"PP-TinyPose_{size[0]}x{size[1]}"]
        boxes = np.array([person["box"] for person in people], np.float32)
        keypoints = np.array([person["keypoints"] for person in people], np.float32)
        found.append(Page(np.asarray(image), boxes, keypoints))
    assert found
    return found


@pytest.fixture(scope="module")
def exported(shared, tmp_path_factory) -> Callable[[str], Outcome]:
    """Exports a folder, once."""

    @cache
    def export(folder: str) -> Outcome:
        images = [page.image for page in pages_of(shared, FOLDERS[folder])]
        return run_export_directory(shared / folder, Options(into=tmp_path_factory.mktemp("repository"), images=images))

    return export


def planes(crops: np.ndarray) -> np.ndarray:
    """PaddleX's normalising with ImageNet's constants, RGB."""
    image = crops[..., ::-1].astype(np.float32)
    for channel, (mean, std) in enumerate(zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)):
        image[..., channel] *= (1.0 / 255.0) / std
        image[..., channel] += -mean / std
    return np.ascontiguousarray(image.transpose(0, 3, 1, 2))


def heatmaps_of(source: onnxruntime.InferenceSession, image: np.ndarray) -> np.ndarray:
    (heatmaps,) = [value for value in map(np.asarray, source.run(None, {"image": image})) if value.ndim == 4]
    return heatmaps


@pytest.mark.parametrize("folder", FOLDERS)
def test_export_is_equal_to_its_source(shared, exported, folder):
    outcome = exported(folder)
    info = NetworkInfo.load(outcome.path / "network.json")
    assert (info.family, info.geometry) == ("heatmap_keypoints", {"target_size": list(FOLDERS[folder])})
    verification = outcome.report.verification
    assert sum(case.name.startswith("image") for case in verification.cases) == len(pages_of(shared, FOLDERS[folder]))
    assert verification.max_edit_difference == 0
    assert verification.max_row_difference <= FAMILIES["heatmap_keypoints"].rounding_floor


@pytest.mark.parametrize("folder", FOLDERS)
def test_heatmaps_of_people_are_those_of_the_source(shared, exported, folder):
    size = FOLDERS[folder]
    (file,) = (shared / folder).glob("*.onnx")
    source, network = session(file), session(exported(folder).path / "1" / "model.onnx")
    for page in pages_of(shared, size):
        crops = crop_people(page.image, frames_of_boxes(page.boxes, size), size)
        heatmaps = np.asarray(network.run(["heatmaps"], {"x": crops})[0])
        assert heatmaps.shape == (len(page.boxes), 17, size[0] // 4, size[1] // 4)
        # PaddleX calls it once per person.
        for row, image_planes in enumerate(planes(crops)):
            np.testing.assert_allclose(heatmaps[row], heatmaps_of(source, image_planes[None])[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("folder", REAL)
def test_keypoints_are_those_of_paddlex(shared, exported, folder):
    """From the graph optimised as on a server: within 0.05 pixels, and 1e-4 of a score."""
    size = FOLDERS[folder]
    path = exported(folder).path / "1" / "model.onnx"
    served = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for page in pages_of(shared, size):
        frames = frames_of_boxes(page.boxes, size)
        heatmaps = np.asarray(served.run(["heatmaps"], {"x": crop_people(page.image, frames, size)})[0])
        apart = np.abs(keypoints_on_page(heatmaps, frames).keypoints - page.keypoints)
        assert apart[..., 2].max() <= 1e-4
        assert apart[..., :2].max() <= 0.05


def fixed_to_one(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network as a converter folds it for a batch of 1: every size inside is a number."""
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[0].dim_value = 1
    shapes = {node.input[1] for node in model.graph.node if node.op_type == "Reshape"}
    for tensor in model.graph.initializer:
        if tensor.name in shapes:
            shape = numpy_helper.to_array(tensor)
            assert shape[0] == -1
            tensor.CopyFrom(numpy_helper.from_array(np.array([1, *shape[1:]], np.int64), tensor.name))
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    sizes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in inferred.graph.value_info
    }
    for node in model.graph.node:
        if node.op_type == "Resize":
            name = f"{node.output[0]}_sizes"
            assert 0 not in sizes[node.output[0]]
            model.graph.initializer.append(numpy_helper.from_array(np.array(sizes[node.output[0]], np.int64), name))
            node.input[:] = [node.input[0], "", "", name]
    return model


def test_network_for_one_person_takes_any_number(shared):
    folder, size = shared / REAL[0], FOLDERS[REAL[0]]
    settings = read_inference_yml(folder / "inference.yml")
    page = pages_of(shared, size)[0]
    crops = crop_people(page.image, frames_of_boxes(page.boxes, size), size)
    assert len(crops) > 1
    answers = []
    for model in (onnx.load(str(folder / "model.onnx")), fixed_to_one(onnx.load(str(folder / "model.onnx")))):
        edited = FAMILIES["heatmap_keypoints"].edit(open_source(model.SerializeToString()), settings)
        answers.append(np.asarray(session(edited.SerializeToString()).run(["heatmaps"], {"x": crops})[0]))
    assert np.array_equal(*answers)


@pytest.mark.parametrize("folder", REAL)
def test_zoo_says_what_the_files_say(shared, folder):
    written = read_inference_yml(shared / folder / "inference.yml")
    assert parse_inference(find_network(Path(folder).name).inference, "zoo") == written
