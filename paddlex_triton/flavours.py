"""The flavours: ways to run networks. Export writes a configuration of each, assembly serves one of them."""

from __future__ import annotations

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
        kind: the kind of device that it is for. Modules run on the CPU whatever their networks run on.
        config_file: the network's configuration, in its folder.
        backend: Triton's backend that loads the network.
        model_file: the file that the backend loads, in the network's version folder.
        platform: the configuration's `platform`, where the backend asks for it.
        find_plan: finds the TensorRT plan that is served, where one takes the place of the ONNX file: from the
            network's folder and description. It raises PlanError where none fits.
        without_plan: the flavour whose backend runs networks of families that no plan is made of.
    """

    name: str
    kind: DeviceKind
    config_file: str
    backend: str = "onnxruntime"
    model_file: str = "model.onnx"
    platform: str | None = None
    find_plan: Callable[[Path, NetworkInfo], Plan] | None = None
    without_plan: str | None = None


CPU = Flavour("cpu", "cpu", "config.pbtxt")
# The first one of a kind is the one for devices of that kind, where none is named.
FLAVOURS: dict[str, Flavour] = {
    flavour.name: flavour
    for flavour in (
        CPU,
        Flavour("gpu", "gpu", "configs/gpu.pbtxt"),
        Flavour(
            "tensorrt",
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
