"""Makes recognition_batches.json beside it: how PaddleX 3.7.2 reads samples/page.png in batches of other sizes.

Run it by hand where PaddleX is installed, with the two networks of the wheel rapidocr-onnxruntime 1.4.4:

    python make_recognition_batches.py ch_PP-OCRv4_det_infer.onnx ch_PP-OCRv4_rec_infer.onnx

The tests read the file alone: batch size of the recogniser -> `texts` and `scores` of the lines.
"""

import importlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).resolve().parents[3] / "samples" / "page.png"
BATCH_SIZES = (1, 2, 6, 8)
NORMALIZE = {"scale": "1./255.", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "order": "hwc"}
DECODE = {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}}


def detector_settings() -> dict[str, Any]:
    transforms = [DECODE, {"DetResizeForTest": {"resize_long": 960}}, {"NormalizeImage": NORMALIZE}]
    thresholds = {"thresh": 0.3, "box_thresh": 0.6, "max_candidates": 1000, "unclip_ratio": 1.5}
    return {
        "Global": {"model_name": "PP-OCRv4_mobile_det"},
        "PreProcess": {"transform_ops": [*transforms, {"ToCHWImage": None}]},
        "PostProcess": {"name": "DBPostProcess", **thresholds},
    }


def recogniser_settings(network: Path) -> dict[str, Any]:
    session = importlib.import_module("onnxruntime").InferenceSession(str(network), providers=["CPUExecutionProvider"])
    characters = session.get_modelmeta().custom_metadata_map["character"].splitlines()
    return {
        "Global": {"model_name": "PP-OCRv4_mobile_rec"},
        "PreProcess": {"transform_ops": [DECODE, {"RecResizeImg": {"image_shape": [3, 48, 320]}}]},
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": characters},
    }


def module(folder: Path, settings: dict[str, Any], network: Path, **values: Any) -> dict[str, Any]:
    """A network's folder as PaddleX wants it, and its section of a pipeline file."""
    name = settings["Global"]["model_name"]
    place = folder / name
    place.mkdir()
    shutil.copy(network, place / "inference.onnx")
    (place / "inference.yml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    return {"model_name": name, "model_dir": str(place), **values}


def main(detector: str, recogniser: str) -> None:
    create_pipeline = importlib.import_module("paddlex").create_pipeline
    read = {}
    with tempfile.TemporaryDirectory() as name:
        limits = {"limit_side_len": 736, "limit_type": "min", "thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5}
        modules = {
            "TextDetection": module(Path(name), detector_settings(), Path(detector), **limits),
            "TextRecognition": module(Path(name), recogniser_settings(Path(recogniser)), Path(recogniser)),
        }
        switches = {"use_doc_preprocessor": False, "use_textline_orientation": False}
        config = {"pipeline_name": "OCR", "text_type": "general", **switches, "SubModules": modules}
        for size in BATCH_SIZES:
            modules["TextRecognition"]["batch_size"] = size
            pipeline = create_pipeline(config=config, device="cpu", engine="onnxruntime")
            (result,) = pipeline.predict(str(PAGE))
            scores = [float(score) for score in result["rec_scores"]]
            read[str(size)] = {"texts": list(result["rec_texts"]), "scores": scores}
    target = Path(__file__).with_name("recognition_batches.json")
    target.write_text(json.dumps(read, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
