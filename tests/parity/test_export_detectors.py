"""Export of detectors: fed what PaddleX feeds, and equal to the weights as they came on real pages."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from constant_networks import constants_allowed
from onnx import helper

from paddlex_triton.export.api import Options, export_directory, run_export_directory
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.graph.contract import SOURCE_PREFIX, open_source
from paddlex_triton.export.inference_file.inference_settings import parse_inference, read_inference_yml
from paddlex_triton.network import NetworkInfo
from paddlex_triton.ops.detection_nms import boxes_to_page, multiclass_nms

FOLDERS = {
    "models/prototype_seal_layout": ("nms_detection", (640, 640), 3),
    "models/picodet_s_320_lcnet_pedestrian": ("dense_detection", (320, 320), 1),
    "reference/e2e_standin/networks/PP-DocLayout-L": ("nms_detection", (640, 640), 23),
    "reference/e2e_standin/networks/PP-YOLOE-S_human": ("nms_detection", (640, 640), 1),
}
LAYOUT = "models/prototype_seal_layout"
NORMALIZE = {
    "picodet": {"is_scale": True, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    "rtdetr": {"norm_type": "none", "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]},
}


def read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None, path
    return np.asarray(image)


def pictures(shared: Path) -> list[Path]:
    return sorted(
        path for folder in ("seal", "doc", "human") for path in (shared / "images" / folder).glob("*.[jp][pn]g")
    )


def session(path: Path | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Bit for bit only as written: the optimiser lays the two graphs out differently.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def prepared(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A page as a module sends it: uint8 [1,H,W,3] and the scale factor, float32 [1,2]."""
    height, width = size
    resized = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC))
    scale = np.array([[height / image.shape[0], width / image.shape[1]]], np.float32)
    return resized[None], scale


