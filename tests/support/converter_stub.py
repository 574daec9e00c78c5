"""Stands in for the converter's Python: does the worker's jobs without PaddlePaddle, as STUB_MODE says.

A job `convert` copies STUB_ONNX, a job `answer` runs that file, and adds STUB_OFFSET to what it answers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

VERSIONS = {
    "paddlepaddle": "3.2.2",
    "paddle2onnx": "2.1.0",
    "polygraphy": "0.1",
    "onnx_graphsurgeon": "0.1",
    "onnxruntime": "1.0",
    "onnx": "1.0",
}


def main(asked: Path, result: Path) -> None:
    """Do one job."""
    job = json.loads(asked.read_text())
    action, mode = job["action"], os.environ.get("STUB_MODE", "")
    with Path(os.environ["STUB_LOG"]).open("a") as log:
        log.write(json.dumps({"action": action, "job": job, "environment": dict(os.environ)}) + "\n")
    if mode.startswith(action):
        misbehave(mode.removeprefix(action).strip(), result)
    found = {"versions": versions, "convert": convert, "answer": answer}[action](job)
    result.write_text(json.dumps(found))


def versions(job: dict[str, Any]) -> dict[str, Any]:
    known = VERSIONS | json.loads(os.environ.get("STUB_VERSIONS", "{}"))
    return {"versions": {name: known[name] for name in job["packages"]}}


def convert(job: dict[str, Any]) -> dict[str, Any]:
    assert Path(job["model"]).is_file()
    assert Path(job["parameters"]).is_file()
    Path(job["onnx"]).write_bytes(Path(os.environ["STUB_ONNX"]).read_bytes())
    known = versions({"packages": ["paddlepaddle", "paddle2onnx"]})
    return {"folded": True, "versions": known["versions"], "peak_mib": 10}


def answer(job: dict[str, Any]) -> dict[str, Any]:
    # Jobs that need them not start in no time.
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(os.environ["STUB_ONNX"], providers=["CPUExecutionProvider"])
    for source, target in job["cases"]:
        with np.load(source) as feeds:
            values = session.run(None, dict(feeds))
        moved = [np.asarray(value) + np.float32(os.environ.get("STUB_OFFSET", "0")) for value in values]
        np.savez(target, **{str(index): value for index, value in enumerate(moved)})
    return {"peak_mib": 10}


def misbehave(how: str, result: Path) -> None:
    sys.stdout.write("\x1b[33mWARNING\x1b[0m chatter\n")
    if how == "aborts":
        sys.stdout.write(
            "Start export pd_op.mean\n[ERROR] Can not get input\n\n-----\nFatalError: `Process abort signal`\n"
        )
        sys.stdout.flush()
        os.abort()
    if how == "refuses":
        sys.stdout.write("[Paddle2ONNX] \n[ERROR] Due to the unsupported operators, the conversion is aborted.\n")
        sys.stdout.flush()
        os.abort()
    if how == "raises":
        raise ValueError("scale is not right")
    if how == "hangs":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(os.environ["STUB_LOG"]).with_suffix(".pids").write_text(f"{os.getpid()} {child.pid}")
        time.sleep(600)
    if how == "is killed":
        os.kill(os.getpid(), 9)
    if how == "says garbage":
        result.write_text("garbage")
    sys.exit(0)


if __name__ == "__main__":
    # The words of the command: -I, the worker, the job, the result.
    main(Path(sys.argv[3]), Path(sys.argv[4]))
