"""The networks as ONNX files, with the contracts of the official ones, and weights read back from them. Needs torch."""

from __future__ import annotations

import io
import json
import os
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
import yaml
from onnx import numpy_helper
from torch import nn

from paddlex_triton.export.errors import SourceError
from paddlex_triton.export.training.layout_graph import (
    KEPT,
    MAX_OVERLAP,
    MIN_SCORE,
    CandidateNetwork,
    append_suppression,
)
from paddlex_triton.export.training.layout_network import LayoutNetwork
from paddlex_triton.export.training.scenes import CLASS_NAMES
from paddlex_triton.export.training.seal_network import SealTextNetwork, ServedSealTextNetwork

OPSET = 17
SEAL_DET_NAME, SEAL_LAYOUT_NAME = "offline_seal_det", "offline_seal_layout"
LAYOUT_SIDE = 640
_NORMALIZATION = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
# What the networks are wrapped in when they are written.
_WRAPPER = "network."
# Metadata of an ONNX file: weight -> the equal one that is stored.
_SHARED = "paddlex_triton.shared_weights"


def export_seal_detector(
    network: SealTextNetwork, folder: Path, *, sharpness: float = 1.0, offset: float = 0.0
) -> Path:
    """Write the seal text detector: `x` float32 [N, 3, H, W] -> `prob` float32 [N, 1, H, W].

    Args:
        network: to be written; its mode is set to evaluation.
        folder: gets `model.onnx` and `inference.yml`.
        sharpness, offset: calibration, see `ServedSealTextNetwork`.

    Returns:
        The ONNX file.
    """
    served = ServedSealTextNetwork(network.eval(), sharpness, offset).eval()
    axes = {"x": {0: "n", 2: "h", 3: "w"}, "prob": {0: "n", 2: "h", 3: "w"}}
    model = _trace(served, (torch.zeros(1, 3, 64, 64),), ["x"], ["prob"], axes)
    return _write(model, folder, _seal_inference_yml())


def export_layout_detector(network: LayoutNetwork, folder: Path) -> Path:
    """Write the layout detector: `image`, `scale_factor` -> `boxes` float32 [M, 6], `count` int32 [N].

    Args:
        network: to be written; its mode is set to evaluation.
        folder: gets `model.onnx` and `inference.yml`.

    Returns:
        The ONNX file.
    """
    served = CandidateNetwork(network.eval(), LAYOUT_SIDE).eval()
    names = {"image": {0: "N"}, "scale_factor": {0: "N"}, "candidates": {0: "N"}, "scores": {0: "N"}}
    inputs = (torch.zeros(2, 3, LAYOUT_SIDE, LAYOUT_SIDE), torch.ones(2, 2))
    model = _trace(served, inputs, ["image", "scale_factor"], ["candidates", "scores"], names)
    return _write(append_suppression(model), folder, _layout_inference_yml())


def load_weights(model: nn.Module, file: Path) -> None:
    """Set a network's weights from a file: an ONNX file written here, or an .npz of the same names.

    Raises:
        SourceError: the file cannot be read, or its weights are not this network's.
    """
    try:
        stored = _read_npz(file) if file.suffix == ".npz" else _read_onnx(file)
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise SourceError(f"{file} cannot be read: {error}") from error
    expected = model.state_dict()
    wanted = {name for name in expected if not name.endswith("num_batches_tracked")}
    missing = sorted(wanted - set(stored))
    if missing:
        raise SourceError(f"{file} lacks {len(missing)} of the network's {len(wanted)} weights, {missing[0]} for one")
    for name in wanted:
        if tuple(expected[name].shape) != stored[name].shape:
            raise SourceError(f"{file}: {name} is {list(stored[name].shape)}, {list(expected[name].shape)} is expected")
    state = {name: torch.from_numpy(np.array(stored[name], np.float32)) for name in wanted}
    model.load_state_dict({**expected, **state})


