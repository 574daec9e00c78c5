"""Many requests, one run: joining inputs along the batch dimension and handing the outputs' rows back out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paddlex_triton.server.backends.common.errors import RequestError

# What one request gets: its outputs in the order of their names, or why not.
Result = dict[str, np.ndarray] | RequestError


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        inputs: arrays by name, in the request's order. With batching, dimension 0 is the batch.
        requested: names of the outputs the caller wants.
        request_id: the caller's id, may be empty.
    """

    inputs: Mapping[str, np.ndarray]
    requested: Collection[str]
    request_id: str = ""

    @property
    def rows(self) -> int:
        """Its batch size: dimension 0 of the first input, as the C++ backend counts."""
        return next(iter(self.inputs.values())).shape[0]

    @property
    def label(self) -> str:
        """Triton's own way to name a request in messages."""
        return f"[request id: {self.request_id or '<id_unknown>'}] "


def join(requests: Sequence[Request]) -> dict[str, np.ndarray]:
    """Concatenate the inputs of a batch in the order of its requests. A single request is not copied.

    Args:
        requests: at least one; the scheduler only joins requests with the same inputs, equal in all dimensions but 0.
    """
    if len(requests) == 1:
        return dict(requests[0].inputs)
    return {name: np.concatenate([request.inputs[name] for request in requests]) for name in requests[0].inputs}


def split(outputs: Mapping[str, np.ndarray], requests: Sequence[Request]) -> list[Result]:
    """Hand out rows of each output in the order of the requests, as the C++ backend does.

    Rows beyond the batch are dropped. A request whose rows are not all there gets an error, the others are served.

    Args:
        outputs: arrays of at least one dimension, dimension 0 is the batch.
        requests: the batch that was run.

    Returns:
        For each request its requested outputs (views), sorted by name, or an UNSUPPORTED error.
    """
    answers: list[dict[str, np.ndarray]] = [{} for _ in requests]
    errors: dict[int, RequestError] = {}
    sizes = [request.rows for request in requests]
    for name in sorted(outputs):
        array = outputs[name]
        start = 0
        for index, (request, size) in enumerate(zip(requests, sizes, strict=True)):
            end = start + size
            if end > array.shape[0]:
                errors.setdefault(index, _too_few_rows(request, name, end, array.shape[0]))
            elif name in request.requested:
                answers[index][name] = array[start:end]
            start = end
    return [errors.get(index, answer) for index, answer in enumerate(answers)]


def whole(outputs: Mapping[str, np.ndarray], requests: Sequence[Request]) -> list[Result]:
    """Return, without batching, every requested output as it is, sorted by name."""
    return [{name: outputs[name] for name in sorted(outputs) if name in request.requested} for request in requests]


def _too_few_rows(request: Request, name: str, needed: int, there: int) -> RequestError:
    return RequestError(
        "UNSUPPORTED",
        f"{request.label}failed to split the output tensor '{name}' in responses: "
        f"expected batch size of at least {needed} in model output, got {there}",
    )
