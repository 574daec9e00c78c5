"""Triton's `onnxruntime` backend in Python, for machines without NVIDIA's C++ one.

Lies in `<backend directory>/onnxruntime/` beside Triton's own `python/`; every model whose configuration says
`backend: "onnxruntime"` runs through it. What it mirrors, and where it differs:
`paddlex_triton.server.backends.onnxruntime`.
"""

# Annotations stay unevaluated: while Triton completes a configuration, pb_utils has no InferenceRequest.
from __future__ import annotations

import json
from pathlib import Path

import triton_python_backend_utils as pb_utils

from paddlex_triton.server.backends.onnxruntime.autocomplete import complete, is_complete
from paddlex_triton.server.backends.onnxruntime.batch import Request, Result
from paddlex_triton.server.backends.onnxruntime.config import check_instance_kind
from paddlex_triton.server.backends.onnxruntime.errors import LoadError, RequestError
from paddlex_triton.server.backends.onnxruntime.options import read_options
from paddlex_triton.server.backends.onnxruntime.runner import OnnxModel, find_model, load_session
from paddlex_triton.server.backends.onnxruntime.tensors import interface_of


class TritonPythonModel:
    """One instance of a model."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config: pb_utils.ModelConfig) -> pb_utils.ModelConfig:
        """Fill in what config.pbtxt leaves out."""
        config = auto_complete_model_config.as_dict()
        if is_complete(config):
            return auto_complete_model_config
        try:
            session = load_session(find_model(config, Path(pb_utils.get_model_dir())), read_options(config))
            completion = complete(config, interface_of(session))
        except LoadError as error:
            raise pb_utils.TritonModelException(str(error)) from None
        if completion.max_batch_size is not None:
            auto_complete_model_config.set_max_batch_size(completion.max_batch_size)
            pb_utils.Logger.log_warn(
                f"autofilled max_batch_size to {completion.max_batch_size} for model '{config['name']}' since batching "
                "is supported but no max_batch_size is specified in model configuration"
            )
        if completion.dynamic_batching:
            auto_complete_model_config.set_dynamic_batching()
        # Not add_input and add_output: they refuse `reshape`.
        config.setdefault("input", []).extend(completion.inputs)
        config.setdefault("output", []).extend(completion.outputs)
        return auto_complete_model_config

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model and check it against its configuration."""
        try:
            check_instance_kind(args["model_name"], args["model_instance_kind"])
            self._model = OnnxModel(
                json.loads(args["model_config"]),
                Path(args["model_repository"]) / args["model_version"],
                args["model_instance_name"],
            )
        except LoadError as error:
            raise pb_utils.TritonModelException(str(error)) from None
        pb_utils.Logger.log_info(self._model.summary)

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Run the batch that the scheduler joined."""
        return [_response(result) for result in self._model.execute([_request(request) for request in requests])]

    def finalize(self) -> None:
        """Let go of the session."""
        del self._model


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
