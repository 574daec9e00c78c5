"""The proof of an exported network: the edited graph answers as its source does, in any batch.

What an edit changes shows where both graphs run as they are written, on the same rows: there they agree to the bit. An
optimised graph, and rows in a batch, add up the same numbers in another order. How much that is depends on the network,
and is measured: by how far ONNX Runtime's optimiser moves the source itself. Ten times that is rounding, what goes
beyond it is an error; and so is what people would see, however it came about (`NetworkFamily.rounding_bound`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnxruntime
from pydantic import BaseModel, ConfigDict, Field

from paddlex_triton.export.errors import VerificationError, first_line
from paddlex_triton.export.families.base import Case, FormError, NetworkFamily, Run, Tensors, row_by_row
from paddlex_triton.export.graph.contract import SourceGraph
from paddlex_triton.export.graph.sessions import AS_WRITTEN, KEEPING_LAYOUT, OPTIMISED, open_session
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings

# Two ways to round differ by about as much as two others; the largest of many differences by a few times more.
_ROUNDING_FACTOR = 10
# Answers to different inputs must lie so many times further apart than an edit may move them, or it proves nothing that
# it does not.
_DISTINCT_FACTOR = 100


class CaseResult(BaseModel):
    """One input: how far answers lie apart.

    Attributes:
        edit_difference: between the source and the edited graph, both run as they are written, row by row where the
            source takes one.
        rounding: between the source as it is written and as ONNX Runtime optimises it.
        allowed: what that makes of rounding in the next two.
        runtime_difference: between the source as it is written and the edited graph as it is served, optimised.
        row_difference: between rows of a batch and the same rows alone, as served.
        engines: flavour -> between the source as it is written and the edited graph in that flavour's engine; None
            where it does not run.
        outputs: name -> shape of the answer, batch axis included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    shape: list[int]
    edit_difference: float
    rounding: float
    allowed: float
    runtime_difference: float
    row_difference: float
    engines: dict[str, float | None] = Field(default_factory=dict)
    outputs: dict[str, list[int]]


