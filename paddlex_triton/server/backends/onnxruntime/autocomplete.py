"""Completion of a configuration from the model, unless `--disable-auto-complete-config` is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paddlex_triton.server.backends.common.errors import LoadError
from paddlex_triton.server.backends.common.tensors import Interface, TensorInfo

# The server's default of --backend-config=default-max-batch-size, which a Python-based backend cannot see.
DEFAULT_MAX_BATCH_SIZE = 4


@dataclass(frozen=True)
class Completion:
    """Additions to a configuration.

    Attributes:
        max_batch_size: the value to set, None to leave it.
        dynamic_batching: whether to turn the dynamic batcher on.
        inputs: entries of `input` to add.
        outputs: entries of `output` to add.
    """

    max_batch_size: int | None = None
    dynamic_batching: bool = False
    inputs: tuple[dict[str, Any], ...] = ()
    outputs: tuple[dict[str, Any], ...] = ()


def is_complete(config: Mapping[str, Any]) -> bool:
    """Tell whether inputs and outputs are given: then nothing is filled in, max_batch_size included."""
    return bool(config.get("input") or config.get("batch_input")) and bool(config.get("output"))


def complete(config: Mapping[str, Any], interface: Interface) -> Completion:
    """Decide what to add to an incomplete configuration.

    A model whose tensors all have a dynamic first dimension is batched.

    Args:
        config: the model configuration, as Triton gives it in JSON.
        interface: the model's tensors.

    Raises:
        LoadError: max_batch_size is given for a model that cannot be batched.
    """
    given = int(config.get("max_batch_size") or 0)
    tensors = [*interface.inputs.values(), *interface.outputs.values()]
    if all(tensor.has_batch_dimension for tensor in tensors):
        max_batch_size = given or DEFAULT_MAX_BATCH_SIZE
    elif given:
        raise LoadError(
            f"autofill failed for model '{config['name']}': model does not support batching while non-zero "
            "max_batch_size is specified"
        )
    else:
        max_batch_size = 0
    has_scheduler = "sequence_batching" in config or "dynamic_batching" in config
    return Completion(
        max_batch_size=max_batch_size if max_batch_size != given else None,
        dynamic_batching=max_batch_size > 1 and not has_scheduler,
        inputs=() if config.get("input") or config.get("batch_input") else _entries(interface.inputs, max_batch_size),
        outputs=() if config.get("output") else _entries(interface.outputs, max_batch_size),
    )


def _entries(infos: Mapping[str, TensorInfo], max_batch_size: int) -> tuple[dict[str, Any], ...]:
    # In the model's order. The C++ backend's is that of a hash map, so nobody can rely on one.
    return tuple(_entry(info, max_batch_size > 0) for info in infos.values())


def _entry(info: TensorInfo, batching: bool) -> dict[str, Any]:
    dims = list(info.shape[1:] if batching else info.shape)
    entry: dict[str, Any] = {"name": info.name, "data_type": info.config_type, "dims": dims or [1]}
    if batching and not dims:
        # A scalar per row: Triton wants at least one dimension in `dims`.
        entry["reshape"] = {"shape": []}
    return entry
