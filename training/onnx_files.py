"""The network as an ONNX file, with the contract of the official ones, and weights read back from it. Needs torch."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
import yaml
from onnx import numpy_helper
from torch import nn

from paddlex_triton.export.errors import SourceError
from training.files import write_whole
from training.graph import (
    KEPT,
    MAX_OVERLAP,
    MIN_SCORE,
    CandidateNetwork,
    append_suppression,
)
from training.inputs import MEAN, SIDE, STD
from training.network import LayoutNetwork
from training.scenes import CLASS_NAMES

OPSET = 17
NAME = "offline_seal_layout"
# What the network is wrapped in when it is written.
_WRAPPER = "network."
# Metadata of an ONNX file: weight -> the equal one that is stored.
_SHARED = "paddlex_triton.shared_weights"


def export_network(network: LayoutNetwork, folder: Path) -> Path:
    """Write a network's file: `image`, `scale_factor` -> `boxes` float32 [M, 6], `count` int32 [N].

    Args:
        network: to be written; its mode is set to evaluation.
        folder: gets `model.onnx` and `inference.yml`.

    Returns:
        The ONNX file.
    """
    model = append_suppression(_traced(CandidateNetwork(network.eval(), SIDE).eval()))
    onnx.checker.check_model(model, full_check=True)
    write_whole(folder / "inference.yml", yaml.safe_dump(_inference_yml(), sort_keys=False).encode())
    file = folder / "model.onnx"
    write_whole(file, model.SerializeToString())
    return file


def load_weights(network: LayoutNetwork, file: Path) -> None:
    """Set a network's weights from an ONNX file written here.

    Raises:
        SourceError: the file cannot be read, or its weights are not this network's.
    """
    try:
        stored = _read_weights(onnx.load(str(file)))
    except Exception as error:  # protobuf's own error class is not public
        raise SourceError(f"{file} is no ONNX file that can be read ({type(error).__name__}: {error})") from error
    expected = network.state_dict()
    wanted = {name for name in expected if not name.endswith("num_batches_tracked")}
    missing = sorted(wanted - set(stored))
    if missing:
        raise SourceError(f"{file} lacks {len(missing)} of the network's {len(wanted)} weights, {missing[0]} for one")
    for name in wanted:
        if tuple(expected[name].shape) != stored[name].shape:
            raise SourceError(f"{file}: {name} is {list(stored[name].shape)}, {list(expected[name].shape)} is expected")
    state = {name: torch.from_numpy(np.array(stored[name], np.float32)) for name in wanted}
    network.load_state_dict({**expected, **state})


def _traced(served: CandidateNetwork) -> onnx.ModelProto:
    """Write the graph up to the candidates; the number of pages stays open."""
    inputs = (torch.zeros(2, 3, SIDE, SIDE), torch.ones(2, 2))
    input_names, output_names = ["image", "scale_factor"], ["candidates", "scores"]
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        # Normalisations stay nodes of their own: a training goes on from the file's weights as they are.
        torch.onnx.export(
            served,
            inputs,
            buffer,  # type: ignore[arg-type]
            input_names=input_names,
            output_names=output_names,
            dynamic_axes={name: {0: "N"} for name in (*input_names, *output_names)},
            opset_version=OPSET,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )
    traced = onnx.load_from_string(buffer.getvalue())
    _note_shared_weights(traced, served)
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


def _read_weights(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    properties = {entry.key: entry.value for entry in model.metadata_props}
    for name, other in json.loads(properties.get(_SHARED, "{}")).items():
        if other in arrays:
            arrays[name] = arrays[other]
    return {name.removeprefix(_WRAPPER): array for name, array in arrays.items()}


def _inference_yml() -> dict[str, object]:
    return {
        "Global": {"model_name": NAME},
        "draw_threshold": 0.5,
        "Preprocess": [
            {"type": "Resize", "interp": 2, "keep_ratio": False, "target_size": [SIDE, SIDE]},
            {"type": "NormalizeImage", "is_scale": True, "mean": list(MEAN), "std": list(STD)},
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
