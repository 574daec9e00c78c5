"""Between Triton's objects and this product's: requests in, responses out."""

# Annotations stay unevaluated: while Triton completes a configuration, pb_utils has no InferenceRequest.
from __future__ import annotations

import triton_python_backend_utils as pb_utils

from paddlex_triton.server.backends.common.batch import Request, Result
from paddlex_triton.server.backends.common.errors import RequestError
from paddlex_triton.server.backends.common.runner import Runner


def answer(runner: Runner, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
    """Run the batch that the scheduler joined."""
    return [_response(result) for result in runner.execute([_request(request) for request in requests])]


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
