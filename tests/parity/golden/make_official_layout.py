"""Makes official_layout.json: what PaddleX finds with the layout networks of ../shared/models/official_architectures.

    PYTHONPATH=tests/support python make_official_layout.py FOLDER... official_layout.json

Run by an interpreter that has PaddleX 3.7.2 and PaddlePaddle; each FOLDER holds inference.json, inference.pdiparams and
inference.yml, and is called after its network.
"""

import json
import sys
from pathlib import Path
from typing import Any

from colour_squares import PICTURES, picture

# Weights are random, and so are scores: most of them are low.
THRESHOLD = 0.1


def main(*arguments: str) -> None:
    from paddlex import create_model  # pyright: ignore[reportMissingImports]

    *folders, target = map(Path, arguments)
    found: dict[str, Any] = {}
    for folder in folders:
        # PaddlePaddle 3.3.1 fails on these files with its oneDNN kernels.
        options: dict[str, Any] = {"engine": "paddle_static", "engine_config": {"run_mode": "paddle"}}
        model = create_model(folder.name, model_dir=str(folder), device="cpu", **options)
        found[folder.name] = [
            [
                [box["cls_id"], round(float(box["score"]), 6), *(round(float(value), 3) for value in box["coordinate"])]
                for box in next(iter(model.predict(picture(*made), threshold=THRESHOLD)))["boxes"]
            ]
            for made in PICTURES
        ]
    target.write_text(json.dumps(found).replace("]], ", "]],\n ").replace("], [", "],\n  [") + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
