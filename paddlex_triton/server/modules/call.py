"""One request as a module sees it: its inputs, its pipeline and parameters, its deadline, and its calls to networks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np
import triton_python_backend_utils as pb_utils

from paddlex_triton.errors import (
    Cancelled,
    DeadlineExceeded,
    ImageTooLarge,
    InternalError,
    InvalidParameter,
    Unsupported,
)
from paddlex_triton.limits import MAX_IMAGE_PIXELS, MAX_IMAGE_SIDE
from paddlex_triton.params import MODEL_NAME_SUFFIX, Params, parse_params
from paddlex_triton.pipelines import PIPELINES, PipelineSpec
from paddlex_triton.server.modules.network_caller import NetworkCaller

# Network calls of one request that are on their way together: enough to fill dynamic batches, few enough that a
# page of a thousand lines neither holds all its crops at once nor outlives its deadline by more than these.
MAX_CALLS_IN_FLIGHT = 8
# How often Triton is asked whether the caller went away. It is a message to its process and back, and the calls of a
# page go out within a few milliseconds.
_ASK_TRITON_EVERY_NS = 10_000_000
# A deadline travels as INT64; a timeout that reaches further (292 years) is as good as none.
_ENDLESS_NS = 2**63 - 1

P_co = TypeVar("P_co", bound=Params, covariant=True)
T = TypeVar("T")


@dataclass(frozen=True)
class LoadedPipeline:
    """A pipeline that a module serves.

    Attributes:
        spec: the pipeline.
        networks: step -> name -> network, the default one first; of the module's own steps.
    """

    spec: PipelineSpec
    networks: Mapping[str, Mapping[str, NetworkCaller]]


@contextmanager
def refusing_values() -> Iterator[None]:
    """Tell the caller what `ops` says of an argument that came with the request.

    Raises:
        InvalidParameter: with the text of a ValueError inside.
    """
    try:
        yield
    except ValueError as error:
        raise InvalidParameter(str(error)) from None


def request_id_of(request: pb_utils.InferenceRequest) -> str:
    """Return the caller's id of a request; empty where its bytes are not UTF-8, which Triton itself does not mind."""
    try:
        return request.request_id()
    except UnicodeDecodeError:
        return ""


