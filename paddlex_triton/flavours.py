"""The flavours: ways to run networks. Export writes a configuration of each, assembly serves one of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from paddlex_triton.network import NetworkInfo
from paddlex_triton.pipelines import ChoiceError
from paddlex_triton.tensorrt_plans import PLAN_NAME, Plan, find_plan

DeviceKind = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Flavour:
    """One way to run a network.

    Attributes:
        name: as users write it.
        title: what runs networks, in words.
        kind: the kind of device that it is for. Modules run on the CPU whatever their networks run on.
        config_file: the network's configuration, in its folder.
        backend: Triton's backend that loads the network.
        model_file: the file that the backend loads, in the network's version folder.
        platform: the configuration's `platform`, where the backend asks for it.
        find_plan: finds the TensorRT plan that is served, where one takes the place of the ONNX file: from the
            network's folder and description. It raises PlanError where none fits.
        without_plan: the flavour whose backend runs networks of families that no plan is made of.
        package: the Python package that its backend needs, where Triton does not bring it along.
        max_run_columns: most columns of pixels in a run of a text recogniser, its rows together; None for as many as
            `max_batch_size` rows have.
    """

    name: str
    title: str
    kind: DeviceKind
    config_file: str
    backend: str = "onnxruntime"
    model_file: str = "model.onnx"
    platform: str | None = None
    find_plan: Callable[[Path, NetworkInfo], Plan] | None = None
    without_plan: str | None = None
    package: str | None = None
    max_run_columns: int | None = None


# On a CPU a row costs no less in a large run, and in ONNX Runtime more. PP-OCRv4_mobile_rec on two cores with AVX-512,
# ms a row of 320 columns in runs of 1, 2, 4, 6, 12 and 24 rows: ONNX Runtime 9.4, 7.8, 7.1, 6.7, 8.4 and 11.8; OpenVINO
# 4.5, 4.5, 4.2, 4.1, 4.4 and 4.7. With AVX2 alone, ONNX Runtime: 21, 21, 22, 25, 33 and 42.
_RUN_COLUMNS = 1920
CPU = Flavour("cpu", "ONNX Runtime", "cpu", "config.pbtxt", max_run_columns=_RUN_COLUMNS)
OPENVINO = Flavour(
    "openvino",
    "OpenVINO",
    "cpu",
    "configs/openvino.pbtxt",
    backend="paddlex_openvino",
    package="openvino",
    max_run_columns=_RUN_COLUMNS,
)
# The first one of a kind is the one for devices of that kind, where none is named; but see `fastest_on_cpu`.
FLAVOURS: dict[str, Flavour] = {
    flavour.name: flavour
    for flavour in (
        CPU,
        OPENVINO,
        Flavour("gpu", "ONNX Runtime", "gpu", "configs/gpu.pbtxt"),
        Flavour(
            "tensorrt",
            "TensorRT",
            "gpu",
            "configs/tensorrt.pbtxt",
            backend="tensorrt",
            model_file=PLAN_NAME,
            platform="tensorrt_plan",
            find_plan=find_plan,
            without_plan="gpu",
        ),
    )
}


def find_flavour(name: str) -> Flavour:
    """Look a flavour up by its name.

    Raises:
        ChoiceError: there is no such flavour.
    """
    if name not in FLAVOURS:
        raise ChoiceError(f"unknown flavour {name!r}; known: {', '.join(FLAVOURS)}")
    return FLAVOURS[name]


def flavours_for(kind: DeviceKind) -> list[Flavour]:
    """Return the flavours for a kind of device, the usual one first."""
    return [flavour for flavour in FLAVOURS.values() if flavour.kind == kind]


def is_there(flavour: Flavour) -> bool:
    """Return whether this Python has what a flavour's backend needs."""
    return flavour.package is None or importlib.util.find_spec(flavour.package) is not None


def fastest_on_cpu(info: NetworkInfo) -> Flavour:
    """Return the flavour that runs a network fastest on a CPU, of those that are there: as it was measured.

    Args:
        info: the network's description. Without a measurement it is ONNX Runtime, whose answers are proved at export.
    """
    if info.on_cpu is None:
        return CPU
    times = {name: time for name, time in info.on_cpu.milliseconds.items() if name not in info.on_cpu.refused}
    there = [flavour for flavour in flavours_for("cpu") if flavour.name in times and is_there(flavour)]
    return min(there, key=lambda flavour: times[flavour.name], default=CPU)
