"""PaddleX's pipelines on given ONNX files, for the drivers of PaddleX. Runs under an interpreter that has PaddleX."""

from __future__ import annotations

import os
from typing import Any

# A look at PaddleX's hubs would cost seconds, and is of no use: all weights are given.
os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")

ENGINE = "onnxruntime"
PACKAGES = ("paddlex", "onnxruntime", "numpy", "opencv-contrib-python")
# Pipeline -> step -> where PaddleX's pipeline file names its network.
_PLACES = {
    "OCR": {
        "text_detection": ("SubModules", "TextDetection"),
        "text_recognition": ("SubModules", "TextRecognition"),
    },
    "seal_recognition": {
        "layout_detection": ("SubModules", "LayoutDetection"),
        "seal_text_detection": ("SubPipelines", "SealOCR", "SubModules", "TextDetection"),
        "text_recognition": ("SubPipelines", "SealOCR", "SubModules", "TextRecognition"),
    },
    "human_keypoint_detection": {
        "human_detection": ("SubModules", "ObjectDetection"),
        "keypoint_detection": ("SubModules", "KeypointDetection"),
    },
}


def configuration(pipeline: str, networks: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Return PaddleX's own pipeline file with these networks in it, and the preparation of pages off.

    Args:
        pipeline: PaddleX's name.
        networks: step -> `name`, as PaddleX knows it, and `folder`.
    """
    from paddlex.inference.pipelines import load_pipeline_config  # pyright: ignore[reportMissingImports]

    config = load_pipeline_config(pipeline)
    for switch in ("use_doc_preprocessor", "use_textline_orientation"):
        if switch in config:
            config[switch] = False
    for step, place in _PLACES[pipeline].items():
        section = config
        for key in place:
            section = section[key]
        section.update(model_name=networks[step]["name"], model_dir=networks[step]["folder"])
    return config


def allow_keypoints() -> None:
    """Let keypoint networks run on ONNX Runtime: PaddleX can, but does not list it for them."""
    from paddlex.inference.models.bindings import register_predictor_binding_map  # pyright: ignore
    from paddlex.inference.models.keypoint_detection.predictor import KptRunnerPredictor  # pyright: ignore
    from paddlex.modules.keypoint_detection.model_list import MODELS  # pyright: ignore

    register_predictor_binding_map(KptRunnerPredictor, {ENGINE: MODELS})
