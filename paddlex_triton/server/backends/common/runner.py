"""One model: the run of a batch of requests, whatever the engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from paddlex_triton.idle import trim_memory
from paddlex_triton.server.backends.common.batch import Request, Result, join, split, whole
from paddlex_triton.server.backends.common.config import Config, check_config
from paddlex_triton.server.backends.common.errors import RequestError, run_error
from paddlex_triton.server.backends.common.tensors import Interface
from paddlex_triton.server.backends.common.turns import turns_of_server

# Bytes of inputs above which a run's memory is given back afterwards: those of a page of 2.8 megapixels.
# Engines keep what their largest run took: 2.5 GB for a page of 4000 x 4000 (PP-OCRv4_mobile_det in OpenVINO).
LARGE_INPUT_BYTES = 8 * 1024 * 1024


def bytes_of(feed: Mapping[str, np.ndarray]) -> int:
    """Return the bytes of a run's inputs."""
    return sum(array.nbytes for array in feed.values())


class Runner(ABC):
    """A loaded model.

    Attributes:
        output_names: of the configuration, sorted.
    """

    def __init__(self, config: Config, interface: Interface, instance: str, *, take_turns: int) -> None:
        """Check a model's configuration against it.

        Args:
            config: the part of its configuration that backends need.
            interface: its tensors.
            instance: name of the model instance, for messages.
            take_turns: how many of those that take turns may run at once, see `turns`; 0 to take none.

        Raises:
            LoadError: they do not agree.
        """
        check_config(config, interface)
        self._config = config
        self._instance = instance
        self._turns = turns_of_server(take_turns, instance)
        self.output_names = sorted(tensor.name for tensor in config.outputs)
        self._scalar_inputs = frozenset(
            info.name for info in (*interface.inputs.values(), *interface.overridable.values()) if not info.shape
        )
        self._output_dims = {tensor.name: tensor.dims for tensor in config.outputs}

    @property
    @abstractmethod
    def summary(self) -> str:
        """One line for the log: model, engine, threads, turns."""

    @abstractmethod
    def run(self, feed: Mapping[str, np.ndarray]) -> Sequence[Any]:
        """Run once.

        Args:
            feed: arrays by the names of the inputs.

        Returns:
            The outputs of the configuration, sorted by name. They stay as they are until the next run.
        """

    @abstractmethod
    def message_of(self, error: Exception) -> str:
        """Put an exception of the engine into words."""

    def settle(self) -> None:
        """Wait until nothing is prepared in the background any more; most engines prepare nothing."""
        return

    def release(self) -> None:
        """Give back what memory can be, as nothing has run for a while; called in a thread of its own."""
        trim_memory()

    def execute(self, requests: Sequence[Request]) -> list[Result]:
        """Run a batch of requests once, as the scheduler joined them.

        Args:
            requests: any number.

        Returns:
            For each request its outputs or its error. An error of the run itself is every request's.
        """
        if not requests:
            return []
        try:
            self._check_batch_size(requests)
            feed = self._feed(requests)
            with self._turns.mine() if self._turns else nullcontext():
                outputs = self.run(feed)
            arrays = {
                name: self._as_triton(name, array) for name, array in zip(self.output_names, outputs, strict=True)
            }
        except RequestError as error:
            return [error] * len(requests)
        except Exception as error:
            return [run_error(self.message_of(error))] * len(requests)
        return split(arrays, requests) if self._config.batching else whole(arrays, requests)

    def to_triton(self, array: np.ndarray) -> np.ndarray:
        """Turn an output of the engine's into what Triton takes; engines with text have more to do."""
        return array

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
        array = self.to_triton(np.asarray(output))
        if array.ndim == 0:
            # The configuration gives a scalar its shape; with batching there is at least the batch dimension.
            dims = self._output_dims[name]
            array = array.reshape(dims or ((1,) if self._config.batching else ()))
        return array
