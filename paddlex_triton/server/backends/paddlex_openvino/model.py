"""Triton's backend `paddlex_openvino`, in Python: networks on CPUs in OpenVINO.

Lies in `<backend directory>/paddlex_openvino/` beside Triton's own `python/`; every model whose configuration says
`backend: "paddlex_openvino"` runs through it. See `paddlex_triton.server.backends.paddlex_openvino`.
"""

# Annotations stay unevaluated: while Triton completes a configuration, pb_utils has no InferenceRequest.
from __future__ import annotations

import triton_python_backend_utils as pb_utils

from paddlex_triton.server.backends.common.triton import BackendModel
from paddlex_triton.server.backends.paddlex_openvino.runner import OpenVinoModel


class TritonPythonModel(BackendModel):
    """One instance of a model."""

    backend = "paddlex_openvino"
    load = OpenVinoModel

    @staticmethod
    def auto_complete_config(auto_complete_model_config: pb_utils.ModelConfig) -> pb_utils.ModelConfig:
        """Leave the configuration as it is: export writes complete ones."""
        return auto_complete_model_config
