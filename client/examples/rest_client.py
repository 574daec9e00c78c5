"""Send an image or a PDF to the gateway, print what it found, and save its pictures beside the file.

    python rest_client.py ocr|seal-recognition|human-keypoint-detection FILE [URL]

Python 3.10 and its standard library. The environment variable PADDLEX_TRITON_API_KEY holds the key of a server that
wants one.
"""

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

PIPELINES = ("ocr", "seal-recognition", "human-keypoint-detection")


def main(pipeline: str, file: Path, server: str = "http://127.0.0.1:8080") -> None:
    """Read one file."""
    content = base64.b64encode(file.read_bytes()).decode()
    if pipeline == "human-keypoint-detection":
        body = {"image": content}
    else:
        body = {"file": content, "fileType": 0 if file.suffix.lower() == ".pdf" else 1}
    result = ask(f"{server}/{pipeline}", body)

    stem = str(file.with_suffix(""))
    for person in result.get("persons", []):
        print(f"person {person['detScore']:.3f}, keypoints {person['kptScore']:.3f}")
    save({"image": result.get("image")}, stem)
    pages = result.get("ocrResults") or result.get("sealRecResults") or []
    for number, page in enumerate(pages):
        if len(pages) > 1:
            print(f"page {number}")
        # A page of seals has the result of each seal.
        for found in page["prunedResult"].get("seal_res_list", [page["prunedResult"]]):
            for text, score in zip(found["rec_texts"], found["rec_scores"], strict=True):
                print(f"{score:.3f} {text}")
        pictures = {"ocrImage": page.get("ocrImage"), **(page.get("outputImages") or {})}
        save(pictures, f"{stem}_{number}" if len(pages) > 1 else stem)


def ask(url: str, body: dict) -> dict:
    """Return the `result` of the server's answer; a server that is busy is asked once more, when it says."""
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("PADDLEX_TRITON_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    response = post(request)
    if response.status == 503:
        time.sleep(float(response.headers.get("Retry-After", 1)))
        response = post(request)
    answer = json.load(response)
    if response.status != 200 or answer["errorCode"] != 0:
        sys.exit(f"error {answer['errorCode']}: {answer['errorMsg']} (logId {answer['logId']})")
    return answer["result"]


def post(request: urllib.request.Request):
    """Return the response, whatever its status."""
    try:
        return urllib.request.urlopen(request, timeout=300)
    except urllib.error.HTTPError as response:
        return response


def save(pictures: dict, stem: str) -> None:
    """Write pictures in base64; there are none if the server does not draw."""
    for key, picture in pictures.items():
        if picture:
            Path(f"{stem}_{key}.jpg").write_bytes(base64.b64decode(picture))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in PIPELINES:
        sys.stderr.write(f"usage: rest_client.py {'|'.join(PIPELINES)} FILE [URL]\n")
        sys.exit(2)
    try:
        main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
