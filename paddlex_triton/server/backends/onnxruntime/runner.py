"""One model: its session, loaded as configured, and the run of a batch of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from paddlex_triton.server.backends.onnxruntime.batch import Request, Result, join, split, whole
from paddlex_triton.server.backends.onnxruntime.config import check_config, read_config
from paddlex_triton.server.backends.onnxruntime.errors import LoadError, RequestError, onnxruntime_message, run_error
from paddlex_triton.server.backends.onnxruntime.options import Options, read_options, run_options, session_options
from paddlex_triton.server.backends.onnxruntime.strings import is_bytes_tensor, to_onnxruntime, to_triton
from paddlex_triton.server.backends.onnxruntime.tensors import interface_of
from paddlex_triton.server.backends.onnxruntime.turns import turns_of_server

_DEFAULT_FILENAME = "model.onnx"
_PROVIDERS = ("CPUExecutionProvider",)


def find_model(config: Mapping[str, Any], version_directory: Path) -> Path:
    """Find the ONNX file: `default_model_filename` or model.onnx; for a directory of that name, model.onnx in it.

    Raises:
        LoadError: there is none.
    """
    path = version_directory / (config.get("default_model_filename") or _DEFAULT_FILENAME)
    if not path.exists():
        raise LoadError(f"failed to stat file {path}")
    if path.is_dir():
        path = path / _DEFAULT_FILENAME
        if not path.is_file():
            raise LoadError(f"unable to find '{path}' for model '{config['name']}'")
    return path


def load_session(path: Path, options: Options) -> ort.InferenceSession:
    """Load an ONNX file for the CPU.

    Raises:
        LoadError: ONNX Runtime refuses it.
    """
    try:
        return ort.InferenceSession(str(path), session_options(options), providers=list(_PROVIDERS))
    except LoadError:
        raise
    except Exception as error:
        raise LoadError(onnxruntime_message(error)) from None


@dataclass(frozen=True)
class _Prepared:
    """A request whose inputs are as ONNX Runtime takes them, and its place among all."""

    index: int
    request: Request


class OnnxModel:
    """A loaded model."""

    def __init__(self, config: Mapping[str, Any], version_directory: Path, instance: str) -> None:
        """Load a model and check its configuration against it.

        Args:
            config: the model configuration, as Triton gives it in JSON.
            version_directory: folder of the model's version.
            instance: name of the model instance, for messages.

        Raises:
            LoadError: options, file or configuration are wrong.
        """
        self._options = read_options(config)
        self._config = read_config(config)
        self._instance = instance
        self._session = load_session(find_model(config, version_directory), self._options)
        self._run_options = run_options(self._options)
        self._turns = turns_of_server() if self._options.take_turns else None
        interface = interface_of(self._session)
        check_config(self._config, interface)
        self._output_names = sorted(tensor.name for tensor in self._config.outputs)
        self._scalar_inputs = frozenset(
            info.name for info in (*interface.inputs.values(), *interface.overridable.values()) if not info.shape
        )
        self._output_dims = {tensor.name: tensor.dims for tensor in self._config.outputs}

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

    def execute(self, requests: Sequence[Request]) -> list[Result]:
        """Run a batch of requests once, as the scheduler joined them.

        Args:
            requests: at least one.

        Returns:
            For each request its outputs or its error. An error of the run itself is every request's.
        """
        results: list[Result | None] = [None] * len(requests)
        prepared: list[_Prepared] = []
        for index, request in enumerate(requests):
            try:
                prepared.append(_Prepared(index, _with_text(request)))
            except RequestError as error:
                results[index] = error
        for item, result in zip(prepared, self._run([item.request for item in prepared]), strict=True):
            results[item.index] = result
        return [result for result in results if result is not None]

    def _run(self, requests: Sequence[Request]) -> list[Result]:
        if not requests:
            return []
        try:
            self._check_batch_size(requests)
            feed = self._feed(requests)
            with self._turns.mine() if self._turns else nullcontext():
                outputs = self._session.run(self._output_names, feed, self._run_options)
            arrays = {
                name: self._as_triton(name, array) for name, array in zip(self._output_names, outputs, strict=True)
            }
        except RequestError as error:
            return [error] * len(requests)
        except Exception as error:
            return [run_error(error)] * len(requests)
        return split(arrays, requests) if self._config.batching else whole(arrays, requests)

    def _check_batch_size(self, requests: Sequence[Request]) -> None:
        """Guard against a scheduler that joined too much, as the C++ backend does."""
        total = sum(request.rows for request in requests) if self._config.batching else len(requests)
        if total != 1 and total > self._config.max_batch_size:
            raise RequestError(
                "INTERNAL",
                f"batch size {total} for '{self._instance}', max allowed is {self._config.max_batch_size}",
            )

    def _feed(self, requests: Sequence[Request]) -> dict[str, np.ndarray]:
        feed = join(requests)
        for name in self._scalar_inputs & feed.keys():
            # Triton has no tensors without dimensions; the model's scalar is the first element.
            feed[name] = feed[name].reshape(-1)[:1].reshape(())
        return feed

    def _as_triton(self, name: str, output: Any) -> np.ndarray:
        array = np.asarray(output)
        if array.dtype.kind in "OU":
            array = to_triton(array)
        if array.ndim == 0:
            # The configuration gives a scalar its shape; with batching there is at least the batch dimension.
            dims = self._output_dims[name]
            array = array.reshape(dims or ((1,) if self._config.batching else ()))
        return array


def _with_text(request: Request) -> Request:
    """Decode the BYTES inputs of a request; those without any stay as they are."""
    if not any(is_bytes_tensor(array) for array in request.inputs.values()):
        return request
    inputs = {
        name: to_onnxruntime(name, array) if is_bytes_tensor(array) else array for name, array in request.inputs.items()
    }
    return replace(request, inputs=inputs)
