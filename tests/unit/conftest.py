"""A stand-in for `triton_python_backend_utils`, which exists only inside Triton's stub processes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest


class FakeTensor:
    """Name and array."""

    def __init__(self, name: str, array: np.ndarray) -> None:
        self._name, self._array = name, array

    def name(self) -> str:
        return self._name

    def as_numpy(self) -> np.ndarray:
        return self._array


class FakeError(Exception):
    """TritonError: a message and a code."""

    UNKNOWN, INTERNAL, NOT_FOUND, INVALID_ARG, UNAVAILABLE, UNSUPPORTED, ALREADY_EXISTS, CANCELLED = range(8)

    def __init__(self, message: str, code: int = INTERNAL) -> None:
        super().__init__(message)
        self._message, self._code = message, code

    def message(self) -> str:
        return self._message

    def code(self) -> int:
        return self._code


class FakeResponse:
    """Outputs or an error."""

    def __init__(self, output_tensors: Any = (), error: FakeError | None = None) -> None:
        self._outputs, self._error = list(output_tensors), error

    def output_tensors(self) -> list[FakeTensor]:
        return self._outputs

    def has_error(self) -> bool:
        return self._error is not None

    def error(self) -> FakeError | None:
        return self._error

    def array(self, name: str) -> np.ndarray:
        return next(tensor.as_numpy() for tensor in self._outputs if tensor.name() == name)


class FakeRequest:
    """A request; as a nested call it is answered by `FakeRequest.network`."""

    network: Callable[[FakeRequest], FakeResponse] | None = None

    def __init__(
        self,
        inputs: Any = (),
        *,
        model_name: str = "",
        requested_output_names: Any = (),
        request_id: str = "",
        timeout: int = 0,
        trace: Any = None,
        cancelled: bool = False,
    ) -> None:
        self.model_name, self._inputs, self._outputs = model_name, list(inputs), list(requested_output_names)
        self._id, self._timeout, self._trace, self.cancelled = request_id, timeout, trace, cancelled

    def inputs(self) -> list[FakeTensor]:
        return self._inputs

    def request_id(self) -> str:
        return self._id

    def timeout(self) -> int:
        return self._timeout

    def trace(self) -> Any:
        return self._trace

    def is_cancelled(self) -> bool:
        return self.cancelled

    def requested_output_names(self) -> list[str]:
        return self._outputs

    async def async_exec(self) -> FakeResponse:
        assert FakeRequest.network is not None
        return FakeRequest.network(self)


class FakeLogger:
    """Collects what is logged."""

    lines: list[tuple[str, str]]

    def __init__(self) -> None:
        self.lines = []

    def log_info(self, message: str) -> None:
        self.lines.append(("info", message))

    def log_warn(self, message: str) -> None:
        self.lines.append(("warn", message))

    def log_error(self, message: str) -> None:
        self.lines.append(("error", message))


class FakeMetric:
    """One counter, or gauge."""

    def __init__(self) -> None:
        self.total = 0.0

    def increment(self, value: float) -> None:
        self.total += value

    def set(self, value: float) -> None:
        self.total = value


class FakeMetricFamily:
    """A family; all counters end up in `FakeMetricFamily.counters`."""

    COUNTER, GAUGE = "counter", "gauge"
    counters: dict[tuple[str, frozenset[tuple[str, str]]], FakeMetric]

    def __init__(self, name: str, description: str, kind: str) -> None:
        assert description
        self._name = name

    def Metric(self, labels: dict[str, str]) -> FakeMetric:
        return self.counters.setdefault((self._name, frozenset(labels.items())), FakeMetric())


@pytest.fixture
def pb_utils(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The stand-in, importable as `triton_python_backend_utils`; modules that use it are imported anew."""
    module: Any = ModuleType("triton_python_backend_utils")
    FakeMetricFamily.counters = {}
    FakeRequest.network = None
    module.Tensor = FakeTensor
    module.TritonError = FakeError
    module.TritonModelException = type("TritonModelException", (Exception,), {})
    module.InferenceResponse = FakeResponse
    module.InferenceRequest = FakeRequest
    module.MetricFamily = FakeMetricFamily
    module.Logger = FakeLogger()
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", module)
    users = ("module", "call", "metrics", "network_caller")
    for name in users:
        monkeypatch.delitem(sys.modules, f"paddlex_triton.server.modules.{name}", raising=False)
    yield module
    for name in users:
        sys.modules.pop(f"paddlex_triton.server.modules.{name}", None)
