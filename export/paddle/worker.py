"""Runs in the converter's environment, never in the product's: `python -I worker.py JOB.json RESULT.json`.

A job is one JSON object with an `action`; all paths in it are absolute:

- `versions`: `packages` -> {"versions": {name: version, or null for one that is missing}}.
- `convert`: `model`, `parameters`, `opset`, `onnx` (the file to write)
  -> {"folded": bool, "versions": {...}, "peak_mib": int}.
- `answer`: `model`, `parameters`, `cases`: pairs of the .npz of an input and that of the answer to write (its arrays:
  `0`, `1`... in the model's order) -> {"peak_mib": int}.

PaddlePaddle and Paddle2ONNX talk and abort as they like; whoever started this reads the end of what they said.
"""
# Of these packages the product's environment has none.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import ctypes
import json
import resource
import signal
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

_CONVERTERS = ("paddlepaddle", "paddle2onnx")


def versions(job: dict[str, Any]) -> dict[str, Any]:
    """Return the versions of some packages, without importing them."""
    return {"versions": {name: _version(name) for name in job["packages"]}}


def convert(job: dict[str, Any]) -> dict[str, Any]:
    """Write the ONNX file of a model, its constants folded."""
    import paddle2onnx

    # With its own folding Paddle2ONNX would turn on pip installs while converting, and trace shapes for minutes.
    paddle2onnx.export(
        job["model"],
        job["parameters"],
        job["onnx"],
        opset_version=job["opset"],
        # Names the operator that is being converted: the last one is the one that failed.
        verbose=True,
        optimize_tool="none",
    )
    return {
        "folded": _fold(Path(job["onnx"])),
        "versions": {name: _version(name) for name in _CONVERTERS},
        "peak_mib": _peak_mib(),
    }


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Run a model, as it is written, on some inputs."""
    import numpy as np
    from paddle import inference

    config = inference.Config(job["model"], job["parameters"])
    config.disable_gpu()
    # oneDNN has kernels of its own; the ones compared with are PaddlePaddle's.
    config.disable_mkldnn()
    config.switch_ir_optim(False)
    config.disable_glog_info()
    predictor = inference.create_predictor(config)
    for source, target in job["cases"]:
        with np.load(source, allow_pickle=False) as feeds:
            for name in predictor.get_input_names():
                predictor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(feeds[name]))
        predictor.run()
        outputs = [predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names()]
        np.savez(target, **{str(index): value for index, value in enumerate(outputs)})
    return {"peak_mib": _peak_mib()}


def _fold(path: Path) -> bool:
    """Replace what does not depend on the input by constants, as Paddle2ONNX does; the file stays where that fails."""
    import onnx
    from polygraphy.backend.onnx import fold_constants

    try:
        # ONNX Runtime's shapes by symbols cost a minute and find no further constant.
        folded = fold_constants(onnx.load(path), allow_onnxruntime_shape_inference=False)
        onnx.checker.check_model(folded, full_check=True)
    except Exception as error:
        print(f"constants are not folded: {error}")  # noqa: T201
        return False
    onnx.save(folded, path)
    return True


def _end_with_parent() -> None:
    """End with the process that started this one: whoever kills the export means its worker too."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _peak_mib() -> int:
    """Return the most memory this process has held: Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    _end_with_parent()
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    found = {"versions": versions, "convert": convert, "answer": answer}[asked["action"]](asked)
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")
