"""The inference.yml of each network of `build_paddle_networks.py`, as PaddleX writes them."""

from __future__ import annotations

from typing import Any

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
LABELS = ["image", "table", "seal"]

_IMAGENET = {"scale": "1./255.", "mean": MEAN, "std": STD, "order": "hwc"}


def _transforms(*operators: dict[str, Any]) -> dict[str, Any]:
    return {"transform_ops": [{"DecodeImage": {"channel_first": False, "img_mode": "BGR"}}, *operators]}


def _detection(operator: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        operator,
        {"type": "NormalizeImage", "is_scale": True, "norm_type": "mean_std", "mean": MEAN, "std": STD},
        {"type": "Permute"},
    ]


YMLS: dict[str, dict[str, Any]] = {
    "db_detection": {
        "Global": {"model_name": "random_det"},
        "PreProcess": _transforms(
            {"DetResizeForTest": {"resize_long": 960}}, {"NormalizeImage": _IMAGENET}, {"ToCHWImage": None}
        ),
        "PostProcess": {"name": "DBPostProcess", "thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5},
    },
    "ctc_recognition": {
        "Global": {"model_name": "random_rec"},
        "PreProcess": _transforms({"RecResizeImg": {"image_shape": [3, 48, 320]}}),
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": list("abcdefgh")},
    },
    "dense_detection": {
        "Global": {"model_name": "random_layout"},
        "arch": "GFL",
        "draw_threshold": 0.5,
        "Preprocess": _detection({"type": "Resize", "interp": 2, "keep_ratio": False, "target_size": [64, 96]}),
        "label_list": LABELS,
        "NMS": {
            "name": "MultiClassNMS",
            "score_threshold": 0.3,
            "nms_threshold": 0.5,
            "nms_top_k": 1000,
            "keep_top_k": 100,
        },
    },
    "heatmap_keypoints": {
        "Global": {"model_name": "random_pose"},
        "arch": "HRNet",
        "Preprocess": _detection({"type": "TopDownEvalAffine", "trainsize": [48, 64]}),
        "label_list": ["keypoint"],
    },
    "image_classification": {
        "Global": {"model_name": "random_ori"},
        "PreProcess": {
            "transform_ops": [
                {"ResizeImage": {"resize_short": 256}},
                {"CropImage": {"size": 224}},
                {"NormalizeImage": {"scale": 1 / 255, "mean": MEAN, "std": STD, "order": "", "channel_num": 3}},
                {"ToCHWImage": None},
            ]
        },
        "PostProcess": {"Topk": {"topk": 1, "label_list": LABELS}},
    },
    # PaddleX's own file for UVDoc says nothing but the name, which the zoo knows.
    "image_unwarping": {"Global": {"model_name": "UVDoc"}},
}