def planes(resized: np.ndarray) -> np.ndarray:
    """PaddleX's normalising with ImageNet's constants, RGB."""
    image = resized[..., ::-1].astype(np.float32)
    for channel, (mean, std) in enumerate(zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)):
        image[..., channel] *= (1.0 / 255.0) / std
        image[..., channel] += -mean / std
    return np.ascontiguousarray(image.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("folder", FOLDERS)
def test_export_is_equal_to_its_source(shared, tmp_path, folder):
    family, size, classes = FOLDERS[folder]
    images = [read(path) for path in pictures(shared)[:4]]
    assert images
    with constants_allowed() if "e2e_standin" in folder else nullcontext():
        outcome = run_export_directory(shared / folder, Options(into=tmp_path / "repository", images=images))
    info = NetworkInfo.load(outcome.path / "network.json")
    assert (info.family, info.geometry["target_size"], len(info.labels or [])) == (family, list(size), classes)
    verification = outcome.report.verification
    assert sum(case.name.startswith("image") for case in verification.cases) == len(images)
    assert max(case.edit_difference for case in verification.cases if case.shape[0] == 1) == 0
    assert verification.max_edit_difference <= 1e-6
    assert verification.max_row_difference <= 1e-5


def test_layout_network_gives_the_rows_of_its_source(shared, tmp_path):
    path = export_directory(shared / LAYOUT, tmp_path / "repository", name="PicoDet-S_layout_3cls")
    labels = NetworkInfo.load(path / "network.json").labels or []
    assert labels == ["image", "table", "seal"]
    source, exported = session(shared / LAYOUT / "model.onnx"), session(path / "1" / "model.onnx")
    seals = 0
    for file in pictures(shared):
        resized, scale = prepared(read(file), (640, 640))
        wanted, _ = (np.asarray(value) for value in source.run(None, {"image": planes(resized), "scale_factor": scale}))
        answer = exported.run(["rows", "count"], {"x": resized, "scale_factor": scale})
        rows, count = (np.asarray(value) for value in answer)
        assert np.array_equal(rows, wanted), file.name
        assert (count.dtype, count.tolist()) == (np.int32, [len(rows)])
        seals += sum(row[0] == labels.index("seal") and row[1] > 0.5 for row in rows)
    assert seals > 0, "none of the pages showed a seal: nothing was compared that matters"


def test_empty_page_has_no_rows(shared, tmp_path):
    path = export_directory(shared / LAYOUT, tmp_path / "repository")
    feeds = {"x": np.full((1, 640, 640, 3), 255, np.uint8), "scale_factor": np.array([[0.5, 0.5]], np.float32)}
    rows, count = (np.asarray(value) for value in session(path / "1" / "model.onnx").run(["rows", "count"], feeds))
    assert (rows.shape, count.tolist()) == ((0, 6), [0])


def test_people_are_found(shared, tmp_path):
    """The pedestrian network without its NMS, and ours after it: a photo shows people."""
    path = export_directory(shared / "models" / "picodet_s_320_lcnet_pedestrian", tmp_path / "repository")
    nms = NetworkInfo.load(path / "network.json").postprocess["nms"]
    files = sorted((shared / "images" / "human").glob("*.jpg"))
    assert files
    pairs = [prepared(read(file), (320, 320)) for file in files]
    batch = np.concatenate([resized for resized, _ in pairs])
    answer = session(path / "1" / "model.onnx").run(["boxes", "scores"], {"x": batch})
    boxes, scores = (np.asarray(value) for value in answer)
    for index, (_, scale) in enumerate(pairs):
        rows = multiclass_nms(boxes_to_page(boxes[index], scale[0]), scores[index], **nms)
        assert (rows[:, 1] > 0.5).any(), files[index].name


@pytest.mark.parametrize("kind", NORMALIZE)
def test_graph_normalises_as_paddlex(shared, kind):
    """PaddleX's own preprocessing on a stored image, bit for bit."""
    cases = np.load(shared / "reference" / "ops" / "cases.npz", allow_pickle=False)
    names = sorted({key.split("/")[0] for key in cases.files if key.startswith(f"layout_pre_{kind}_")})
    assert names
    for name in names:
        tensors = [cases[key] for key in sorted(cases.files) if key.startswith(f"{name}/t")]
        (wanted,) = [tensor for tensor in tensors if tensor.ndim == 4]
        height, width = wanted.shape[2:]
        yml = {
            "Preprocess": [
                {"type": "Resize", "interp": 2, "keep_ratio": False, "target_size": [height, width]},
                {"type": "NormalizeImage", **NORMALIZE[kind]},
                {"type": "Permute"},
            ],
            "label_list": ["a"],
        }
        resized, scale = prepared(cases[f"{name}/inp"], (height, width))
        fed = fed_to_source(yml, height, width, {"x": resized, "scale_factor": scale})
        assert np.array_equal(fed["image"], wanted), name
        assert np.array_equal(fed["scale_factor"], tensors[-1]), name
        if kind == "rtdetr":
            assert np.array_equal(fed["im_shape"], tensors[0]), name


def fed_to_source(yml: dict, height: int, width: int, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return a source's input for one of the exported network."""
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": 17]>
        fed (float[N,2] im_shape, float[N,3,{height},{width}] image, float[N,2] scale_factor)
            => (float[M,6] rows, int32[1] count)
            <float[0,6] nothing = {{}}, int32[1] zero = {{0}}>
        {{
          rows = Identity (nothing)
          count = Identity (zero)
        }}"""
    )
    family = FAMILIES["nms_detection"]
    edited = family.edit(open_source(model.SerializeToString()), parse_inference(yml, "test"))
    names = ("im_shape", "image", "scale_factor")
    edited.graph.output.extend(
        helper.make_tensor_value_info(SOURCE_PREFIX + name, onnx.TensorProto.FLOAT, None) for name in names
    )
    values = session(edited.SerializeToString()).run([SOURCE_PREFIX + name for name in names], feeds)
    return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def test_official_file_is_read(shared):
    settings = read_inference_yml(shared / "models" / "dicts" / "PP-DocLayout-S.inference.yml")
    assert (settings.model_name, settings.family, settings.img_mode) == ("PP-DocLayout-S", "dense_detection", "RGB")
    assert settings.normalization.scale == 1 / 255
    detection = settings.detection
    assert detection is not None
    assert detection.nms is not None
    assert (detection.target_size, detection.draw_threshold, detection.labels[16]) == ((480, 480), 0.5, "seal")
    assert detection.nms.thresholds == {
        "score_threshold": 0.3,
        "nms_threshold": 0.5,
        "nms_top_k": 1000,
        "keep_top_k": 100,
    }


def test_zoo_says_what_the_official_file_says(shared):
    from paddlex_triton.export.lookup import find_network

    official = read_inference_yml(shared / "models" / "dicts" / "PP-DocLayout-S.inference.yml")
    # Shapes for TensorRT, which only the file itself has.
    without_shapes = official.model_copy(update={"dynamic_shapes": None})
    assert official.dynamic_shapes
    assert parse_inference(find_network("PP-DocLayout-S").inference, "zoo") == without_shapes
