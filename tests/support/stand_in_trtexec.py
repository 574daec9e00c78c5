"""A stand-in for NVIDIA's trtexec: takes the same options, refuses others, "builds" and "runs" with ONNX Runtime.

A plan of its making is a line of JSON, with the profiles, and the ONNX file. Variables say how it is to misbehave:
STAND_IN_VERSION (v100300), STAND_IN_CAPABILITY (9.0), STAND_IN_SLEEP (seconds of a build), STAND_IN_FAIL=1 (no build),
STAND_IN_ADD and STAND_IN_ADD_FP32 (to all floats of an FP16 or FP32 plan's answers), STAND_IN_LOG (a file that gets
each command line).
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

KNOWN = {
    "--onnx", "--saveEngine", "--skipInference", "--stronglyTyped", "--noTF32", "--profile", "--minShapes",
    "--optShapes", "--maxShapes", "--loadEngine", "--useProfile", "--shapes", "--loadInputs", "--iterations",
    "--warmUp", "--duration", "--exportOutput", "--help",
}  # fmt: skip
PER_PROFILE = ("--minShapes", "--optShapes", "--maxShapes")


def main(arguments: list[str]) -> None:
    version = os.environ.get("STAND_IN_VERSION", "v100300")
    say(f"&&&& RUNNING TensorRT.trtexec [TensorRT {version}] [b26] # trtexec {' '.join(arguments)}")
    log = os.environ.get("STAND_IN_LOG")
    if log:
        with Path(log).open("a") as handle:
            handle.write(" ".join(arguments) + "\n")
    options, profiles = read(arguments)
    if "--help" in options:
        return
    say(f"[I] Compute Capability: {os.environ.get('STAND_IN_CAPABILITY', '9.0')}")
    if "--onnx" in options:
        build(options, profiles)
    else:
        run(options)


def read(arguments: list[str]) -> tuple[dict[str, str], list[dict[str, str]]]:
    options: dict[str, str] = {}
    profiles: list[dict[str, str]] = []
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name not in KNOWN:
            fail(f"Unknown option: {argument}")
        if name == "--profile":
            if value != str(len(profiles)):
                fail(f"profile {value} is out of order")
            profiles.append({})
        elif name in PER_PROFILE:
            profiles[-1][name] = value
        elif name in options:
            fail(f"{name} is given twice")
        else:
            options[name] = value
    return options, profiles


def shapes_of(text: str) -> dict[str, list[int]]:
    pairs = (part.split(":") for part in text.split(","))
    return {name: [int(size) for size in shape.split("x")] for name, shape in pairs}


def build(options: dict[str, str], profiles: list[dict[str, str]]) -> None:
    import onnx

    model = onnx.load(options["--onnx"])
    onnx.checker.check_model(model, full_check=True)
    inputs = {value.name: value.type.tensor_type for value in model.graph.input}
    for name, kind in inputs.items():
        readers = [node.op_type for node in model.graph.node if name in node.input]
        if kind.elem_type == onnx.TensorProto.UINT8 and readers != ["Cast"]:
            fail(f"{name} is UINT8 and read by {readers}")
    made = [{key: shapes_of(text) for key, text in profile.items()} for profile in profiles]
    for profile in made:
        if set(profile) != set(PER_PROFILE) or any(set(shapes) != set(inputs) for shapes in profile.values()):
            fail(f"the profile {profile} does not have all shapes of {sorted(inputs)}")
        for name, kind in inputs.items():
            check_input(name, kind, [profile[key][name] for key in PER_PROFILE])
    if not made or "--stronglyTyped" not in options or "--noTF32" not in options:
        fail("profiles and types are wanted")
    time.sleep(float(os.environ.get("STAND_IN_SLEEP", "0")))
    if os.environ.get("STAND_IN_FAIL"):
        fail("Could not find any implementation for node")
    header = json.dumps({"profiles": made, "fp16": "fp16" in Path(options["--onnx"]).name})
    Path(options["--saveEngine"]).write_bytes(header.encode() + b"\n" + model.SerializeToString())


def check_input(name: str, kind, bounds: list[list[int]]) -> None:
    declared = [dim.dim_value or None for dim in kind.shape.dim]
    for position, sizes in enumerate(zip(*bounds, strict=True)):
        if list(sizes) != sorted(sizes) or declared[position] not in (None, sizes[0]) or sizes[0] < 1:
            fail(f"{name} axis {position}: {sizes}, the graph has {declared[position]}")
        if declared[position] is not None and len(set(sizes)) != 1:
            fail(f"{name} axis {position} is fixed")


def run(options: dict[str, str]) -> None:
    import numpy as np
    import onnxruntime

    header, _, content = Path(options["--loadEngine"]).read_bytes().partition(b"\n")
    plan = json.loads(header)
    profile = plan["profiles"][int(options["--useProfile"])]
    shapes = shapes_of(options["--shapes"])
    for name, shape in shapes.items():
        bounds = [profile[key][name] for key in ("--minShapes", "--maxShapes")]
        if not all(low <= size <= high for low, size, high in zip(bounds[0], shape, bounds[1], strict=True)):
            fail(f"{name} {shape} is outside of profile {profile}")
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    dtypes = {"tensor(uint8)": np.uint8, "tensor(int32)": np.int32, "tensor(float)": np.float32}
    kinds = {value.name: dtypes[value.type] for value in session.get_inputs()}
    files = dict(part.split(":", 1) for part in options["--loadInputs"].split(","))
    feeds = {name: np.fromfile(files[name], kinds[name]).reshape(shape) for name, shape in shapes.items()}
    added = float(os.environ.get("STAND_IN_ADD" if plan["fp16"] else "STAND_IN_ADD_FP32", "0"))
    entries = []
    for output, values in zip(session.get_outputs(), session.run(None, feeds), strict=True):
        array = np.asarray(values)
        moved = array + np.float32(added) if array.dtype == np.float32 else array
        texts = ", ".join(f"{value:g}" if array.dtype == np.float32 else str(value) for value in moved.ravel().tolist())
        dims = "x".join(str(size) for size in array.shape)
        entries.append(f'{{ "name" : "{output.name}"\n  , "dimensions" : "{dims}"\n  , "values" : [ {texts} ]\n}}')
    Path(options["--exportOutput"]).write_text("[\n  " + "\n, ".join(entries) + "\n]\n")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def fail(text: str) -> None:
    say(f"[E] {text}\n&&&& FAILED TensorRT.trtexec")
    sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