class VerificationReport(BaseModel):
    """All inputs, and the tolerances they had to keep.

    Attributes:
        host_difference: see `NetworkFamily.host_difference`.
        keeps_layout: what is served is optimised short of other layouts, see `NetworkFamily.keeps_layout`.
        distinct: how far the source's answers to different inputs lie apart.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    edit_tolerance: float
    rounding_bound: float
    max_edit_difference: float
    max_runtime_difference: float
    max_row_difference: float
    host_difference: float
    distinct: float
    seconds: float
    keeps_layout: bool = False
    cases: list[CaseResult]

    def refused_engines(self) -> dict[str, str]:
        """Return the flavours whose engines do not give the source's answers: flavour -> why.

        Allowed is what rounding may make of any of the inputs: of a single one it says little about another engine.
        """
        allowed = max(case.allowed for case in self.cases)
        refused: dict[str, str] = {}
        for case in self.cases:
            for flavour, difference in case.engines.items():
                if difference is None:
                    refused.setdefault(flavour, f"it does not run on {case.name} {case.shape}")
                elif not difference <= allowed:
                    refused.setdefault(
                        flavour,
                        f"on {case.name} {case.shape} its answer is {difference:.3g} from the source's; "
                        f"{allowed:.3g} is allowed",
                    )
        return refused

    def output_dims(self) -> dict[str, list[int]]:
        """Return the dimensions of one row of each output, -1 where they are not the same for all inputs."""
        shapes = {name: [case.outputs[name][1:] for case in self.cases] for name in self.cases[0].outputs}
        return {
            name: [sizes[0] if len(set(sizes)) == 1 else -1 for sizes in zip(*of_cases, strict=True)]
            for name, of_cases in shapes.items()
        }


@dataclass(frozen=True)
class _Sessions:
    """The source and the edited graph as they are written, both as ONNX Runtime optimises them, and other engines.

    Attributes:
        engines: flavour -> the edited graph in its engine.
    """

    source: onnxruntime.InferenceSession
    optimised: onnxruntime.InferenceSession
    edited: onnxruntime.InferenceSession
    served: onnxruntime.InferenceSession
    engines: Mapping[str, Run] = field(default_factory=dict)


def verify(
    family: NetworkFamily,
    source: SourceGraph,
    edited: bytes,
    settings: InferenceSettings,
    images: Sequence[np.ndarray] = (),
    engines: Mapping[str, Run] | None = None,
) -> VerificationReport:
    """Compare an edited graph with its source in ONNX Runtime, and in other engines that may serve it.

    Args:
        family: knows the inputs to try and how answers are compared.
        source: the source graph; the model as it came is what runs.
        edited: the serialized network.
        settings: how the source wants its input.
        images: more pictures to try, uint8 [H,W,3], BGR.
        engines: flavour -> the edited graph in its engine. Another answer there is reported, and no error.

    Raises:
        VerificationError: a graph is invalid or does not run, answers lie further apart than the family allows, or the
            source answers all inputs alike.
    """
    started, keeps_layout = time.perf_counter(), family.keeps_layout(source)
    probe = family.probe(source)
    sessions = _Sessions(
        source=_session("source", probe, optimised=False),
        optimised=_session("source", probe, optimised=True),
        edited=_session("edited", edited, optimised=False),
        served=_session("edited", edited, optimised=True, keeps_layout=keeps_layout),
        engines=engines or {},
    )
    results, distinct = [], _Distinct(family)
    wanted: Tensors = {}
    for case in family.cases(settings, images):
        result, wanted = _run_case(family, case, settings, source, sessions)
        _require(case, "the answer is", "the source graph", result.edit_difference, family.edit_tolerance)
        _require(case, "once optimised, the answer is", "the source graph", result.runtime_difference, result.allowed)
        _require(case, "the answer is", "the same rows alone", result.row_difference, result.allowed)
        results.append(result)
        distinct.add(case, wanted)
    distinct.require()
    return VerificationReport(
        edit_tolerance=family.edit_tolerance,
        rounding_bound=family.rounding_bound,
        max_edit_difference=max(result.edit_difference for result in results),
        max_runtime_difference=max(result.runtime_difference for result in results),
        max_row_difference=max(result.row_difference for result in results),
        host_difference=_host_difference(family, source, settings, wanted),
        distinct=distinct.furthest,
        seconds=round(time.perf_counter() - started, 3),
        keeps_layout=keeps_layout,
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


class _Distinct:
    """Whether a source tells its inputs apart: a network that answers a constant agrees with everything.

    Attributes:
        furthest: of the answers to two inputs of the same shape.
    """

    def __init__(self, family: NetworkFamily) -> None:
        self._family = family
        self._last: dict[tuple[int, ...], Tensors] = {}
        self._inputs = 0
        self.furthest = 0.0

    def add(self, case: Case, answer: Tensors) -> None:
        """Compare each row's answer with that to the row before it of the same shape."""
        shape = case.feeds["x"].shape[1:]
        for index in range(case.batch):
            # Rows that a detector finds are one answer together.
            row = {name: values[index : index + 1] if case.batch > 1 else values for name, values in answer.items()}
            self._inputs += 1
            last = self._last.get(shape)
            if last is not None:
                self.furthest = max(self.furthest, min(self._family.distinct(last, row), 1.0))
            self._last[shape] = row

    def require(self) -> None:
        """Refuse a source whose answers are all but the same.

        Raises:
            VerificationError: they are.
        """
        if not self.furthest > _DISTINCT_FACTOR * self._family.edit_tolerance:
            raise VerificationError(
                f"the network answers {self._inputs} different inputs alike (largest difference {self.furthest:.3g}); "
                "so nothing is proved by comparing. Not installed; --check-image gives it other pictures"
            )