def save_weights(model: nn.Module, file: Path) -> None:
    """Write a network's weights, float32 by their names, to an .npz file."""
    arrays = {name: value.float().numpy() for name, value in model.state_dict().items() if value.is_floating_point()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_whole(file, buffer.getvalue())


def write_whole(file: Path, content: bytes) -> None:
    """Write a file under another name and rename it, so that it is never there in part."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def _trace(
    model: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    input_names: list[str],
    output_names: list[str],
    axes: dict[str, dict[int, str]],
) -> onnx.ModelProto:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        # Normalisations stay nodes of their own: a training goes on from the file's weights as they are.
        torch.onnx.export(
            model,
            inputs,
            buffer,
            input_names=input_names,
            output_names=output_names,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )
    traced = onnx.load_from_string(buffer.getvalue())
    _note_shared_weights(traced, model)
    return traced


def _note_shared_weights(traced: onnx.ModelProto, model: nn.Module) -> None:
    """Write into the file which of its weights stand for which others: the exporter stores equal ones once."""
    names = {
        (tuple(tensor.dims), numpy_helper.to_array(tensor).tobytes()): tensor.name
        for tensor in traced.graph.initializer
    }
    stored = set(names.values())
    shared = {
        name: names[tuple(value.shape), value.numpy().tobytes()]
        for name, value in model.state_dict().items()
        if name not in stored and value.is_floating_point()
    }
    onnx.helper.set_model_props(traced, {_SHARED: json.dumps(shared)})


def _write(model: onnx.ModelProto, folder: Path, settings: dict[str, object]) -> Path:
    onnx.checker.check_model(model, full_check=True)
    write_whole(folder / "inference.yml", yaml.safe_dump(settings, sort_keys=False).encode())
    file = folder / "model.onnx"
    write_whole(file, model.SerializeToString())
    return file


def _read_npz(file: Path) -> dict[str, np.ndarray]:
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _read_onnx(file: Path) -> dict[str, np.ndarray]:
    try:
        model = onnx.load(str(file))
    except Exception as error:  # protobuf's own error class is not public
        raise ValueError(f"no ONNX file ({type(error).__name__})") from error
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    properties = {entry.key: entry.value for entry in model.metadata_props}
    for name, other in json.loads(properties.get(_SHARED, "{}")).items():
        if other in arrays:
            arrays[name] = arrays[other]
    return {name.removeprefix(_WRAPPER): array for name, array in arrays.items()}


def _seal_inference_yml() -> dict[str, object]:
    return {
        "Global": {"model_name": SEAL_DET_NAME},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"DetLabelEncode": None},
                {"DetResizeForTest": {"resize_long": 736}},
                {"NormalizeImage": {**_NORMALIZATION, "scale": "1./255.", "order": "hwc"}},
                {"ToCHWImage": None},
                {"KeepKeys": {"keep_keys": ["image"]}},
            ]
        },
        "PostProcess": {
            "name": "DBPostProcess",
            "thresh": 0.2,
            "box_thresh": 0.6,
            "max_candidates": 1000,
            "unclip_ratio": 0.5,
            "box_type": "poly",
        },
    }


def _layout_inference_yml() -> dict[str, object]:
    return {
        "Global": {"model_name": SEAL_LAYOUT_NAME},
        "draw_threshold": 0.5,
        "Preprocess": [
            {"type": "Resize", "interp": 2, "keep_ratio": False, "target_size": [LAYOUT_SIDE, LAYOUT_SIDE]},
            {"type": "NormalizeImage", "is_scale": True, **_NORMALIZATION},
            {"type": "Permute"},
        ],
        "label_list": list(CLASS_NAMES),
        # What the graph's own suppression does; `export` cuts it off and leaves it to the host.
        "NMS": {
            "name": "MultiClassNMS",
            "score_threshold": MIN_SCORE,
            "nms_threshold": MAX_OVERLAP,
            "nms_top_k": 1000,
            "keep_top_k": KEPT * len(CLASS_NAMES),
        },
    }
