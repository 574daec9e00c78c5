"""Makes doc_preprocessor.npz beside it: what PaddleX 3.7.2's doc_preprocessor gives out on the stand-in networks.

Run it by hand where PaddleX is installed: `python make_doc_preprocessor.py NETWORKS PAGE`. NETWORKS is the folder with
PP-LCNet_x1_0_doc_ori and UVDoc, PAGE a picture of which a part is prepared. The tests read the file and need the same
networks. Texts are drawn in the font that comes with Pillow.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
from PIL import features
from pillow_font import pillow_font

# Width and height of the part of the page: not square, so that turns show.
WIDTH, HEIGHT = 220, 160
ORIENTATION, UNWARPING = "PP-LCNet_x1_0_doc_ori", "UVDoc"
SWITCHES = ("use_doc_orientation_classify", "use_doc_unwarping")
# What a call gives of the switches.
CALLS: dict[str, dict[str, bool]] = {
    "both": {},
    "no orientation": {SWITCHES[0]: False},
    "no unwarping": {SWITCHES[1]: False},
    "neither": dict.fromkeys(SWITCHES, False),
}


def configuration(networks: Path) -> dict[str, Any]:
    """PaddleX's own file, with the networks in it."""
    steps = {
        "DocOrientationClassify": ("doc_text_orientation", ORIENTATION),
        "DocUnwarping": ("image_unwarping", UNWARPING),
    }
    modules = {
        section: {"module_name": module, "model_name": name, "model_dir": str(networks / name)}
        for section, (module, name) in steps.items()
    }
    return {"pipeline_name": "doc_preprocessor", **dict.fromkeys(SWITCHES, True), "SubModules": modules}


def main(networks: Path, page: Path) -> None:
    """Write the file."""
    paddlex = importlib.import_module("paddlex")
    pipeline = paddlex.create_pipeline(config=configuration(networks), engine="onnxruntime")
    image = cv2.imread(str(page))
    assert image is not None
    part = image[:HEIGHT, :WIDTH]
    golden: dict[str, np.ndarray] = {}
    for turns in range(4):
        turned = np.ascontiguousarray(np.rot90(part, turns))
        golden[f"{turns}/page"] = turned
        for name, switches in CALLS.items():
            (result,) = pipeline.predict(turned, **switches)
            case = f"{turns}/{name}"
            golden[f"{case}/json"] = np.array(json.dumps(result.json))
            golden[f"{case}/printed"] = np.array(str(result.str))
            golden[f"{case}/keys"] = np.array(json.dumps(list(result)))
            for key in ("rot_img", "output_img"):
                golden[f"{case}/{key}"] = result[key]
            ((picture, drawn),) = result.img.items()
            golden[f"{case}/picture/{picture}"] = np.asarray(drawn)
    golden["calls"] = np.array(json.dumps(CALLS))
    golden["made_with"] = np.array(json.dumps([PIL.__version__, features.version("freetype2"), cv2.__version__]))
    np.savez_compressed(Path(__file__).with_name("doc_preprocessor.npz"), **golden)


if __name__ == "__main__":
    with pillow_font():
        main(Path(sys.argv[1]), Path(sys.argv[2]))
