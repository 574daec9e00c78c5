"""Writing a pipeline file, in PaddleX 3's dialect."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import yaml

from paddlex_triton.pipeline_file.model import is_pipeline_file
from paddlex_triton.pipeline_file.version3 import DETECTION, MAX_SIDE
from paddlex_triton.pipelines import PipelineSpec, find_preset


def make_config(spec: PipelineSpec, preset: str | None = None) -> dict[str, Any]:
    """Return the content of a pipeline file that stands for a preset and for the defaults of all parameters.

    Steps that the preset has no network for are off; their sections are there all the same, for those who turn them
    on.

    Args:
        spec: the pipeline.
        preset: one of its presets, None for the default one.

    Raises:
        ChoiceError: there is no such preset.
    """
    networks = find_preset(spec, preset)
    possible = {step: names[0] for step, names in spec.when_exported.items()} | find_preset(spec) | networks
    on = {step: step in networks for step in spec.steps}
    defaults = {name: field.default for name, field in spec.params.model_fields.items()}
    return {"pipeline_name": spec.name, **_WRITERS[spec.name](possible, on, defaults)}


def config_text(spec: PipelineSpec, preset: str | None = None) -> str:
    """Return the same as YAML.

    Raises:
        ChoiceError: see `make_config`.
    """
    name = spec.short_preset(preset or spec.default_preset)
    values = make_config(spec, preset)
    return f"# {spec.name} on the networks of preset {name}\n\n" + yaml.safe_dump(values, sort_keys=False)


def target_path(spec: PipelineSpec, save_path: Path | None) -> Path:
    """Where a pipeline's file goes: the file itself if the path ends in .yaml or .yml, else a folder for NAME.yaml."""
    place = save_path or Path()
    return place if is_pipeline_file(place.name) else place / f"{spec.name}.yaml"


def save_text(text: str, path: Path, *, force: bool = False) -> None:
    """Write a file whole or not at all, and its folder if there is none.

    Args:
        text: what to write.
        path: where.
        force: replace a file that is there.

    Raises:
        FileExistsError: there is one.
        OSError: it cannot be written.
    """
    _make_folder(path.parent)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        if force:
            part.replace(path)
        else:
            # Unlike a rename, a link does not take a name that somebody has.
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None


def _ocr(networks: dict[str, str], on: dict[str, bool], defaults: dict[str, Any]) -> dict[str, Any]:
    detector = _module("text_detection", networks["text_detection"])
    turner = _module("textline_orientation", networks["textline_orientation"])
    return {
        "text_type": "general",
        "use_doc_preprocessor": _prepares(on),
        "use_textline_orientation": on["textline_orientation"],
        "SubPipelines": {"DocPreprocessor": _page_preparation(networks, on)},
        "SubModules": {
            "TextDetection": {
                **detector,
                **{key: defaults[f"text_det_{key}"] for key in DETECTION},
                "max_side_limit": defaults["text_det_max_side_limit"],
            },
            "TextLineOrientation": {**turner, "batch_size": defaults["textline_orientation_batch_size"]},
            "TextRecognition": {
                **_recogniser(networks, defaults, "text_rec_score_thresh"),
                "return_word_box": defaults["return_word_box"],
            },
        },
    }


def _seal_recognition(networks: dict[str, str], on: dict[str, bool], defaults: dict[str, Any]) -> dict[str, Any]:
    layout = _module("layout_detection", networks["layout_detection"])
    detector = _module("seal_text_detection", networks["seal_text_detection"])
    return {
        "use_doc_preprocessor": _prepares(on),
        "use_layout_detection": on["layout_detection"],
        "SubModules": {
            "LayoutDetection": {
                **layout,
                "threshold": defaults["layout_threshold"],
                **{key: defaults[key] for key in ("layout_nms", "layout_unclip_ratio", "layout_merge_bboxes_mode")},
            }
        },
        "SubPipelines": {
            "DocPreprocessor": _page_preparation(networks, on),
            "SealOCR": {
                "pipeline_name": "OCR",
                "text_type": "seal",
                "use_doc_preprocessor": False,
                "use_textline_orientation": False,
                "SubModules": {
                    "TextDetection": {
                        **detector,
                        **{key: defaults[f"seal_det_{key}"] for key in DETECTION},
                        "max_side_limit": MAX_SIDE,
                    },
                    "TextRecognition": _recogniser(networks, defaults, "seal_rec_score_thresh"),
                },
            },
        },
    }


def _keypoints(networks: dict[str, str], on: dict[str, bool], defaults: dict[str, Any]) -> dict[str, Any]:
    detector = _module("object_detection", networks["human_detection"])
    finder = _module("keypoint_detection", networks["keypoint_detection"])
    return {
        "SubModules": {
            "ObjectDetection": {**detector, "batch_size": 1, "threshold": defaults["det_threshold"]},
            "KeypointDetection": {**finder, "batch_size": 1, "flip": False, "use_udp": None},
        }
    }


_WRITERS = {"OCR": _ocr, "seal_recognition": _seal_recognition, "human_keypoint_detection": _keypoints}


def _prepares(on: dict[str, bool]) -> bool:
    return on["doc_orientation_classify"] or on["doc_unwarping"]


def _page_preparation(networks: dict[str, str], on: dict[str, bool]) -> dict[str, Any]:
    # With the whole sub-pipeline off, its own switches say what is on once it is turned on.
    both = not _prepares(on)
    return {
        "pipeline_name": "doc_preprocessor",
        "use_doc_orientation_classify": both or on["doc_orientation_classify"],
        "use_doc_unwarping": both or on["doc_unwarping"],
        "SubModules": {
            "DocOrientationClassify": _module("doc_text_orientation", networks["doc_orientation_classify"]),
            "DocUnwarping": _module("image_unwarping", networks["doc_unwarping"]),
        },
    }


def _recogniser(networks: dict[str, str], defaults: dict[str, Any], score_thresh: str) -> dict[str, Any]:
    return {
        **_module("text_recognition", networks["text_recognition"]),
        "batch_size": defaults["text_recognition_batch_size"],
        "score_thresh": defaults[score_thresh],
    }


def _module(module_name: str, network: str) -> dict[str, Any]:
    return {"module_name": module_name, "model_name": network, "model_dir": None}
