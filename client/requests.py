"""The request of a call of `predict`, the same for every page but for its image. Shared by both kinds of pipeline."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from paddlex_triton.client.exceptions import (
    DeadlineExceededError,
    InvalidParameterError,
    PaddleXTritonError,
    UnavailableError,
    UnsupportedError,
)
from paddlex_triton.client.inputs import Input
from paddlex_triton.client.pages import Page
from paddlex_triton.client.results import RESULTS, BaseResult
from paddlex_triton.client.results.base import to_plain
from paddlex_triton.client.saving import SavedStems
from paddlex_triton.errors import ErrorCode, InvalidParameter
from paddlex_triton.params import PagePreparationParams, Params, parse_params
from paddlex_triton.pipelines import PREPARATION_SWITCHES, ChoiceError, PipelineSpec, find_pipeline

# Parameters of PaddleX's that only None is accepted for, and why.
_NOT_SUPPORTED: dict[str, dict[str, str]] = {
    "seal_recognition": {
        "layout_det_res": "layout_det_res is not supported: regions are looked for on the server. Leave it out, or cut "
        "the seals out of the page and predict with use_layout_detection=False",
    }
}


_NO_DEFAULTS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class PredictRequest:
    """The request that one call of `predict` makes for every page.

    Attributes:
        model: the pipeline's ensemble.
        params: the JSON that travels with every page.
        outputs: names of the outputs to ask for.
        result_type: what the outputs become.
        chosen_steps: steps whose networks the parameters choose.
        stems: what the saved files of the results begin with.
    """

    model: str
    params: bytes
    outputs: tuple[str, ...]
    result_type: type[BaseResult]
    chosen_steps: frozenset[str] = frozenset()
    stems: SavedStems = field(default_factory=SavedStems, compare=False)

    def inputs(self, page: Page) -> dict[str, np.ndarray]:
        """Return the tensors of one page. `params` always goes along: requests without it would not share a batch."""
        return {"image": np.array([page.payload], dtype=object), "params": np.array([self.params], dtype=object)}

    def result(self, tensors: Mapping[str, np.ndarray], page: Page) -> BaseResult:
        """Build a page's result from what the ensemble answered.

        Raises:
            ServerError: the outputs do not fit each other.
        """
        result = self.result_type.from_tensors(tensors, page)
        result.share_names(self.stems)
        return result


def prepare_request(
    spec: PipelineSpec,
    params: Mapping[str, Any],
    defaults: Mapping[str, Any] = _NO_DEFAULTS,
) -> PredictRequest:
    """Prepare a request: check parameters as the server will, before anything is sent.

    Args:
        spec: the pipeline.
        params: PaddleX's names to values; None means the default.
        defaults: values of parameters that are not given, instead of the server's.

    Raises:
        InvalidParameterError: an unknown name, a wrong type, a value out of range; it says what is allowed.
        UnsupportedError: a parameter of PaddleX's that is not supported here.
    """
    known = _check_supported(spec, params)
    given = {name: to_plain(value) for name, value in known.items() if value is not None or not _known(spec, name)}
    given = {**_defaults_beside(spec, given, defaults), **given}
    parsed = _parse(spec, given)
    result_type = RESULTS[spec.name]
    chosen = frozenset(step for step in spec.steps if parsed.network_for(step))
    return PredictRequest(
        spec.ensemble, json.dumps(given).encode(), result_type.outputs_for(given), result_type, chosen
    )


def name_positional(spec: PipelineSpec, positional: Sequence[Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters of `predict(input, *positional, **params)` by name.

    Raises:
        TypeError: there are more than PaddleX's method has, or one was given twice.
    """
    order = spec.positional
    if len(positional) > len(order):
        raise TypeError(
            f"predict() takes an input and at most {len(order)} parameters without a name; {len(positional)} were given"
        )
    named = dict(zip(order, positional, strict=False))
    if twice := sorted(named.keys() & params.keys()):
        raise TypeError(f"predict() got {', '.join(twice)} twice: by position and by name")
    return {**named, **params}


def choose_input(given: Input | None, x: Input | None) -> Input:
    """Return the one input of `predict(input)` or `predict(x=input)`.

    Raises:
        TypeError: none or both were given.
    """
    if (given is None) == (x is None):
        raise TypeError("predict() takes one input, as its first argument or as x=")
    return given if given is not None else x  # pyright: ignore[reportReturnType]


def find_spec(pipeline: str | None) -> PipelineSpec:
    """Look up the pipeline that a caller named.

    Raises:
        UnsupportedError: it is not known here.
    """
    try:
        return find_pipeline(pipeline or "")
    except ChoiceError as error:
        raise UnsupportedError(str(error)) from None


def new_request_id() -> str:
    """Return an id for the server's log."""
    return uuid.uuid4().hex


@contextmanager
def attributed_to(page: Page) -> Iterator[None]:
    """Name a page in the errors raised inside, as what they are about."""
    try:
        yield
    except PaddleXTritonError as error:
        error.source = error.source or page.label
        raise


@contextmanager
def explained(fault: Callable[[], str | None]) -> Iterator[None]:
    """Say in the errors raised inside, where there was no answer, what is wrong with the server.

    Args:
        fault: tells it; None where nothing is known.
    """
    try:
        yield
    except (UnavailableError, DeadlineExceededError) as error:
        if told := fault():
            error.message = f"{error.message}: {told}"
        raise


def _check_supported(spec: PipelineSpec, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters, less those that only None is accepted for."""
    refused = _NOT_SUPPORTED.get(spec.name, {})
    for name in refused.keys() & params.keys():
        if params[name] is not None:
            raise UnsupportedError(refused[name])
    return {name: value for name, value in params.items() if name not in refused}


def _defaults_beside(spec: PipelineSpec, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults beside what is given.

    In pipelines that read documents, one step of page preparation that is switched off decides about the other one
    too, as in PaddleX: that one is no longer on by default.
    """
    together = issubclass(spec.params, PagePreparationParams) and spec.params.SWITCHES_DECIDE_TOGETHER
    if not together or not any(given.get(name) is False for name in PREPARATION_SWITCHES):
        return dict(defaults)
    return {name: value for name, value in defaults.items() if not (name in PREPARATION_SWITCHES and value)}


def _parse(spec: PipelineSpec, given: Mapping[str, Any]) -> Params:
    try:
        encoded = json.dumps(given)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(f"parameters must be plain values: {error}") from None
    try:
        return parse_params(encoded, spec.params)
    except InvalidParameter as error:
        raise InvalidParameterError(str(error), code=ErrorCode.INVALID_PARAMETER) from None


def _known(spec: PipelineSpec, name: str) -> bool:
    return name in spec.params.model_fields