def _run_case(
    family: NetworkFamily,
    case: Case,
    settings: InferenceSettings,
    source: SourceGraph,
    sessions: _Sessions,
) -> tuple[CaseResult, Tensors]:
    """Compare answers to one input.

    Returns:
        What was measured, and the source's answer.
    """

    def answer_of(session: onnxruntime.InferenceSession) -> dict[str, np.ndarray]:
        def run_source(feeds: Tensors) -> dict[str, np.ndarray]:
            return _run("source", case, session, feeds)

        try:
            return family.answer_of_source(run_source, case.feeds, settings, source)
        except FormError as error:
            raise VerificationError(f"on {case.name} {list(case.feeds['x'].shape)} {error}. Not installed") from error

    def run_edited(feeds: Tensors) -> dict[str, np.ndarray]:
        return _run("edited", case, sessions.edited, feeds)

    def apart(answer: Tensors, *, exact: bool) -> float:
        return family.difference(wanted, answer, case.feeds, settings, exact=exact)

    wanted = answer_of(sessions.source)
    one_by_one = case.batch > 1 and family.takes_one(source)
    edited = row_by_row(run_edited, case.feeds) if one_by_one else run_edited(case.feeds)
    served = _run("edited", case, sessions.served, case.feeds)
    rounding = apart(answer_of(sessions.optimised), exact=False)
    row_difference = 0.0
    for row in range(case.batch if case.batch > 1 else 0):
        feeds = case.row(row)
        alone = _run("edited", case, sessions.served, feeds)
        together = {name: values[row : row + 1] for name, values in {**wanted, **served}.items()}
        row_difference = max(row_difference, family.difference(together, alone, feeds, settings, exact=False))
    result = CaseResult(
        name=case.name,
        shape=list(case.feeds["x"].shape),
        edit_difference=apart(edited, exact=True),
        # Infinite where the optimiser loses a row: no number of JSON's.
        rounding=min(rounding, family.rounding_bound),
        allowed=min(max(family.rounding_floor, _ROUNDING_FACTOR * rounding), family.rounding_bound),
        runtime_difference=apart(served, exact=False),
        row_difference=row_difference,
        engines={flavour: _apart_in_engine(apart, run, case) for flavour, run in sessions.engines.items()},
        outputs={name: list(values.shape) for name, values in served.items()},
    )
    return result, wanted


def _apart_in_engine(apart: Callable[..., float], run: Run, case: Case) -> float | None:
    """Return how far an engine's answers lie from the source's; None where it does not run, or is of another form."""
    try:
        # Engines may take another way when an input comes again.
        difference = max(apart(run(case.feeds), exact=False) for _ in range(2))
    except Exception:
        # An engine that cannot run a network is not used for it.
        return None
    return difference if np.isfinite(difference) else None


def _host_difference(family: NetworkFamily, source: SourceGraph, settings: InferenceSettings, answer: Tensors) -> float:
    try:
        difference = family.host_difference(source, settings, answer)
    except FormError as error:
        raise VerificationError(f"{error}. Not installed") from error
    if not difference <= family.edit_tolerance:
        raise VerificationError(
            f"what takes the place of the graph's end answers {difference:.3g} from it; {family.edit_tolerance:g} is "
            "allowed. Not installed"
        )
    return difference


def _session(
    which: str, content: bytes, *, optimised: bool, keeps_layout: bool = False
) -> onnxruntime.InferenceSession:
    served = KEEPING_LAYOUT if keeps_layout else OPTIMISED
    try:
        onnx.checker.check_model(content, full_check=which == "edited")
        return open_session(content, served if optimised else AS_WRITTEN)
    except Exception as error:
        # onnx and ONNX Runtime raise a type of their own for every cause.
        raise VerificationError(f"the {which} graph does not load: {first_line(error)}") from error


def _run(which: str, case: Case, session: onnxruntime.InferenceSession, feeds: Tensors) -> dict[str, np.ndarray]:
    names = [output.name for output in session.get_outputs()]
    # A case may carry more than the network takes: what its source needs besides.
    taken = {value.name: feeds[value.name] for value in session.get_inputs() if value.name in feeds}
    try:
        values = session.run(names, taken)
    except Exception as error:
        shape = list(next(iter(feeds.values())).shape)
        raise VerificationError(
            f"the {which} graph does not run on an input {shape} ({case.name}): {first_line(error)}"
        ) from error
    return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def _require(case: Case, what: str, other: str, difference: float, tolerance: float) -> None:
    if not difference <= tolerance:
        raise VerificationError(
            f"on {case.name} {list(case.feeds['x'].shape)} {what} {difference:.3g} from that of {other}; "
            f"{tolerance:.3g} is allowed. Not installed"
        )
