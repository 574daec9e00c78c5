"""Base class of the Python-backend modules.

A module's `model.py` names its stage and turns arrays into arrays; everything that all modules have in common
happens here: parameters, one answer per request whatever the others in the batch do, errors with the stage's name
and our code, cancellation and deadline, calls to networks, metrics and log lines.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import cv2
import numpy as np
import triton_python_backend_utils as pb_utils

from paddlex_triton.errors import (
    TRITON_CODE,
    Cancelled,
    DeadlineExceeded,
    ErrorCode,
    ImageTooLarge,
    InternalError,
    InvalidParameter,
    ServiceError,
    Unsupported,
    format_message,
)
from paddlex_triton.limits import MAX_IMAGE_PIXELS, MAX_IMAGE_SIDE, MAX_MESSAGE_CHARACTERS
from paddlex_triton.network import load_stand_ins, networks_by_step
from paddlex_triton.params import MODEL_NAME_SUFFIX, Params, parse_params
from paddlex_triton.server.modules.metrics import StageMetrics
from paddlex_triton.server.modules.network_caller import NetworkCaller
from paddlex_triton.version import __version__

# Network calls of one request that are on their way together: enough to fill dynamic batches, few enough that a
# page of a thousand lines neither holds all its crops at once nor outlives its deadline by more than these.
MAX_CALLS_IN_FLIGHT = 8
# A deadline travels as INT64; a timeout that reaches further (292 years) is as good as none.
_ENDLESS_NS = 2**63 - 1

T = TypeVar("T")


@contextmanager
def refusing_values() -> Iterator[None]:
    """What `ops` says of an argument that came with the request is what the caller is told.

    Raises:
        InvalidParameter: with the text of a ValueError inside.
    """
    try:
        yield
    except ValueError as error:
        raise InvalidParameter(str(error)) from None


def request_id_of(request: pb_utils.InferenceRequest) -> str:
    """The caller's id of a request; empty where its bytes are not UTF-8, which Triton itself does not mind."""
    try:
        return request.request_id()
    except UnicodeDecodeError:
        return ""


