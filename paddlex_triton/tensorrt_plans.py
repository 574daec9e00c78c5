"""Plans as they lie in a network's folder, and the choice of the one to serve. Imports nothing heavy.

<network>/plans/<ONNX sha256, 12 digits>-trt10.3.0-sm90-fp16/{model.plan, plan.json}
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from paddlex_triton.network import NetworkInfo
from paddlex_triton.tensorrt_target import Target, architectures_here

FOLDER = "plans"
PLAN_NAME = "model.plan"
FILE_NAME = "plan.json"
# Which of several plans is served: `trt10.3.0-sm90`.
CHOICE_VARIABLE = "PADDLEX_TRITON_TENSORRT"
# NVIDIA's images say their TensorRT's version in it.
_VERSION_VARIABLE = "TRT_VERSION"

PrecisionName = Literal["fp32", "fp16"]


class PlanError(Exception):
    """No plan fits, or several do; the message says which there are and what to do."""


class GateCase(BaseModel):
    """One input of a comparison."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    shape: list[int]
    difference: float
    found: int


class GateReport(BaseModel):
    """The comparison of a plan's answers with those of the network's ONNX file, in FP32.

    Attributes:
        measure: what was compared, in words.
        bound: the most that is allowed.
        worst: the most that was seen; None where nothing could be compared.
        passed: whether an FP16 plan is kept.
        why: of one that is not, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    measure: str
    bound: float
    worst: float | None
    passed: bool
    why: str | None = None
    cases: list[GateCase]

    @property
    def agrees(self) -> bool:
        """Whether no answer differs by more than the bound, also where nothing was found in any picture."""
        return self.worst is not None and self.worst <= self.bound


class PlanInfo(BaseModel):
    """`plan.json`: what a plan was made of, and for.

    Attributes:
        sha256: of the network's 1/model.onnx.
        recipe_sha256: of profiles, precision table and graph; a plan of another recipe is made anew.
        images_sha256: of the pictures given for the comparison; with others it is made anew, without any it is kept.
        wanted: the table's precision.
        precision: the plan's own.
        reason: of the table.
        profiles: in their order: input -> least, usual and largest shape.
        max_batch_size: of the configuration.
        max_sides: height and width of the largest page, where modules may send larger ones.
        gate: of an FP16 plan, or of the one that was given up.
        proof: of an FP32 plan.
        plan_sha256: of model.plan.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    name: str
    sha256: str
    tensorrt: str
    architecture: str
    wanted: PrecisionName
    precision: PrecisionName
    reason: str
    recipe_sha256: str
    images_sha256: str | None = None
    profiles: list[dict[str, list[list[int]]]]
    max_batch_size: int
    max_sides: tuple[int, int] | None = None
    gate: GateReport | None = None
    proof: GateReport | None = None
    plan_sha256: str
    plan_bytes: int
    seconds: float
    version: str

    @property
    def target(self) -> Target:
        """The version of TensorRT and the GPUs that it runs on."""
        return Target(self.tensorrt, self.architecture)

    @property
    def folder_name(self) -> str:
        """Its folder in the network's `plans`."""
        return folder_name(self.sha256, self.target, self.precision)


@dataclass(frozen=True)
class Plan:
    """A plan that is there."""

    folder: Path
    info: PlanInfo

    @property
    def file(self) -> Path:
        """The plan itself."""
        return self.folder / PLAN_NAME


def folder_name(sha256: str, target: Target, precision: PrecisionName) -> str:
    """Return the name of a plan's folder."""
    return f"{sha256[:12]}-{target}-{precision}"


def plans_in(folder: Path) -> list[Plan]:
    """Return all plans in a network's folder, of whatever ONNX file; what cannot be read is left out."""
    found = []
    for path in sorted((folder / FOLDER).glob(f"*/{FILE_NAME}")):
        try:
            info = PlanInfo.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        if (path.parent / PLAN_NAME).is_file() and info.folder_name == path.parent.name:
            found.append(Plan(path.parent, info))
    return found


def find_plan(folder: Path, info: NetworkInfo) -> Plan:
    """Find the plan of a network that is to be served here.

    It is made of the network's present ONNX file. Of several, the variable PADDLEX_TRITON_TENSORRT says which, else the
    GPU and the TensorRT at hand do.

    Args:
        folder: the network's.
        info: its network.json.

    Raises:
        PlanError: there is none, none of these, or more than one.
    """
    command = f"paddlex-triton export --tensorrt {info.name}"
    every = plans_in(folder)
    fitting = [plan for plan in every if plan.info.sha256 == info.sha256]
    if not fitting:
        stale = f" (there are {len(every)} of earlier exports)" if every else ""
        raise PlanError(f"{info.name} has no TensorRT plan{stale}. Run, where its GPU is: {command}")
    wanted = os.environ.get(CHOICE_VARIABLE)
    if wanted:
        try:
            target = Target.parse(wanted)
        except ValueError as error:
            raise PlanError(f"{CHOICE_VARIABLE}: {error}") from None
        left, asked = [plan for plan in fitting if plan.info.target == target], f"{CHOICE_VARIABLE}={wanted}"
    else:
        left, asked = _for_this_machine(fitting)
    if len(left) == 1:
        return left[0]
    listed = ", ".join(str(plan.info.target) for plan in fitting)
    if not left:
        raise PlanError(f"{info.name} has TensorRT plans for {listed}, none for {asked}. Run, there: {command}")
    raise PlanError(f"{info.name} has TensorRT plans for {listed}; set {CHOICE_VARIABLE} to one of them")


def _for_this_machine(plans: Sequence[Plan]) -> tuple[list[Plan], str]:
    """Return the plans that can run here as far as can be told, and what is here."""
    architectures, version = set(architectures_here()), _version_here()
    left = [
        plan
        for plan in plans
        if (not architectures or plan.info.architecture in architectures)
        and (version is None or plan.info.tensorrt == version)
    ]
    here = " and ".join([*sorted(architectures), *([f"TensorRT {version}"] if version else [])])
    return left, f"what is here, {here}"


def _version_here() -> str | None:
    """Return the version of TensorRT that NVIDIA's image says it has, three numbers."""
    numbers = os.environ.get(_VERSION_VARIABLE, "").split(".")
    return ".".join(numbers[:3]) if len(numbers) >= 3 and all(number.isdigit() for number in numbers[:3]) else None


def limited_by_plan(info: NetworkInfo, plan: PlanInfo) -> NetworkInfo:
    """Return network.json as modules read it where a plan is served, which may take fewer rows and smaller pages."""
    geometry = dict(info.geometry)
    if plan.max_sides is not None:
        geometry["max_sides"] = list(plan.max_sides)
    rows = min(info.max_batch_size, plan.max_batch_size)
    return info.model_copy(update={"max_batch_size": rows, "geometry": geometry})
