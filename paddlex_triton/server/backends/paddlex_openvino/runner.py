"""One model in OpenVINO: loaded as configured, and its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from paddlex_triton.server.backends.common.config import Config, read_config
from paddlex_triton.server.backends.common.errors import LoadError
from paddlex_triton.server.backends.common.model_file import find_model
from paddlex_triton.server.backends.common.runner import Runner
from paddlex_triton.server.backends.common.tensors import Interface, TensorInfo
from paddlex_triton.server.backends.paddlex_openvino.compiled import Compiled
from paddlex_triton.server.backends.paddlex_openvino.options import properties, read_options

# OpenVINO's element type -> Triton's.
_TRITON_TYPES = {
    "boolean": "BOOL",
    **{f"{kind}{bits}": f"{word}{bits}" for kind, word in (("i", "INT"), ("u", "UINT")) for bits in (8, 16, 32, 64)},
    "f16": "FP16",
    "f32": "FP32",
    "f64": "FP64",
}


class OpenVinoModel(Runner):
    """A loaded model."""

    def __init__(
        self, config: Mapping[str, Any], version_directory: Path, instance: str, content: bytes | None = None
    ) -> None:
        """Load a model and check its configuration against it.

        Args:
            config: the model configuration, as Triton gives it in JSON.
            version_directory: folder of the model's version.
            instance: name of the model instance, for messages.
            content: of the ONNX file, instead of the one in that folder.

        Raises:
            LoadError: options, file or configuration are wrong.
        """
        self._options = read_options(config)
        read = read_config(config)
        try:
            self._compiled = Compiled(
                content or find_model(config, version_directory), properties(self._options), self._options.kept_shapes
            )
        except RuntimeError as error:
            raise LoadError(self.message_of(error)) from None
        super().__init__(read, _interface_of(self._compiled.model, read), instance, take_turns=self._options.take_turns)

    @property
    def summary(self) -> str:
        """One line for the log: model, OpenVINO's version, precision, threads, turns, shapes."""
        options, turns = self._options, "takes turns, " if self._turns else ""
        return (
            f"{self._instance}: OpenVINO {ov.__version__}, {options.precision}, "
            f"threads {options.threads or 'default'}, {turns}keeps {options.kept_shapes} shapes"
        )

    def run(self, feed: Mapping[str, np.ndarray]) -> Sequence[Any]:
        """See `Runner.run`."""
        outputs = self._compiled.run(feed)
        return [outputs[name] for name in self.output_names]

    def settle(self) -> None:
        """See `Runner.settle`."""
        self._compiled.settle()

    def release(self) -> None:
        """See `Runner.release`."""
        self._compiled.release()
        super().release()

    def message_of(self, error: Exception) -> str:
        """See `Runner.message_of`: without the source files that OpenVINO puts in front."""
        lines = [line.strip() for line in str(error).splitlines()]
        said = [line for line in lines if line and not line.startswith(("Exception from ", "Check '"))]
        return f"openvino error: {' '.join(said) or type(error).__name__}"


def _interface_of(model: ov.Model, config: Config) -> Interface:
    """Read the interface of a loaded model.

    OpenVINO drops inputs that the graph does not use, and forgets sizes of outputs that the graph says: these are what
    the configuration says.
    """
    rows = (-1,) if config.batching else ()
    inputs, outputs = _tensor_infos(model.inputs), _tensor_infos(model.outputs)
    for tensor in config.inputs:
        inputs.setdefault(
            tensor.name, TensorInfo(tensor.name, tensor.data_type.removeprefix("TYPE_"), (*rows, *tensor.dims))
        )
    for tensor in config.outputs:
        info, dims = outputs.get(tensor.name), (*rows, *tensor.dims)
        if info is not None and len(dims) == len(info.shape):
            told = tuple(dim if dim != -1 else said for dim, said in zip(info.shape, dims, strict=True))
            outputs[tensor.name] = replace(info, shape=told)
    return Interface(inputs=inputs, overridable={}, outputs=outputs)


def _tensor_infos(ports: Sequence[Any]) -> dict[str, TensorInfo]:
    return {port.any_name: _tensor_info(port) for port in ports}


def _tensor_info(port: Any) -> TensorInfo:
    shape = port.partial_shape
    if shape.rank.is_dynamic:
        raise LoadError(f"tensor {port.any_name!r} has any number of dimensions; paddlex_openvino takes a fixed one")
    dims = tuple(dim.get_length() if dim.is_static else -1 for dim in shape)
    return TensorInfo(port.any_name, _TRITON_TYPES.get(port.element_type.get_type_name()), dims)