class Call(Generic[P_co]):
    """One request to a module.

    Attributes:
        spec: the pipeline that it is of.
        params: its parameters, those of the pipeline.
        max_pixels: of a page.
        deadline_ns: end of the caller's patience on CLOCK_MONOTONIC, ns; 0 if endless.
    """

    def __init__(
        self,
        request: pb_utils.InferenceRequest,
        pipelines: Mapping[str, LoadedPipeline],
        params_type: type[P_co],
        *,
        batched: bool,
        max_pixels: int = MAX_IMAGE_PIXELS,
    ) -> None:
        """Read a request.

        Args:
            request: Triton's.
            pipelines: those that the module serves, by name, at least one; the first is that of a request without.
            params_type: what of a pipeline's parameters the module needs.
            batched: whether inputs have a leading axis of Triton's batcher.
            max_pixels: of a page.

        Raises:
            InvalidParameter: an input, or the parameters, are not as they must be.
            Unsupported: the module does not serve the request's pipeline.
        """
        self._request = request
        self._batched = batched
        self.max_pixels = max_pixels
        self._tensors = {tensor.name(): tensor for tensor in request.inputs()}
        self._ask_triton_at_ns = 0
        self.request_id = request_id_of(request)
        self.deadline_ns = self._read_deadline()
        self._pipeline = self._choose_pipeline(pipelines)
        self.spec = self._pipeline.spec
        params = parse_params(self.optional_bytes("params"), self.spec.params)
        if not isinstance(params, params_type):
            raise InternalError(f"pipeline {self.spec.name} has no {params_type.__name__}")
        self.params: P_co = params

    def array(self, name: str) -> np.ndarray:
        """Return a required input, without the batch axis that Triton's batcher may have put in front."""
        array = self.optional_array(name)
        if array is None:
            raise InvalidParameter(f"input {name!r} is missing")
        return array

    def optional_array(self, name: str) -> np.ndarray | None:
        """Return an optional input, None if the request does not carry it."""
        tensor = self._tensors.get(name)
        if tensor is None:
            return None
        array = tensor.as_numpy()
        if not self._batched:
            return array
        if len(array) != 1:
            raise InvalidParameter(f"input {name!r} has a batch of {len(array)}; one request is one page")
        return array[0]

    def page(self, name: str) -> np.ndarray:
        """Return a required page, UINT8 [H,W,3] BGR.

        Raises:
            InvalidParameter: it has no pixels, or not three channels.
            ImageTooLarge: it is larger than any image that is decoded.
        """
        array = self.array(name)
        if array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
            raise InvalidParameter(f"input {name!r} has shape {list(array.shape)}; a page is [H, W, 3] with pixels")
        height, width = array.shape[:2]
        if max(height, width) > MAX_IMAGE_SIDE or height * width > self.max_pixels:
            raise ImageTooLarge(
                f"input {name!r} is {width}x{height} (width x height); at most {MAX_IMAGE_SIDE} a side and "
                f"{self.max_pixels} pixels are allowed"
            )
        return array

    def text(self, name: str, default: str) -> str:
        """Return an optional BYTES [1] input as text."""
        raw = self.optional_bytes(name)
        return default if raw is None else raw.decode("utf-8", "replace")

    def required_bytes(self, name: str) -> bytes:
        """Return a required BYTES [1] input."""
        raw = self.optional_bytes(name)
        if raw is None:
            raise InvalidParameter(f"input {name!r} is missing")
        return raw

    def optional_bytes(self, name: str) -> bytes | None:
        """Return an optional BYTES [1] input, None if the request does not carry it."""
        array = self.optional_array(name)
        if array is None:
            return None
        if array.size != 1:
            raise InvalidParameter(f"input {name!r} has {array.size} elements; exactly 1 is allowed")
        return bytes(array.reshape(-1)[0])

    def check(self) -> None:
        """Stop here if nobody waits for the answer any more.

        Raises:
            Cancelled: the caller went away. Triton tells a step of an ensemble only before it begins.
            DeadlineExceeded: the caller's timeout passed.
        """
        now = time.monotonic_ns()
        if now >= self._ask_triton_at_ns:
            self._ask_triton_at_ns = now + _ASK_TRITON_EVERY_NS
            if self._request.is_cancelled():
                raise Cancelled("the caller cancelled the request")
        if self.deadline_ns and now >= self.deadline_ns:
            raise DeadlineExceeded("the request's timeout passed")

    def network(self, step: str) -> NetworkCaller:
        """Return the network for a step of the pipeline: the one that the request names, else the default one.

        Args:
            step: PaddleX's name for it; the request's parameter is `<step>_model_name`.

        Raises:
            InvalidParameter: the request names another one than those that are loaded.
            Unsupported: none is loaded.
        """
        loaded, wanted = self._pipeline.networks.get(step, {}), self.params.network_for(step)
        if wanted is not None and wanted not in loaded:
            raise InvalidParameter(
                f"{step}{MODEL_NAME_SUFFIX} is {wanted!r}; loaded on this server: {', '.join(loaded) or 'none'}"
            )
        if not loaded:
            raise Unsupported(f"this server has no network for {step}")
        return loaded[wanted] if wanted else next(iter(loaded.values()))

    def optional_network(self, step: str) -> NetworkCaller | None:
        """Return the network of a step that can be switched; None where it is off, or the pipeline has no such step.

        Without a network the step is off by default.

        Raises:
            InvalidParameter: see `network`; also where the step is off.
            Unsupported: it is asked for, and no network is loaded.
        """
        place = self.spec.steps.get(step)
        if place is None or place.switch is None:
            return None
        there, wanted = bool(self._pipeline.networks.get(step)), getattr(self.params, place.switch)
        if wanted and not there:
            raise Unsupported(
                f"{place.switch} is true, but this server has no network for {step}; leave it out or set it to false"
            )
        network = self.network(step) if there or self.params.network_for(step) else None
        return network if wanted or wanted is None else None

    async def infer(self, network: NetworkCaller, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one of the pipeline's networks on one batch; the request's id, trace and deadline are passed on."""
        self.check()
        left_us = max(1, (self.deadline_ns - time.monotonic_ns()) // 1000) if self.deadline_ns else 0
        return await network.infer(inputs, request_id=self.request_id, timeout_us=left_us, trace=self._request.trace())

    async def infer_all(
        self, network: NetworkCaller, batches: Sequence[Callable[[], Mapping[str, np.ndarray]]]
    ) -> list[dict[str, np.ndarray]]:
        """Run many batches, several at once; each element builds its inputs only when its turn comes.

        Args:
            network: one of the pipeline's.
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

    def _read_deadline(self) -> int:
        """Return the end of the caller's patience.

        The first stage computes it; later stages get it as a tensor, because Triton grants every step of an
        ensemble the full timeout again.
        """
        given = self.optional_array("deadline")
        if given is not None and given.size:
            return int(given.reshape(-1)[0])
        timeout_us = self._request.timeout()
        return min(time.monotonic_ns() + timeout_us * 1000, _ENDLESS_NS) if timeout_us > 0 else 0

    def _choose_pipeline(self, pipelines: Mapping[str, LoadedPipeline]) -> LoadedPipeline:
        name = self.text("pipeline", next(iter(pipelines)))
        if name not in PIPELINES:
            raise InvalidParameter(f"pipeline is {name!r}; known: {', '.join(PIPELINES)}")
        if name not in pipelines:
            raise Unsupported(f"pipeline is {name!r}; on this server this module serves {', '.join(pipelines)}")
        return pipelines[name]
