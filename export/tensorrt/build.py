"""Making the plan of an exported network: precision, profiles, trtexec, the comparison with FP32, installation."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from paddlex_triton.checksums import sha256_of, sha256_of_file
from paddlex_triton.export.errors import InstallError, PlanBuildError
from paddlex_triton.export.families.base import Tensors
from paddlex_triton.export.graph.sessions import OPTIMISED, open_session
from paddlex_triton.export.tensorrt import typed_graph
from paddlex_triton.export.tensorrt.build_folder import install_plan, locked_build_folder, recover_killed_build
from paddlex_triton.export.tensorrt.gate import compare
from paddlex_triton.export.tensorrt.gate_inputs import gate_cases
from paddlex_triton.export.tensorrt.precision import PrecisionEntry, precision_table
from paddlex_triton.export.tensorrt.profiles import PlanShapes, plan_shapes
from paddlex_triton.export.tensorrt.trtexec import Trtexec, require_plain_path
from paddlex_triton.network import FAMILY_OUTPUTS, NetworkInfo
from paddlex_triton.network import FILE_NAME as NETWORK_FILE
from paddlex_triton.tensorrt_plans import (
    FILE_NAME,
    PLAN_NAME,
    GateReport,
    Plan,
    PlanInfo,
    PrecisionName,
    folder_name,
    plans_in,
)
from paddlex_triton.version import __version__

_MODEL_PATH = "1/model.onnx"


def _silent(message: str) -> None:
    del message


@dataclass(frozen=True)
class PlanOptions:
    """How plans are made.

    Attributes:
        repository: of the networks.
        force: make a plan again that is up to date.
        images: more pictures to compare FP16 with FP32 on, uint8 [H,W,3], BGR.
        progress: told what is being done, one short phrase at a time.
    """

    repository: Path
    force: bool = False
    images: Sequence[np.ndarray] = ()
    progress: Callable[[str], None] = field(default=_silent)


@dataclass(frozen=True)
class PlanOutcome:
    """The outcome for one network.

    Attributes:
        name: the network.
        plan: its plan; None for a network that runs on ONNX Runtime.
        made: False where it was there already and up to date.
    """

    name: str
    plan: Plan | None
    made: bool = False


@dataclass(frozen=True)
class _PlanJob:
    """A network, and all its plan is made of."""

    info: NetworkInfo
    content: bytes
    shapes: PlanShapes
    entry: PrecisionEntry
    trtexec: Trtexec
    options: PlanOptions

    @property
    def recipe_sha256(self) -> str:
        """Of what decides how a plan is made, besides the ONNX file and the target."""
        recipe = [typed_graph.VERSION, self.entry.precision, _listed(self.shapes), self.shapes.max_batch_size]
        return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()

    @property
    def images_sha256(self) -> str | None:
        """Of the given pictures; None where there are none."""
        if not self.options.images:
            return None
        digest = hashlib.sha256()
        for image in self.options.images:
            digest.update(json.dumps(image.shape).encode() + np.ascontiguousarray(image).tobytes())
        return digest.hexdigest()

    def tell(self, what: str) -> None:
        self.options.progress(f"{self.info.name}: {what}")


def make_plan(name: str, trtexec: Trtexec, options: PlanOptions) -> PlanOutcome:
    """Make the plan of an exported network, or keep the one that is there.

    Args:
        name: the network.
        trtexec: makes it.
        options: how.

    Raises:
        InstallError: the network cannot be read, or the plan not be written.
        PlanBuildError: trtexec failed.
    """
    recover_killed_build(options.repository)
    folder = options.repository.resolve() / name
    info, content = _read_network(folder)
    shapes = plan_shapes(info.family, info.geometry, info.max_batch_size, info.dynamic_shapes)
    if shapes is None:
        return PlanOutcome(name, None)
    job = _PlanJob(info, content, shapes, precision_table().of(name, info.family), trtexec, options)
    present = _present(folder, job)
    if present is not None and not options.force:
        return PlanOutcome(name, present)
    job.tell("waiting for other builds")
    with locked_build_folder(options.repository) as place:
        made = _make(job, place)
        path = install_plan(made, options.repository, info)
    return PlanOutcome(name, Plan(path, PlanInfo.model_validate_json((path / FILE_NAME).read_bytes())), made=True)


def _read_network(folder: Path) -> tuple[NetworkInfo, bytes]:
    try:
        info = NetworkInfo.load(folder / NETWORK_FILE)
        content = (folder / _MODEL_PATH).read_bytes()
    except (OSError, ValueError) as error:
        raise InstallError(f"{folder} is no exported network: {error}") from error
    if sha256_of(content) != info.sha256:
        raise InstallError(f"{folder / _MODEL_PATH} is not the file that was exported; export {folder.name} again")
    return info, content


def _present(folder: Path, job: _PlanJob) -> Plan | None:
    """Return the plan that would be made anew just so. Pictures it has not been compared on ask for another one."""
    images = job.images_sha256
    for plan in plans_in(folder):
        info = plan.info
        if (
            info.sha256 == job.info.sha256
            and info.target == job.trtexec.target
            and info.recipe_sha256 == job.recipe_sha256
            and images in (None, info.images_sha256)
            and plan.file.stat().st_size == info.plan_bytes
        ):
            return plan
    return None


def _make(job: _PlanJob, place: Path) -> Path:
    """Make the plan in the build folder, in FP32 where FP16 does not pass.

    Returns:
        Its folder, under the name that it is to have.

    Raises:
        PlanBuildError: trtexec failed, or the plan does not answer in FP32 as the ONNX file does either.
    """
    started = time.perf_counter()
    require_plain_path(place)
    gate: GateReport | None = None
    if job.entry.precision == "fp16":
        made = _build(job, place, "fp16")
        gate = _compare(job, place, made, "fp16")
        if gate.passed:
            return _folder_of(job, place, made, "fp16", gate, None, time.perf_counter() - started)
        made.unlink()
    made = _build(job, place, "fp32")
    proof = _compare(job, place, made, "fp32")
    if not proof.agrees:
        raise PlanBuildError(
            f"the FP32 plan for {job.trtexec.target} does not answer as {_MODEL_PATH} does ({proof.measure}: "
            f"{proof.why}), so it is not kept. Another version of TensorRT may compute it right; the flavour gpu runs "
            "the network on ONNX Runtime"
        )
    return _folder_of(job, place, made, "fp32", gate, proof, time.perf_counter() - started)


def _build(job: _PlanJob, place: Path, precision: PrecisionName) -> Path:
    """Run trtexec.

    Returns:
        The plan's file.
    """
    source, plan = place / f"{precision}.onnx", place / f"{precision}.plan"
    source.write_bytes(typed_graph.graph_for_tensorrt(job.content, precision))

    def tell(seconds: float) -> None:
        job.tell(
            f"building the {precision.upper()} plan for {job.trtexec.target}, {seconds // 60:.0f} min "
            f"{seconds % 60:.0f} s"
        )

    tell(0.0)
    job.trtexec.build(source, plan, job.shapes.profiles, place / f"{precision}.log", tell)
    source.unlink()
    return plan


def _compare(job: _PlanJob, place: Path, plan: Path, precision: PrecisionName) -> GateReport:
    job.tell(f"comparing the {precision.upper()} plan with ONNX Runtime")
    session = open_session(job.content, OPTIMISED)
    outputs = list(FAMILY_OUTPUTS[job.info.family])
    inputs = [value.name for value in session.get_inputs()]

    def fp32(feeds: Tensors) -> dict[str, np.ndarray]:
        answer = session.run(outputs, {name: feeds[name] for name in inputs})
        return {name: np.asarray(values) for name, values in zip(outputs, answer, strict=True)}

    def of_plan(feeds: Tensors) -> dict[str, np.ndarray]:
        taken = {name: feeds[name] for name in inputs}
        profile = job.shapes.profile_for({name: values.shape for name, values in taken.items()})
        if profile is None:
            raise PlanBuildError(f"no profile covers an input of {list(feeds['x'].shape)}")
        return job.trtexec.run(plan, profile, taken, outputs, place)

    cases = gate_cases(job.info, job.shapes.max_batch_size, job.options.images)
    return compare(job.info, cases, fp32, of_plan)


def _folder_of(
    job: _PlanJob,
    place: Path,
    plan: Path,
    precision: PrecisionName,
    gate: GateReport | None,
    proof: GateReport | None,
    seconds: float,
) -> Path:
    target = job.trtexec.target
    folder = place / folder_name(job.info.sha256, target, precision)
    folder.mkdir()
    plan.rename(folder / PLAN_NAME)
    info = PlanInfo(
        name=job.info.name,
        sha256=job.info.sha256,
        tensorrt=target.tensorrt,
        architecture=target.architecture,
        wanted=job.entry.precision,
        precision=precision,
        reason=job.entry.reason,
        recipe_sha256=job.recipe_sha256,
        images_sha256=job.images_sha256,
        profiles=_listed(job.shapes),
        max_batch_size=job.shapes.max_batch_size,
        max_sides=job.shapes.max_sides,
        gate=gate,
        proof=proof,
        plan_sha256=sha256_of_file(folder / PLAN_NAME),
        plan_bytes=(folder / PLAN_NAME).stat().st_size,
        seconds=round(seconds, 3),
        version=__version__,
    )
    (folder / FILE_NAME).write_text(info.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return folder


def _listed(shapes: PlanShapes) -> list[dict[str, list[list[int]]]]:
    return [
        {name: [list(bounds.least), list(bounds.usual), list(bounds.most)] for name, bounds in profile.items()}
        for profile in shapes.profiles
    ]