class Call:
    """One request as a module sees it."""

    def __init__(self, module: Module, request: pb_utils.InferenceRequest) -> None:
        self.module = module
        self.request = request
        self.request_id = request_id_of(request)
        self._tensors = {tensor.name(): tensor for tensor in request.inputs()}
        self.deadline_ns = self._deadline()
        self.params = parse_params(self.optional_bytes("params"), *module.schemas_for(self))

    @property
    def inputs(self) -> Collection[str]:
        """The names of the inputs that the request carries."""
        return self._tensors.keys()

    def array(self, name: str) -> np.ndarray:
        """A required input, without the batch axis that Triton's batcher may have put in front."""
        array = self.optional_array(name)
        if array is None:
            raise InvalidParameter(f"input {name!r} is missing")
        return array

    def optional_array(self, name: str) -> np.ndarray | None:
        """An optional input, None if the request does not carry it."""
        tensor = self._tensors.get(name)
        if tensor is None:
            return None
        array = tensor.as_numpy()
        if not self.module.batched:
            return array
        if len(array) != 1:
            raise InvalidParameter(f"input {name!r} has a batch of {len(array)}; one request is one page")
        return array[0]

    def page(self, name: str) -> np.ndarray:
        """A required page, UINT8 [H,W,3] BGR.

        Raises:
            InvalidParameter: it has no pixels, or not three channels.
            ImageTooLarge: it is larger than any image that is decoded.
        """
        array = self.array(name)
        if array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
            raise InvalidParameter(f"input {name!r} has shape {list(array.shape)}; a page is [H, W, 3] with pixels")
        height, width = array.shape[:2]
        if max(height, width) > MAX_IMAGE_SIDE or height * width > MAX_IMAGE_PIXELS:
            raise ImageTooLarge(
                f"input {name!r} is {width}x{height} (width x height); at most {MAX_IMAGE_SIDE} a side and "
                f"{MAX_IMAGE_PIXELS} pixels are allowed"
            )
        return array

    def text(self, name: str, default: str) -> str:
        """An optional BYTES [1] input as text."""
        raw = self.optional_bytes(name)
        return default if raw is None else raw.decode("utf-8", "replace")

    def payload(self, name: str) -> bytes:
        """A required BYTES [1] input."""
        raw = self.optional_bytes(name)
        if raw is None:
            raise InvalidParameter(f"input {name!r} is missing")
        return raw

    def check(self) -> None:
        """Stop here if nobody waits for the answer any more.

        Raises:
            Cancelled: the caller went away. Triton tells a step of an ensemble only before it begins.
            DeadlineExceeded: the caller's timeout passed.
        """
        if self.request.is_cancelled():
            raise Cancelled("the caller cancelled the request")
        if self.deadline_ns and time.monotonic_ns() >= self.deadline_ns:
            raise DeadlineExceeded("the request's timeout passed")

    def remaining_us(self) -> int:
        """What is left of the caller's timeout, microseconds; 0 if endless, as Triton counts."""
        return max(1, (self.deadline_ns - time.monotonic_ns()) // 1000) if self.deadline_ns else 0

    def network(self, role: str, step: str | None = None) -> NetworkCaller:
        """The module's network for a role: the one that the request names, else the first.

        Args:
            role: `<role>_network` in the configuration.
            step: PaddleX's name for it, where it is another; the request's parameter is `<step>_model_name`.

        Raises:
            InvalidParameter: the request names another one than those that are loaded.
            Unsupported: none is loaded.
        """
        step = step or role
        loaded, wanted = self.module.networks.get(role, {}), self.params.network_for(step)
        if wanted is not None and wanted not in loaded:
            raise InvalidParameter(
                f"{step}{MODEL_NAME_SUFFIX} is {wanted!r}; loaded on this server: {', '.join(loaded) or 'none'}"
            )
        if not loaded:
            raise Unsupported(f"this server has no network for {step}")
        return loaded[wanted] if wanted else next(iter(loaded.values()))

    def optional_network(self, switch: str, role: str, step: str | None = None) -> NetworkCaller | None:
        """The network of a step that can be switched; None where it is off. Without a network it is off by default.

        Args:
            switch: the request's parameter that turns the step on and off.
            role: see `network`.
            step: see `network`.

        Raises:
            InvalidParameter: see `network`; also where the step is off.
            Unsupported: it is asked for, and no network is loaded.
        """
        step = step or role
        there, wanted = role in self.module.networks, getattr(self.params, switch)
        if wanted and not there:
            raise Unsupported(
                f"{switch} is true, but this server has no network for {step}; leave it out or set it to false"
            )
        network = self.network(role, step) if there or self.params.network_for(step) else None
        return network if wanted or wanted is None else None

    async def infer(self, network: NetworkCaller, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one of the module's networks on one batch."""
        self.check()
        return await network.infer(inputs, self)

    async def infer_all(
        self, network: NetworkCaller, batches: Sequence[Callable[[], Mapping[str, np.ndarray]]]
    ) -> list[dict[str, np.ndarray]]:
        """Run many batches, several at once; each element builds its inputs only when its turn comes.

        Args:
            network: one of the module's.
            batches: functions without arguments that give the inputs of one call.
        """

        async def run(build: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
            return await self.infer(network, build())

        return await self.run_all([partial(run, build) for build in batches])

    async def run_all(self, jobs: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Run many jobs that call networks, `MAX_CALLS_IN_FLIGHT` at once; after a failure no other is begun.

        Args:
            jobs: coroutine functions without arguments.

        Returns:
            What they return, in their order.
        """
        slots = asyncio.Semaphore(MAX_CALLS_IN_FLIGHT)
        failures: list[Exception] = []

        async def run(job: Callable[[], Awaitable[T]]) -> list[T]:
            async with slots:
                # A call on its way cannot be taken back; those not sent yet are not sent after a failure.
                if not failures:
                    try:
                        return [await job()]
                    except Exception as error:
                        failures.append(error)
                return []

        results = await asyncio.gather(*(run(job) for job in jobs))
        if failures:
            raise failures[0]
        return [result for done in results for result in done]

    def optional_bytes(self, name: str) -> bytes | None:
        """An optional BYTES [1] input, None if the request does not carry it."""
        array = self.optional_array(name)
        if array is None:
            return None
        if array.size != 1:
            raise InvalidParameter(f"input {name!r} has {array.size} elements; exactly 1 is allowed")
        return bytes(array.reshape(-1)[0])

    def _deadline(self) -> int:
        """End of the caller's patience on CLOCK_MONOTONIC, ns; 0 if endless.

        The first stage computes it; later stages get it as a tensor, because Triton grants every step of an
        ensemble the full timeout again.
        """
        given = self.optional_array("deadline")
        if given is not None and given.size:
            return int(given.reshape(-1)[0])
        timeout_us = self.request.timeout()
        return min(time.monotonic_ns() + timeout_us * 1000, _ENDLESS_NS) if timeout_us > 0 else 0


class Module:
    """A Triton model that is one stage of a pipeline. Subclasses set `stage`, `schemas` and `answer`."""

    stage: ClassVar[str]
    schemas: ClassVar[tuple[type[Params], ...]]

    batched: bool
    networks: dict[str, dict[str, NetworkCaller]]
    metrics: StageMetrics

    def initialize(self, args: Mapping[str, str]) -> None:
        """Triton's hook: read the configuration, find the networks' descriptions."""
        # One stub process per instance: threads inside OpenCV would only compete with the networks.
        cv2.setNumThreads(1)
        config = json.loads(args["model_config"])
        self.batched = int(config["max_batch_size"]) > 0
        self.metrics = StageMetrics(self.stage)
        folder = Path(args["model_repository"])
        parameters = {name: value["string_value"] for name, value in config.get("parameters", {}).items()}
        stand_ins = load_stand_ins(folder)
        self.networks = {
            role: {name: NetworkCaller(self, folder, name, stand_ins.get(role)) for name in names}
            for role, names in networks_by_step(parameters).items()
        }
        self.setup()

    def setup(self) -> None:
        """Hook for what a module prepares once."""

    def schemas_for(self, call: Call) -> tuple[type[Params], ...]:
        """The parameters a request may carry: those of the pipelines that it can belong to.

        Raises:
            InvalidParameter: another input of the request, which decides that, is wrong.
        """
        del call
        return self.schemas

    async def answer(self, call: Call) -> Mapping[str, np.ndarray]:
        """Turn one request into its outputs; BYTES as object arrays of bytes.

        Raises:
            ServiceError: what the caller is told.
        """
        raise InternalError("the module has no answer")

    def settings(self, used: Mapping[str, NetworkCaller | None], **values: Any) -> np.ndarray:
        """The `settings` output: what this stage used, as JSON.

        Args:
            used: the networks by PaddleX's names for their steps; None for a step that was off.
            **values: parameters as they were used.
        """
        networks = {step: network.describe() for step, network in used.items() if network is not None}
        document = {"stage": self.stage, "version": __version__, **values, "networks": networks}
        return np.array([json.dumps(document, ensure_ascii=False).encode()], dtype=object)

    async def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Triton's hook: one response per request, in order."""
        return list(await asyncio.gather(*(self._respond(request) for request in requests)))

    async def _respond(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        try:
            call = Call(self, request)
            call.check()
            outputs = await self.answer(call)
            return self._pack(outputs)
        except ServiceError as error:
            return self._refuse(request, error.code, str(error))
        except Exception:
            # The caller gets an id; the traceback stays in the log, in one line.
            incident = uuid.uuid4().hex[:12]
            details = {"id": incident, "traceback": traceback.format_exc()}
            return self._refuse(request, ErrorCode.INTERNAL, f"internal error, id {incident}", details)

    def _pack(self, outputs: Mapping[str, np.ndarray]) -> pb_utils.InferenceResponse:
        tensors = [
            pb_utils.Tensor(name, np.ascontiguousarray(array[None] if self.batched else array))
            for name, array in outputs.items()
        ]
        return pb_utils.InferenceResponse(output_tensors=tensors)

    def _refuse(
        self,
        request: pb_utils.InferenceRequest,
        code: ErrorCode,
        text: str,
        details: Mapping[str, str] | None = None,
    ) -> pb_utils.InferenceResponse:
        self.metrics.error(code)
        line = {
            "stage": self.stage,
            "code": code.value,
            "request_id": request_id_of(request),
            "message": text[:MAX_MESSAGE_CHARACTERS],
        }
        log = pb_utils.Logger.log_error if code is ErrorCode.INTERNAL else pb_utils.Logger.log_warn
        log("request failed " + json.dumps({**line, **(details or {}), "pid": os.getpid()}, ensure_ascii=False))
        status = getattr(pb_utils.TritonError, TRITON_CODE[code])
        error = pb_utils.TritonError(format_message(self.stage, code, text), status)
        return pb_utils.InferenceResponse(error=error)
