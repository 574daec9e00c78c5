"""Triton's `onnxruntime` backend in Python, for machines without NVIDIA's C++ one.

Lies in `<backend directory>/onnxruntime/` beside Triton's own `python/`; every model whose configuration says
`backend: "onnxruntime"` runs through it. What it mirrors, and where it differs:
`paddlex_triton.server.backends.onnxruntime`.
"""

# Annotations stay unevaluated: while Triton completes a configuration, pb_utils has no InferenceRequest.
from __future__ import annotations

from pathlib import Path

import triton_python_backend_utils as pb_utils

from paddlex_triton.server.backends.common.errors import LoadError
from paddlex_triton.server.backends.common.model_file import find_model
from paddlex_triton.server.backends.common.triton import BackendModel
from paddlex_triton.server.backends.onnxruntime.autocomplete import complete, is_complete
from paddlex_triton.server.backends.onnxruntime.options import read_options
from paddlex_triton.server.backends.onnxruntime.runner import OnnxModel, load_session
from paddlex_triton.server.backends.onnxruntime.tensors import interface_of


class TritonPythonModel(BackendModel):
    """One instance of a model."""

    backend = "onnxruntime"
    load = OnnxModel

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
