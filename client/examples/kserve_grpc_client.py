"""Ask Triton itself to read an image, over KServe's gRPC protocol: print texts, their scores and their polygons.

    pip install 'tritonclient[grpc]'
    python kserve_grpc_client.py IMAGE [127.0.0.1:8001]

Model `ocr`; docs/protocol.md lists its other outputs, and the other models.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as triton

OUTPUTS = ("texts", "scores", "points", "offsets", "kept")
# Seconds that one page may take.
TIMEOUT = 300


def bytes_input(name: str, content: bytes) -> triton.InferInput:
    """Return an input of type BYTES [1]."""
    made = triton.InferInput(name, [1], "BYTES")
    made.set_data_from_numpy(np.array([content], np.object_))
    return made


def main(image: Path, server: str = "127.0.0.1:8001") -> None:
    """Read one image."""
    # The file goes as it is. Parameters may be left out.
    inputs = [
        bytes_input("image", image.read_bytes()),
        bytes_input("params", json.dumps({"text_rec_score_thresh": 0.5}).encode()),
    ]
    outputs = [triton.InferRequestedOutput(name) for name in OUTPUTS]
    with triton.InferenceServerClient(server) as client:
        # Triton's timeout, in microseconds, ends the work; the client's, in seconds, ends the waiting.
        result: Any = client.infer("ocr", inputs, outputs=outputs, timeout=TIMEOUT * 1_000_000, client_timeout=TIMEOUT)
    found = {name: result.as_numpy(name) for name in OUTPUTS}

    for line in np.flatnonzero(found["kept"]):
        # Polygon k is points[offsets[k]:offsets[k + 1]], each x and y in pixels of the page.
        start, end = found["offsets"][line : line + 2]
        polygon = found["points"][start:end].tolist()
        print(f"{found['scores'][line]:.3f} {found['texts'][line].decode()} {polygon}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.stderr.write("usage: kserve_grpc_client.py IMAGE [HOST:PORT]\n")
        sys.exit(2)
    try:
        main(Path(sys.argv[1]), *sys.argv[2:])
    except (OSError, triton.InferenceServerException) as error:
        sys.exit(f"error: {error}")
