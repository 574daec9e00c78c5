"""PaddleX's own crops of polygons, as digests. Run by an interpreter that has PaddleX; needs nothing of this project.

    python paddlex_rectification.py polygons.npz digests.npz

polygons.npz holds `page` (uint8 [H, W, 3]), `points` (integers [P, 2]) and `offsets` ([K + 1]); digests.npz gets
`sizes` (height and width of each crop), `digests` (8 bytes of SHA-256 of each crop's pixels) and `made_with`.
"""

import hashlib
import sys
from itertools import pairwise

import cv2
import numpy as np


def digest(crop: np.ndarray) -> np.ndarray:
    """The first 8 bytes of the SHA-256 of a crop's pixels, uint8 [8]."""
    return np.frombuffer(hashlib.sha256(np.ascontiguousarray(crop).tobytes()).digest()[:8], np.uint8)


def main(source: str, target: str) -> None:
    import paddlex  # pyright: ignore[reportMissingImports]
    from paddlex.inference.pipelines.components import CropByPolys  # pyright: ignore[reportMissingImports]

    cut = CropByPolys(det_box_type="poly").get_poly_rect_crop
    given = np.load(source)
    page, points, offsets = given["page"], given["points"], given["offsets"]
    crops = [cut(page.copy(), points[start:end]) for start, end in pairwise(offsets)]
    versions = f"paddlex {paddlex.__version__}, OpenCV {cv2.__version__}, numpy {np.__version__}"
    np.savez_compressed(
        target,
        sizes=np.array([crop.shape[:2] for crop in crops], np.int32).reshape(-1, 2),
        digests=np.array([digest(crop) for crop in crops], np.uint8).reshape(-1, 8),
        made_with=versions,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
