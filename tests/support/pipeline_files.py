"""Pipeline files with the keys and values of those that PaddleX ships, and variants of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

# What changed in OCR.yaml: version -> detector, recogniser, classifier of lines, limit of the detector's sides.
_OCR_VERSIONS = {
    "3.0.0": ("PP-OCRv5_mobile_det", "PP-OCRv5_mobile_rec", "PP-LCNet_x0_25_textline_ori", 736),
    "3.0.3": ("PP-OCRv5_server_det", "PP-OCRv5_server_rec", "PP-LCNet_x1_0_textline_ori", 64),
    "3.3.13": ("PP-OCRv5_server_det", "PP-OCRv5_server_rec", "PP-LCNet_x1_0_textline_ori", 64),
    "3.7.2": ("PP-OCRv6_medium_det", "PP-OCRv6_medium_rec", "PP-LCNet_x1_0_textline_ori", 64),
}
VERSIONS = tuple(_OCR_VERSIONS)
Config = dict[str, Any]


def module(module_name: str, model_name: str, **values: Any) -> Config:
    """The section of one step."""
    return {"module_name": module_name, "model_name": model_name, "model_dir": None, **values}


def preparation() -> Config:
    """The section of page preparation."""
    return {
        "pipeline_name": "doc_preprocessor",
        "use_doc_orientation_classify": True,
        "use_doc_unwarping": True,
        "SubModules": {
            "DocOrientationClassify": module("doc_text_orientation", "PP-LCNet_x1_0_doc_ori"),
            "DocUnwarping": module("image_unwarping", "UVDoc"),
        },
    }


def shipped(name: str, version: str = "3.7.2") -> Config:
    """The file of a pipeline as a version of PaddleX ships it."""
    made = {"OCR": _ocr, "seal_recognition": _seal, "human_keypoint_detection": _keypoints}
    return made[name](version) if name in made else preparation()


def _ocr(version: str) -> Config:
    detector, recogniser, classifier, side = _OCR_VERSIONS[version]
    limits = {"limit_side_len": side, "limit_type": "min", "max_side_limit": 4000}
    return {
        "pipeline_name": "OCR",
        "text_type": "general",
        "use_doc_preprocessor": True,
        "use_textline_orientation": True,
        "SubPipelines": {"DocPreprocessor": preparation()},
        "SubModules": {
            "TextDetection": module("text_detection", detector, **limits, thresh=0.3, box_thresh=0.6, unclip_ratio=1.5),
            "TextLineOrientation": module("textline_orientation", classifier, batch_size=6),
            "TextRecognition": module("text_recognition", recogniser, batch_size=6, score_thresh=0.0),
        },
    }


def _seal(version: str) -> Config:
    del version
    layout = {"threshold": 0.5, "layout_nms": True, "layout_unclip_ratio": 1.0, "layout_merge_bboxes_mode": "large"}
    limits = {"limit_side_len": 736, "limit_type": "min", "max_side_len": 4000}
    return {
        "pipeline_name": "seal_recognition",
        "use_doc_preprocessor": True,
        "use_layout_detection": True,
        "SubModules": {"LayoutDetection": module("layout_detection", "PP-DocLayout-L", **layout)},
        "SubPipelines": {
            "DocPreprocessor": preparation(),
            "SealOCR": {
                "pipeline_name": "OCR",
                "text_type": "seal",
                "use_doc_preprocessor": False,
                "use_textline_orientation": False,
                "SubModules": {
                    "TextDetection": module(
                        "seal_text_detection",
                        "PP-OCRv4_server_seal_det",
                        **limits,
                        thresh=0.2,
                        box_thresh=0.6,
                        unclip_ratio=0.5,
                    ),
                    "TextRecognition": module("text_recognition", "PP-OCRv4_server_rec", batch_size=1, score_thresh=0),
                },
            },
        },
    }


def _keypoints(version: str) -> Config:
    del version
    detector = module("object_detection", "PP-YOLOE-S_human", batch_size=1, threshold=None, img_size=None)
    finder = module("keypoint_detection", "PP-TinyPose_128x96", batch_size=1, flip=False, use_udp=None)
    return {
        "pipeline_name": "human_keypoint_detection",
        "SubModules": {"ObjectDetection": detector, "KeypointDetection": finder},
    }


def beta(name: str) -> Config:
    """The file of a pipeline as a beta ships it."""
    models = {
        "OCR": {"text_det_model": "PP-OCRv4_mobile_det", "text_rec_model": "PP-OCRv4_mobile_rec"},
        "seal_recognition": {
            "layout_model": "RT-DETR-H_layout_3cls",
            "text_det_model": "PP-OCRv4_server_seal_det",
            "text_rec_model": "PP-OCRv4_server_rec",
            "layout_batch_size": 1,
        },
        "human_keypoint_detection": {
            "human_det_model": "PP-YOLOE-S_human",
            "keypoint_det_model": "PP-TinyPose_256x192",
        },
    }[name]
    batch = {} if name == "human_keypoint_detection" else {"text_rec_batch_size": 1}
    return {"Global": {"pipeline_name": name, "input": "page.png"}, "Pipeline": {**models, **batch}}


def changed(config: Config, path: str, *value: Any) -> Config:
    """A copy with one key, a dotted path, set to a value; without it if none is given."""
    made = copy.deepcopy(config)
    place, (*folders, key) = made, path.split(".")
    for folder in folders:
        place = place.setdefault(folder, {})
    if value:
        place[key] = value[0]
    else:
        del place[key]
    return made


def key_paths(config: Config, prefix: str = "") -> Iterator[str]:
    """The dotted paths of all keys that hold no section."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from key_paths(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
