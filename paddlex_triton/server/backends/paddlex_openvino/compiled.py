"""A model compiled for any shape, and for those that come again and again."""

from __future__ import annotations

import ctypes
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from paddlex_triton.server.backends.common.runner import LARGE_INPUT_BYTES, bytes_of
from paddlex_triton.server.backends.paddlex_openvino.rewrites import cheapen

Shapes = tuple[tuple[str, tuple[int, ...]], ...]

# A shape is worth compiling for when it comes the third time: many scans have one size, photographs none.
_WORTH_IT = 3
# A kept shape gives way to another one after so many runs without it.
_STALE_AFTER = 200
# Shapes whose visits are counted.
_COUNTED = 256


class Compiled:
    """A model in OpenVINO. One thread calls it."""

    def __init__(self, model: Path | bytes, properties: Mapping[str, Any], kept_shapes: int) -> None:
        """Compile a model for any shape, and for one row where rows are all of one shape.

        Args:
            model: the ONNX file, or its content.
            properties: to compile with.
            kept_shapes: most shapes that the model is compiled for.

        Raises:
            RuntimeError: OpenVINO refuses it.
        """
        self._core, self._properties, self._most = ov.Core(), dict(properties), kept_shapes
        self.model = self._core.read_model(model)
        cheapen(self.model)
        self.inputs = frozenset(tensor.any_name for tensor in self.model.inputs)
        self._any, self._request = self._compile(self.model)
        # Whether a run of that failed in the middle: its later answers for other shapes may be wrong.
        self._spoilt = False
        self._lock = threading.Lock()
        self.outputs = [tensor.any_name for tensor in self._any.outputs]
        self._open_outputs = [
            index for index, tensor in enumerate(self._any.outputs) if tensor.partial_shape.is_dynamic
        ]
        self._kept: dict[Shapes, tuple[ov.CompiledModel, ov.InferRequest]] = {}
        self._last_used: dict[Shapes, int] = {}
        self._sizes: dict[Shapes, int] = {}
        self._visits: OrderedDict[Shapes, int] = OrderedDict()
        self._runs = 0
        self._compiling: threading.Thread | None = None
        if kept_shapes and (row := self._one_row()):
            self._keep(row, 0)

    def run(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the model.

        Args:
            feed: arrays by the names of the inputs; those that the graph does not use may be among them.

        Returns:
            Outputs by name; they stay as they are until the next run.

        Raises:
            RuntimeError: OpenVINO cannot run it for these inputs.
        """
        used = {name: array for name, array in feed.items() if name in self.inputs}
        shapes = tuple(sorted((name, array.shape) for name, array in used.items()))
        self._runs += 1
        size = bytes_of(used)
        large = size > LARGE_INPUT_BYTES
        kept = self._kept.get(shapes)
        with self._lock:
            if self._spoilt and kept is None:
                self._any, self._request = self._compile(self.model)
                self._spoilt = False
            _, request = kept or (self._any, self._request)
            if kept is None:
                self._empty_outputs()
            try:
                # What is given back below may hold the outputs.
                answer = request.infer(used, share_inputs=True, share_outputs=not large).to_tuple()
            except Exception:
                self._spoil(shapes)
                raise
            if kept is None:
                self._check_outputs(answer, shapes)
            if large:
                self._any.release_memory()
        if kept is not None:
            self._last_used[shapes] = self._runs
        elif not large:
            self._count(shapes, size)
        return dict(zip(self.outputs, answer, strict=True))

    def release(self) -> None:
        """Give back the memory that runs took; the next one takes it anew. Outputs that `run` gave end here."""
        with self._lock:
            for whole in (self._any, *(kept for kept, _ in list(self._kept.values()))):
                whole.release_memory()

    def settle(self) -> None:
        """Wait until nothing is being compiled."""
        if self._compiling is not None:
            self._compiling.join()

    def _compile(self, model: ov.Model) -> tuple[ov.CompiledModel, ov.InferRequest]:
        compiled = self._core.compile_model(model, "CPU", self._properties)
        return compiled, compiled.create_infer_request()

    def _empty_outputs(self) -> None:
        """Take the sizes away that outputs have from the run before."""
        for index in self._open_outputs:
            tensor = self._request.get_output_tensor(index)
            tensor.shape = [0] * len(tensor.shape)

    def _check_outputs(self, outputs: Sequence[np.ndarray], shapes: Shapes) -> None:
        """Raise an error where a run left none: with one thread, OpenVINO 2026.4 loses its own."""
        if self._open_outputs and not any(any(outputs[index].shape) for index in self._open_outputs):
            self._never_destroy()
            given = ", ".join(f"{name} {list(shape)}" for name, shape in shapes)
            raise RuntimeError(f"no answer for {given}: the network may not take these sizes")

    def _never_destroy(self) -> None:
        """Keep a model that lost an error until the process ends: it answers on, but destroying it is a crash."""
        for kept in (self._any, self._request):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))

    def _spoil(self, shapes: Shapes) -> None:
        """Have what failed not run again."""
        if self._kept.pop(shapes, None) is None:
            self._spoilt = True
        else:
            del self._last_used[shapes], self._sizes[shapes]

    def _one_row(self) -> Shapes | None:
        """Return the inputs' shapes for one row; None where anything but the number of rows is open."""
        shapes = [(tensor.any_name, tensor.partial_shape) for tensor in self.model.inputs]
        if any(shape.rank.is_dynamic or len(shape) == 0 for _, shape in shapes):
            return None
        if any(dim.is_dynamic for _, shape in shapes for dim in list(shape)[1:]):
            return None
        if all(shape[0].is_static for _, shape in shapes):
            return None
        return tuple(sorted((name, (1, *(dim.get_length() for dim in list(shape)[1:]))) for name, shape in shapes))

    def _count(self, shapes: Shapes, size: int) -> None:
        """Count a shape that the model is not compiled for, and compile it in the background if it is worth it."""
        if not self._most:
            return
        self._visits[shapes] = self._visits.pop(shapes, 0) + 1
        if len(self._visits) > _COUNTED:
            self._visits.popitem(last=False)
        idle = self._compiling is None or not self._compiling.is_alive()
        if self._visits[shapes] >= _WORTH_IT and idle and self._has_room(size):
            self._compiling = threading.Thread(target=self._keep, args=(shapes, size), daemon=True)
            self._compiling.start()

    def _has_room(self, size: int) -> bool:
        """Make room for one more shape, if there is none: the one that was not used for longest goes, if it is stale.

        Args:
            size: of the inputs, bytes; memory grows with it.
        """
        if len(self._kept) < self._most and sum(self._sizes.values()) + size <= LARGE_INPUT_BYTES:
            return True
        oldest = min(self._last_used, key=self._last_used.__getitem__, default=None)
        if oldest is not None and self._runs - self._last_used[oldest] >= _STALE_AFTER:
            del self._kept[oldest], self._last_used[oldest], self._sizes[oldest]
        # Where one was not enough, the next visit takes another.
        return len(self._kept) < self._most and sum(self._sizes.values()) + size <= LARGE_INPUT_BYTES

    def _keep(self, shapes: Shapes, size: int) -> None:
        # Not read again: the file may be another network's by now.
        model = self.model.clone()
        model.reshape({name: list(shape) for name, shape in shapes})
        compiled = self._compile(model)
        self._sizes[shapes], self._last_used[shapes] = size, self._runs
        self._kept[shapes] = compiled
        self._visits.pop(shapes, None)
