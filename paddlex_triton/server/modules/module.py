"""Base class of the Python-backend modules.

A module's `model.py` names its stage and turns arrays into arrays; everything that all modules have in common
happens here: pipelines and their networks, one answer per request whatever the others in the batch do, errors with the
stage's name and our code, metrics and log lines. What a request is made of: `call`.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import traceback
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import cv2
import numpy as np
import triton_python_backend_utils as pb_utils

from paddlex_triton.errors import TRITON_CODE, ErrorCode, InternalError, ServiceError, format_message
from paddlex_triton.idle import IDLE_S, WhenIdle, trim_memory
from paddlex_triton.limits import MAX_IMAGE_PIXELS, MAX_MESSAGE_CHARACTERS
from paddlex_triton.module_parameters import MAX_IMAGE_PIXELS_PARAMETER, PIPELINE, read_networks
from paddlex_triton.network import StandIn, load_stand_ins
from paddlex_triton.params import Params
from paddlex_triton.pipelines import PIPELINES
from paddlex_triton.server.modules.call import Call, LoadedPipeline, request_id_of
from paddlex_triton.server.modules.metrics import StageMetrics
from paddlex_triton.server.modules.network_caller import NetworkCaller
from paddlex_triton.settings import StageSettings

P = TypeVar("P", bound=Params)


def settings_output(settings: StageSettings) -> np.ndarray:
    """Return the `settings` output, BYTES [1]: a stage's settings as JSON."""
    return np.array([settings.encode()], dtype=object)


class Module(Generic[P]):
    """A Triton model that is one stage of pipelines. Subclasses set `stage` and `params_type`, and define `answer`.

    Attributes:
        stage: its name in messages, metrics and settings.
        params_type: what of a pipeline's parameters it needs; a pipeline's own derive from it.
        pipelines: those that it serves, by PaddleX's names.
    """

    stage: ClassVar[str]
    params_type: type[P]

    pipelines: dict[str, LoadedPipeline]
    metrics: StageMetrics

    def initialize(self, args: Mapping[str, str]) -> None:
        """Read the configuration and the descriptions of the networks it names (Triton's hook)."""
        # One stub process per instance: threads inside OpenCV would only compete with the networks.
        cv2.setNumThreads(1)
        config = json.loads(args["model_config"])
        self._batched = int(config["max_batch_size"]) > 0
        self._idle = WhenIdle(IDLE_S, trim_memory)
        folder = Path(args["model_repository"])
        parameters = {name: value["string_value"] for name, value in config.get("parameters", {}).items()}
        # Pages come to a pipeline's first module first.
        self.metrics = StageMetrics(self.stage, tells_memory=PIPELINE in parameters)
        self._max_pixels = int(parameters.get(MAX_IMAGE_PIXELS_PARAMETER, MAX_IMAGE_PIXELS))
        networks = read_networks(parameters)
        # The first stage of a pipeline may have no network of its own.
        own = [parameters[PIPELINE]] if PIPELINE in parameters else []
        stand_ins = load_stand_ins(folder)
        self.pipelines = {
            name: LoadedPipeline(PIPELINES[name], self._load(folder, networks.get(name, {}), stand_ins.get(name, {})))
            for name in PIPELINES
            if name in networks or name in own
        }
        if not self.pipelines:
            raise pb_utils.TritonModelException(
                f"{self.stage}: its configuration names no pipeline; run `paddlex-triton assemble` with this version"
            )

    async def answer(self, call: Call[P]) -> Mapping[str, np.ndarray]:
        """Turn one request into its outputs; BYTES as object arrays of bytes.

        Raises:
            ServiceError: what the caller is told.
        """
        raise InternalError("the module has no answer")

    async def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Give one response per request, in order (Triton's hook)."""
        responses = list(await asyncio.gather(*(self._respond(request) for request in requests)))
        self.metrics.publish()
        self._idle.touch()
        return responses

    def _load(
        self, folder: Path, networks: Mapping[str, Sequence[str]], stand_ins: Mapping[str, StandIn]
    ) -> dict[str, dict[str, NetworkCaller]]:
        return {
            step: {name: NetworkCaller(folder, name, self.metrics, stand_ins.get(step)) for name in names}
            for step, names in networks.items()
        }

    async def _respond(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        began = time.monotonic()
        try:
            call = Call(request, self.pipelines, self.params_type, batched=self._batched, max_pixels=self._max_pixels)
            call.check()
            outputs = dict(await self.answer(call))
            if "settings" in outputs:
                took_ms = (time.monotonic() - began) * 1000
                outputs["settings"] = np.array([StageSettings.add_time(outputs["settings"][0], took_ms)], dtype=object)
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
            pb_utils.Tensor(name, np.ascontiguousarray(array[None] if self._batched else array))
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
