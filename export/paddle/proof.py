"""The proof of a conversion: the ONNX file answers as the PaddlePaddle model does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime

from paddlex_triton.export.errors import ConversionError
from paddlex_triton.export.families.detector import rows_and_count
from paddlex_triton.export.families.rows import other_rows, rows_difference
from paddlex_triton.export.graph.contract import SourceGraph, parse_model
from paddlex_triton.export.graph.cut import with_outputs
from paddlex_triton.export.graph.sessions import open_session
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.export.paddle.conversion_report import OutputDifference, ProofCase
from paddlex_triton.export.paddle.proof_inputs import ProofInput

# Largest difference of two values, as a part of the output's range. Measured: 4e-4 for text detectors, less for others.
# An operator converted wrongly is off by the whole range.
TOLERANCE = 0.02
# The part of a page that comes out of a network which may lie further apart: UVDoc fetches pixels from places it has
# computed, and one that falls a little further over an edge takes another value. Measured: 0.3 % of noise, in which
# every pixel is an edge, and 0.002 % of a page of text (its structure, random weights).
_PAGE_BEYOND = 0.01
# The part of a detector's rows, besides one, that may be others where what they were chosen from has been compared: of
# two boxes that score or overlap all but the same, one or the other is kept, and what that suppresses follows.
_ROWS_BEYOND = 0.05
# Mean difference, in the same measure: many pixels a little off are no edges. Measured: 1.7e-4 for noise through UVDoc,
# 1e-5 otherwise.
MEAN_TOLERANCE = 5e-4
# The part of whole numbers that may differ: places of maxima, of which two can be equally high.
_INTEGER_TOLERANCE = 0.1


def compare(
    source: SourceGraph,
    inputs: Sequence[ProofInput],
    answers: Sequence[Sequence[np.ndarray]],
    settings: InferenceSettings,
    inner: tuple[str, ...] = (),
) -> list[ProofCase]:
    """Run the ONNX file on some inputs, and compare what it answers.

    Args:
        source: the ONNX file.
        inputs: at least one.
        answers: of the PaddlePaddle model, one per input: its outputs in the model's order, and those of `inner`.
        settings: what inference.yml says.
        inner: names of the boxes and the scores that the ONNX file's NMS chooses from. With them the choice itself may
            differ in a few rows.

    Raises:
        ConversionError: the ONNX file does not run, or answers lie further apart than the tolerances.
    """
    shown = with_outputs(parse_model(source.content), inner, rank=3).SerializeToString() if inner else source.content
    session = _session(shown)
    return [
        _compare_one(source, case, wanted, _run(session, case), settings, inner)
        for case, wanted in zip(inputs, answers, strict=True)
    ]


def _compare_one(
    source: SourceGraph,
    case: ProofInput,
    wanted: Sequence[np.ndarray],
    got: Sequence[np.ndarray],
    settings: InferenceSettings,
    inner: tuple[str, ...],
) -> ProofCase:
    if len(wanted) != len(got):
        raise ConversionError(f"the model has {len(wanted)} outputs, the ONNX file {len(got)}. Not installed")
    pair = rows_and_count(source)
    rows, count = (tensor.name for tensor in pair) if pair is not None else (None, None)
    names = [*(tensor.name for tensor in source.outputs), *inner]
    outputs = []
    for name, first, second in zip(names, wanted, got, strict=True):
        # How many rows there are: those that count are compared.
        if name == count:
            continue
        if name != rows:
            apart = _apart(name, first, second)
        else:
            apart = _rows_apart(name, first, second, case, settings, few=bool(inner))
        _require(case, apart, first)
        outputs.append(apart)
    shapes = {name: list(values.shape) for name, values in case.feeds.items()}
    return ProofCase(name=case.name, inputs=shapes, outputs=outputs)


def _apart(name: str, wanted: np.ndarray, got: np.ndarray) -> OutputDifference:
    shape, spread = list(wanted.shape), _range(wanted)
    if wanted.shape != got.shape or wanted.dtype.kind != got.dtype.kind:
        infinite = float("inf")
        return OutputDifference(name=name, shape=shape, range=spread, difference=infinite, relative=infinite)
    if wanted.dtype.kind != "f":
        differ = float(np.mean(wanted != got)) if wanted.size else 0.0
        return OutputDifference(name=name, shape=shape, range=spread, difference=differ, relative=differ)
    distance = np.abs(wanted.astype(np.float64) - got.astype(np.float64))
    largest, mean = (float(distance.max()), float(distance.mean())) if distance.size else (0.0, 0.0)
    # Most answers are probabilities: what is all but the same everywhere is measured as a part of 1.
    scale = max(spread, 1.0)
    return OutputDifference(
        name=name,
        shape=shape,
        range=spread,
        difference=largest,
        relative=largest / scale,
        mean=mean / scale,
        beyond=float(np.mean(distance > TOLERANCE * scale)) if distance.size else 0.0,
    )


def _rows_apart(
    name: str, wanted: np.ndarray, got: np.ndarray, case: ProofInput, settings: InferenceSettings, *, few: bool
) -> OutputDifference:
    """Return how far rows lie apart, `few` of which may be other ones."""
    sizes = next(np.array(values.shape[2:]) for values in case.feeds.values() if values.ndim == 4)
    side = float(np.max(sizes / case.feeds["scale_factor"][0])) if "scale_factor" in case.feeds else float(max(sizes))
    threshold = settings.detection.draw_threshold if settings.detection is not None else 0.5
    if few:
        beyond = other_rows(wanted, got, side=side, draw_threshold=threshold, tolerance=TOLERANCE)
        apart = 0.0 if beyond <= _ROWS_BEYOND else float("inf")
    else:
        beyond, apart = 0.0, rows_difference(wanted, got, side=side, draw_threshold=threshold, same_order=False)
    return OutputDifference(
        name=name, shape=list(wanted.shape), range=_range(wanted), difference=apart, relative=apart, beyond=beyond
    )


def _require(case: ProofInput, output: OutputDifference, wanted: np.ndarray) -> None:
    shapes = ", ".join(f"{name} {list(values.shape)}" for name, values in case.feeds.items())
    where = f"on {case.name} ({shapes}) output {output.name} {output.shape}"
    if not np.isfinite(wanted).all():
        raise ConversionError(f"{where} of the PaddlePaddle model has values that are no numbers. Not installed")
    if wanted.dtype.kind != "f":
        if not output.relative <= _INTEGER_TOLERANCE:
            raise ConversionError(
                f"{where} of the ONNX file differs from the PaddlePaddle model's in {output.relative:.3g} of its whole "
                f"numbers; {_INTEGER_TOLERANCE:g} of them is allowed. Not installed"
            )
    elif not output.relative <= TOLERANCE and not (_is_page(case, output) and output.beyond <= _PAGE_BEYOND):
        raise ConversionError(
            f"{where} of the ONNX file is {output.relative:.3g} of its range from the PaddlePaddle model's; "
            f"{TOLERANCE:g} is allowed. Not installed"
        )
    if output.mean is not None and not output.mean <= MEAN_TOLERANCE:
        raise ConversionError(
            f"{where} of the ONNX file is on average {output.mean:.3g} of its range from the PaddlePaddle model's; "
            f"{MEAN_TOLERANCE:g} is allowed. Not installed"
        )


def _is_page(case: ProofInput, output: OutputDifference) -> bool:
    """Return whether an output is an image of the input's own size."""
    return any(list(values.shape) == output.shape for values in case.feeds.values() if values.ndim == 4)


def _range(values: np.ndarray) -> float:
    return float(values.max()) - float(values.min()) if values.size else 0.0


def _session(content: bytes) -> onnxruntime.InferenceSession:
    try:
        # As it is written: what ONNX Runtime makes of it is proved later, against this.
        return open_session(content)
    except Exception as error:
        # ONNX Runtime raises a type of its own for every cause.
        raise ConversionError(f"the ONNX file does not load: {error}") from error


def _run(session: onnxruntime.InferenceSession, case: ProofInput) -> list[np.ndarray]:
    try:
        return [np.asarray(value) for value in session.run(None, case.feeds)]
    except Exception as error:
        shapes = ", ".join(f"{name} {list(values.shape)}" for name, values in case.feeds.items())
        raise ConversionError(f"the ONNX file does not run on {case.name} ({shapes}): {error}") from error
