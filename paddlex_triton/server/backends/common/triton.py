"""Between Triton's objects and this product's: what a backend's `model.py` is made of."""

# Annotations stay unevaluated: while Triton completes a configuration, pb_utils has no InferenceRequest.
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import triton_python_backend_utils as pb_utils

from paddlex_triton.idle import IDLE_S, WhenIdle
from paddlex_triton.server.backends.common.batch import Request, Result
from paddlex_triton.server.backends.common.config import check_instance_kind
from paddlex_triton.server.backends.common.errors import LoadError, RequestError
from paddlex_triton.server.backends.common.runner import Runner


class BackendModel:
    """One instance of a model, with Triton's hooks. Backends set what is theirs.

    Attributes:
        backend: its name.
        load: loads a model: from its configuration, the folder of its version and the name of the instance.
    """

    backend: ClassVar[str]
    load: ClassVar[Callable[[Mapping[str, Any], Path, str], Runner]]

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model and check it against its configuration."""
        try:
            check_instance_kind(args["model_name"], args["model_instance_kind"], self.backend)
            self._runner = type(self).load(
                json.loads(args["model_config"]),
                Path(args["model_repository"]) / args["model_version"],
                args["model_instance_name"],
            )
        except LoadError as error:
            raise pb_utils.TritonModelException(str(error)) from None
        self._idle = WhenIdle(IDLE_S, self._runner.release)
        pb_utils.Logger.log_info(self._runner.summary)

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Run the batch that the scheduler joined."""
        responses = [_response(result) for result in self._runner.execute([_request(request) for request in requests])]
        self._idle.touch()
        return responses

    def finalize(self) -> None:
        """Let go of the model."""
        del self._runner


def _request(request: pb_utils.InferenceRequest) -> Request:
    return Request(
        inputs={tensor.name(): tensor.as_numpy() for tensor in request.inputs()},
        requested=frozenset(request.requested_output_names()),
        request_id=_request_id(request),
    )


def _request_id(request: pb_utils.InferenceRequest) -> str:
    """Return the request's id for messages; empty where its bytes are not UTF-8."""
    try:
        return request.request_id()
    except UnicodeDecodeError:
        return ""


def _response(result: Result) -> pb_utils.InferenceResponse:
    if isinstance(result, RequestError):
        code = getattr(pb_utils.TritonError, result.code)
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(result), code))
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in result.items()])
