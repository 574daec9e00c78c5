"""Triton's backend `paddlex_openvino`, in Python: networks on CPUs in OpenVINO.

Lies in `<backend directory>/paddlex_openvino/` beside Triton's own `python/`; every model whose configuration says
`backend: "paddlex_openvino"` runs through it. See `paddlex_triton.server.backends.paddlex_openvino`.
"""

# Annotations stay unevaluated: while Triton completes a configuration, pb_utils has no InferenceRequest.
from __future__ import annotations

import json
from pathlib import Path

import triton_python_backend_utils as pb_utils

from paddlex_triton.server.backends.common.config import check_instance_kind
from paddlex_triton.server.backends.common.errors import LoadError
from paddlex_triton.server.backends.common.triton import answer
from paddlex_triton.server.backends.paddlex_openvino.runner import OpenVinoModel


class TritonPythonModel:
    """One instance of a model."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config: pb_utils.ModelConfig) -> pb_utils.ModelConfig:
        """Leave the configuration as it is: export writes complete ones."""
        return auto_complete_model_config

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model and check it against its configuration."""
        try:
            check_instance_kind(args["model_name"], args["model_instance_kind"], "paddlex_openvino")
            self._model = OpenVinoModel(
                json.loads(args["model_config"]),
                Path(args["model_repository"]) / args["model_version"],
                args["model_instance_name"],
            )
        except LoadError as error:
            raise pb_utils.TritonModelException(str(error)) from None
        pb_utils.Logger.log_info(self._model.summary)

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Run the batch that the scheduler joined."""
        return answer(self._model, requests)

    def finalize(self) -> None:
        """Let go of the model."""
        del self._model
