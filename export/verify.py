"""The proof of an exported network: the edited graph answers as its source does, in any batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from pydantic import BaseModel, ConfigDict

from paddlex_triton.export.errors import VerificationError
from paddlex_triton.export.families.base import Case, FormError, NetworkFamily, Tensors
from paddlex_triton.export.graph.contract import SourceGraph
from paddlex_triton.export.inference_yml import InferenceSettings


class CaseResult(BaseModel):
    """One input: how far answers lie apart.

    Attributes:
        edit_difference: between the source and the edited graph, both run as they are written.
        runtime_difference: between the source as it is written and the edited graph as it is served, optimised.
        row_difference: between rows of a batch and the same rows alone, as served.
        outputs: name -> shape of the answer, batch axis included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    shape: list[int]
    edit_difference: float
    runtime_difference: float
    row_difference: float
    outputs: dict[str, list[int]]


class VerificationReport(BaseModel):
    """All inputs, and the tolerances they had to keep."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    edit_tolerance: float
    runtime_tolerance: float
    row_tolerance: float
    max_edit_difference: float
    max_runtime_difference: float
    max_row_difference: float
    seconds: float
    cases: list[CaseResult]

    def output_dims(self) -> dict[str, list[int]]:
        """Dimensions of one row of each output, -1 where they are not the same for all inputs."""
        shapes = {name: [case.outputs[name][1:] for case in self.cases] for name in self.cases[0].outputs}
        return {
            name: [sizes[0] if len(set(sizes)) == 1 else -1 for sizes in zip(*of_cases, strict=True)]
            for name, of_cases in shapes.items()
        }


@dataclass(frozen=True)
class _Sessions:
    """The source and the edited graph as they are written, and the edited one as it is served."""

    source: onnxruntime.InferenceSession
    edited: onnxruntime.InferenceSession
    served: onnxruntime.InferenceSession


def verify(
    family: NetworkFamily,
    source: SourceGraph,
    edited: bytes,
    settings: InferenceSettings,
    images: Sequence[np.ndarray] = (),
) -> VerificationReport:
    """Compare an edited graph with its source in ONNX Runtime.

    Args:
        family: knows the inputs to try and how answers are compared.
        source: the source graph; the model as it came is what runs.
        edited: the serialized network.
        settings: how the source wants its input.
        images: more pictures to try, uint8 [H,W,3], BGR.

    Raises:
        VerificationError: a graph is invalid or does not run, or answers lie further apart than the family allows.
    """
    started = time.perf_counter()
    # The optimiser may fuse and lay out the two graphs differently: what an edit changes shows without it.
    sessions = _Sessions(
        source=_session("source", family.probe(source), optimised=False),
        edited=_session("edited", edited, optimised=False),
        served=_session("edited", edited, optimised=True),
    )
    results = []
    for case in family.cases(settings, images):
        result = _run_case(family, case, settings, source, sessions)
        _require(case, "the source graph", result.edit_difference, family.edit_tolerance)
        _require(case, "the source graph, once optimised,", result.runtime_difference, family.runtime_tolerance)
        _require(case, "the same rows alone", result.row_difference, family.row_tolerance)
        results.append(result)
    return VerificationReport(
        edit_tolerance=family.edit_tolerance,
        runtime_tolerance=family.runtime_tolerance,
        row_tolerance=family.row_tolerance,
        max_edit_difference=max(result.edit_difference for result in results),
        max_runtime_difference=max(result.runtime_difference for result in results),
        max_row_difference=max(result.row_difference for result in results),
        seconds=round(time.perf_counter() - started, 3),
        cases=results,
    )


def declare_row_sizes(family: NetworkFamily, model: onnx.ModelProto, settings: InferenceSettings) -> None:
    """Write into a graph how large a row of each output is, for families in which that is the same for every page.

    Triton wants its configuration to say of an output exactly what ONNX Runtime makes out about it; how much that is
    differs between graphs and versions, unless the graph says it.

    Args:
        family: knows an input to try.
        model: the edited graph, changed in place.
        settings: how the source wants its input.

    Raises:
        VerificationError: the graph does not run.
    """
    case = next(iter(family.cases(settings, ())))
    answer = _run("edited", case, _session("edited", model.SerializeToString(), optimised=False), case.feeds)
    for output in model.graph.output:
        dims = output.type.tensor_type.shape.dim
        for dim, size in zip(list(dims)[1:], answer[output.name].shape[1:], strict=True):
            dim.dim_value = size


def _run_case(
    family: NetworkFamily,
    case: Case,
    settings: InferenceSettings,
    source: SourceGraph,
    sessions: _Sessions,
) -> CaseResult:
    def run_source(feeds: Tensors) -> dict[str, np.ndarray]:
        return _run("source", case, sessions.source, feeds)

    try:
        wanted = family.answer_of_source(run_source, case.feeds, settings, source)
    except FormError as error:
        raise VerificationError(f"on {case.name} {list(case.feeds['x'].shape)} {error}. Not installed") from error
    answer = _run("edited", case, sessions.edited, case.feeds)
    served = _run("edited", case, sessions.served, case.feeds)
    row_difference = 0.0
    for row in range(case.batch if case.batch > 1 else 0):
        feeds = case.row(row)
        alone = _run("edited", case, sessions.served, feeds)
        together = {name: values[row : row + 1] for name, values in {**wanted, **served}.items()}
        apart = family.difference(together, alone, feeds, settings, exact=False)
        row_difference = max(row_difference, apart)
    return CaseResult(
        name=case.name,
        shape=list(case.feeds["x"].shape),
        edit_difference=family.difference(wanted, answer, case.feeds, settings, exact=True),
        runtime_difference=family.difference(wanted, served, case.feeds, settings, exact=False),
        row_difference=row_difference,
        outputs={name: list(values.shape) for name, values in served.items()},
    )


def _session(which: str, content: bytes, *, optimised: bool) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # Errors only: old graphs draw pages of warnings about unused weights.
    options.log_severity_level = 3
    try:
        onnx.checker.check_model(content, full_check=which == "edited")
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnx and ONNX Runtime raise a type of their own for every cause.
        raise VerificationError(f"the {which} graph does not load: {_first_line(error)}") from error


def _run(which: str, case: Case, session: onnxruntime.InferenceSession, feeds: Tensors) -> dict[str, np.ndarray]:
    names = [output.name for output in session.get_outputs()]
    # A case may carry more than the network takes: what its source needs besides.
    taken = {value.name: feeds[value.name] for value in session.get_inputs() if value.name in feeds}
    try:
        values = session.run(names, taken)
    except Exception as error:
        shape = list(next(iter(feeds.values())).shape)
        raise VerificationError(
            f"the {which} graph does not run on an input {shape} ({case.name}): {_first_line(error)}"
        ) from error
    return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def _require(case: Case, other: str, difference: float, tolerance: float) -> None:
    if not difference <= tolerance:
        raise VerificationError(
            f"on {case.name} {list(case.feeds['x'].shape)} the answer is {difference:.3g} from that of {other}; "
            f"{tolerance:g} is allowed. Not installed"
        )


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
