"""Calling a network from a module (BLS)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from paddlex_triton.errors import (
    DeadlineExceeded,
    InternalError,
    InvalidParameter,
    NetworkUnavailable,
    QueueFull,
    ServiceError,
)
from paddlex_triton.network import FAMILY_OUTPUTS, FILE_NAME, NetworkInfo, StandIn
from paddlex_triton.server.modules.metrics import StageMetrics
from paddlex_triton.settings import UsedNetwork

# Triton's Python backend turns every status of a nested call into INTERNAL: the text is all there is to go by.
_CAUSES: tuple[tuple[str, type[ServiceError], str], ...] = (
    ("maximum queue size", QueueFull, "too many requests wait for network {name}"),
    ("timeout expired", DeadlineExceeded, "the request's timeout passed while it waited for network {name}"),
    ("not healthy", NetworkUnavailable, "network {name} has lost its process; the server must be started anew"),
    ("shared memory pool", InternalError, "/dev/shm is too small for the input of network {name}, or full"),
    ("not ready", NetworkUnavailable, "network {name} is not ready"),
    ("not found", NetworkUnavailable, "network {name} is not loaded"),
    ("unknown model", NetworkUnavailable, "network {name} is not loaded"),
)


class NetworkCaller:
    """One network, as one module calls it.

    Attributes:
        info: its description.
        used: what callers are told of it.
    """

    def __init__(self, folder: Path, name: str, metrics: StageMetrics, stand_in: StandIn | None = None) -> None:
        """Read the network's description.

        Args:
            folder: the module's own folder. Its copy of the description is used, else the one in the network's
                folder beside it.
            name: the network's name in Triton.
            metrics: the module's, which count calls.
            stand_in: what is known of the module's choice, if that was not its first one.
        """
        own, beside = folder / f"{name}.{FILE_NAME}", folder.parent / name / FILE_NAME
        self.info = NetworkInfo.load(own if own.is_file() else beside)
        stood_in_for = stand_in.model_dump(exclude={"name"}) if stand_in is not None and stand_in.name == name else {}
        self.used = UsedNetwork(name=self.info.name, sha256=self.info.sha256, **stood_in_for)
        self._metrics = metrics
        self._outputs = FAMILY_OUTPUTS[self.info.family]

    async def infer(
        self, inputs: Mapping[str, np.ndarray], *, request_id: str, timeout_us: int, trace: Any
    ) -> dict[str, np.ndarray]:
        """Run the network on one batch.

        Args:
            inputs: name -> array with the batch axis first, at most `max_batch_size` rows.
            request_id: of the request it is for.
            timeout_us: what is left of that one's timeout, microseconds; 0 if endless, as Triton counts.
            trace: Triton's, of that request.

        Raises:
            QueueFull, DeadlineExceeded, NetworkUnavailable: the network did not run.
            InternalError: it failed.
            InvalidParameter: a page is larger than the network's TensorRT plan takes.
        """
        self._refuse_larger(inputs)
        request = pb_utils.InferenceRequest(
            model_name=self.info.name,
            inputs=[pb_utils.Tensor(name, np.ascontiguousarray(array)) for name, array in inputs.items()],
            requested_output_names=list(self._outputs),
            request_id=request_id,
            timeout=timeout_us,
            trace=trace,
        )
        response = await request.async_exec()
        if response.has_error():
            raise self._explain(response.error().message())
        rows = len(next(iter(inputs.values())))
        self._metrics.call(self.info.name, rows, max(rows, self.info.max_batch_size))
        return {tensor.name(): tensor.as_numpy() for tensor in response.output_tensors()}

    def _refuse_larger(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Refuse what none of a plan's profiles covers: it would fail inside Triton, without a reason."""
        most = self.info.geometry.get("max_sides")
        if most is None:
            return
        height, width = inputs["x"].shape[1:3]
        if height > most[0] or width > most[1]:
            raise InvalidParameter(
                f"the input of network {self.info.name} would be {width}x{height} pixels (width x height); its "
                f"TensorRT plan takes at most {most[1]}x{most[0]}: lower the side limit or the max side limit"
            )

    def _explain(self, message: str) -> ServiceError:
        lowered = message.lower()
        for words, kind, text in _CAUSES:
            if words in lowered:
                return kind(text.format(name=self.info.name))
        pb_utils.Logger.log_error(f"network {self.info.name} failed: {message!r}")
        return InternalError(f"network {self.info.name} failed")


def used_networks(networks: Mapping[str, NetworkCaller | None]) -> dict[str, UsedNetwork]:
    """Return what callers are told of the networks of a stage.

    Args:
        networks: by PaddleX's names for their steps; None for a step that was off.
    """
    return {step: network.used for step, network in networks.items() if network is not None}
