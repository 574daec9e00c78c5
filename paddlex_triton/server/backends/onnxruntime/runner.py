"""One model in ONNX Runtime: its session, loaded as configured, and its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from paddlex_triton.server.backends.common.batch import Request, Result
from paddlex_triton.server.backends.common.config import read_config
from paddlex_triton.server.backends.common.errors import LoadError, RequestError
from paddlex_triton.server.backends.common.model_file import find_model
from paddlex_triton.server.backends.common.runner import LARGE_INPUT_BYTES, Runner, bytes_of
from paddlex_triton.server.backends.onnxruntime.errors import onnxruntime_message
from paddlex_triton.server.backends.onnxruntime.options import Options, read_options, run_options, session_options
from paddlex_triton.server.backends.onnxruntime.strings import is_bytes_tensor, to_onnxruntime, to_triton
from paddlex_triton.server.backends.onnxruntime.tensors import interface_of

_ARENA = "cpu:0"
_PROVIDERS = ("CPUExecutionProvider",)


def load_session(model: Path | bytes, options: Options) -> ort.InferenceSession:
    """Load an ONNX file, or its content, for the CPU.

    Raises:
        LoadError: ONNX Runtime refuses it.
    """
    try:
        return ort.InferenceSession(model, session_options(options), providers=list(_PROVIDERS))
    except LoadError:
        raise
    except Exception as error:
        raise LoadError(onnxruntime_message(error)) from None


class OnnxModel(Runner):
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
        self._session = load_session(content or find_model(config, version_directory), self._options)
        self._run_options = run_options(self._options)
        self._shrinking = self._run_options or run_options(replace(self._options, arena_shrinkage=_ARENA))
        super().__init__(read, interface_of(self._session), instance, take_turns=self._options.take_turns)

    @property
    def summary(self) -> str:
        """One line for the log: model, ONNX Runtime's version, threads, turns, providers."""
        options = self._options
        return (
            f"{self._instance}: ONNX Runtime {ort.__version__}, "
            f"intra-op threads {options.intra_op_threads or 'default'}, "
            f"inter-op threads {options.inter_op_threads or 'default'}, "
            f"{'takes turns, ' if self._turns else ''}"
            f"providers {', '.join(self._session.get_providers())}"
        )

    def run(self, feed: Mapping[str, np.ndarray]) -> Sequence[Any]:
        """See `Runner.run`."""
        options = self._shrinking if bytes_of(feed) > LARGE_INPUT_BYTES else self._run_options
        return self._session.run(self.output_names, feed, options)

    def message_of(self, error: Exception) -> str:
        """See `Runner.message_of`."""
        return onnxruntime_message(error)

    def to_triton(self, array: np.ndarray) -> np.ndarray:
        """Turn text into bytes; everything else stays as it is."""
        return to_triton(array) if array.dtype.kind in "OU" else array

    def execute(self, requests: Sequence[Request]) -> list[Result]:
        """Run a batch as `Runner.execute` does; a request whose text cannot be read leaves the others alone."""
        results: list[Result | None] = [None] * len(requests)
        readable: dict[int, Request] = {}
        for index, request in enumerate(requests):
            try:
                readable[index] = _with_text(request)
            except RequestError as error:
                results[index] = error
        for index, result in zip(readable, super().execute(list(readable.values())), strict=True):
            results[index] = result
        return [result for result in results if result is not None]


def _with_text(request: Request) -> Request:
    """Decode the BYTES inputs of a request; those without any stay as they are."""
    if not any(is_bytes_tensor(array) for array in request.inputs.values()):
        return request
    inputs = {
        name: to_onnxruntime(name, array) if is_bytes_tensor(array) else array for name, array in request.inputs.items()
    }
    return replace(request, inputs=inputs)
