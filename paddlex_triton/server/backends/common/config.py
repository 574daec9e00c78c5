"""A model's configuration, and its check against the model itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from paddlex_triton.server.backends.common.errors import LoadError
from paddlex_triton.server.backends.common.tensors import CONFIG_TYPES, Interface, TensorInfo, shape_text


@dataclass(frozen=True)
class ConfigTensor:
    """One `input` or `output` of a configuration.

    Attributes:
        name: its name.
        data_type: e.g. `TYPE_FP32`.
        dims: dimensions the backend sees: `reshape` if there is one, else `dims`; the batch dimension is not in it.
        optional: whether requests may leave it out.
    """

    name: str
    data_type: str
    dims: tuple[int, ...]
    optional: bool = False


@dataclass(frozen=True)
class Config:
    """The part of a model's configuration that the backend needs."""

    name: str
    max_batch_size: int
    inputs: tuple[ConfigTensor, ...]
    outputs: tuple[ConfigTensor, ...]

    @property
    def batching(self) -> bool:
        """Whether dimension 0 of every tensor is the batch."""
        return self.max_batch_size > 0


def read_config(config: Mapping[str, Any]) -> Config:
    """Read a model configuration.

    Args:
        config: as Triton gives it in JSON.

    Raises:
        LoadError: it uses a feature that this backend does not have.
    """
    name = config["name"]
    _refuse_missing_features(config)
    return Config(
        name=name,
        max_batch_size=int(config.get("max_batch_size") or 0),
        inputs=tuple(_config_tensor(entry) for entry in config.get("input") or ()),
        outputs=tuple(_config_tensor(entry) for entry in config.get("output") or ()),
    )


def check_instance_kind(name: str, kind: str, backend: str) -> None:
    """Refuse to run on a GPU.

    Args:
        name: the model's name.
        kind: `CPU`, `GPU` or `MODEL`, as Triton calls the instance's kind.
        backend: the backend's name.

    Raises:
        LoadError: it is GPU.
    """
    if kind == "GPU":
        raise LoadError(
            f"unable to load model '{name}', instance_group asks for KIND_GPU but this {backend} backend runs "
            "on CPU. Use KIND_CPU, or NVIDIA's Triton container, whose onnxruntime backend runs on GPUs"
        )


def check_config(config: Config, interface: Interface) -> None:
    """Compare a configuration with the model, check by check in the C++ backend's order and words.

    Raises:
        LoadError: they do not agree.
    """
    _check_input_count(config, interface)
    known_inputs = {**interface.inputs, **interface.overridable}
    for tensor in config.inputs:
        _check_optional(config, tensor)
        info = _find(tensor, known_inputs, "input")
        _check_type(config, tensor, info, "input")
        _check_dims(config, tensor, info, exact=False)
    for tensor in config.outputs:
        info = _find(tensor, interface.outputs, "output")
        _check_type(config, tensor, info, "output")
        _check_dims(config, tensor, info, exact=True)


def _config_tensor(entry: Mapping[str, Any]) -> ConfigTensor:
    reshape = entry.get("reshape")
    dims: Iterable[Any] = (reshape.get("shape") or ()) if reshape is not None else (entry.get("dims") or ())
    return ConfigTensor(
        name=entry["name"],
        data_type=entry["data_type"],
        dims=tuple(int(dim) for dim in dims),
        optional=bool(entry.get("optional", False)),
    )


def _refuse_missing_features(config: Mapping[str, Any]) -> None:
    used = [field for field in ("batch_input", "batch_output") if config.get(field)]
    if "sequence_batching" in config:
        used.append("sequence_batching")
    if any(entry.get("allow_ragged_batch") for entry in config.get("input") or ()):
        used.append("allow_ragged_batch")
    if used:
        raise LoadError(
            f"unable to load model '{config['name']}', this Python-based {config['backend']} backend does not support "
            f"{', '.join(used)}. NVIDIA's C++ onnxruntime backend does"
        )


def _check_input_count(config: Config, interface: Interface) -> None:
    expected = sum(not tensor.optional for tensor in config.inputs)
    if expected != len(interface.inputs):
        raise LoadError(
            f"unable to load model '{config.name}', configuration expects {expected} inputs, "
            f"model provides {len(interface.inputs)}"
        )


def _check_optional(config: Config, tensor: ConfigTensor) -> None:
    if tensor.optional and config.batching:
        raise LoadError(
            f"unable to load model '{config.name}', optional input '{tensor.name}' is not supported for models "
            "that support batching"
        )


def _find(tensor: ConfigTensor, infos: Mapping[str, TensorInfo], role: str) -> TensorInfo:
    if tensor.name not in infos:
        allowed = ", ".join(sorted(infos))
        raise LoadError(f"unexpected inference {role} '{tensor.name}', allowed {role}s are: {allowed}")
    return infos[tensor.name]


def _check_type(config: Config, tensor: ConfigTensor, info: TensorInfo, role: str) -> None:
    if tensor.data_type not in CONFIG_TYPES:
        raise LoadError(f"unsupported datatype {tensor.data_type} for {role} '{tensor.name}' for model '{config.name}'")
    if tensor.data_type != info.config_type:
        raise LoadError(
            f"unable to load model '{config.name}', configuration expects datatype {tensor.data_type} "
            f"for {role} '{tensor.name}', model provides {info.reported_type}"
        )


def _check_dims(config: Config, tensor: ConfigTensor, info: TensorInfo, *, exact: bool) -> None:
    """Compare dimensions. Where the model leaves one open, an input may fix it; an output must agree exactly."""
    if not info.shape:
        _check_scalar(config, tensor)
        return
    where = f"model '{config.name}', tensor '{tensor.name}'"
    if config.batching and not info.has_batch_dimension:
        raise LoadError(
            f"{where}: for the model to support batching the shape should have at least 1 dimension and the first "
            f"dimension must be -1; but shape expected by the model is {shape_text(info.shape)}"
        )
    dims = (-1, *tensor.dims) if config.batching else tensor.dims
    if len(dims) == len(info.shape) and all(
        wanted == given or (wanted == -1 and not exact) for wanted, given in zip(info.shape, dims, strict=True)
    ):
        return
    explanation = (
        "an initial batch dimension because max_batch_size > 0 followed by the explicit tensor shape, "
        f"making complete shape {shape_text(dims)}"
        if config.batching
        else f"shape {shape_text(dims)}"
    )
    raise LoadError(
        f"{where}: the model expects {len(info.shape)} dimensions (shape {shape_text(info.shape)}) "
        f"but the model configuration specifies {len(dims)} dimensions ({explanation})"
    )


def _check_scalar(config: Config, tensor: ConfigTensor) -> None:
    if any(dim != 1 for dim in tensor.dims):
        raise LoadError(
            f"unable to load model '{config.name}', scalar tensor '{tensor.name}', should only provide 1 in the model "
            "configuration when the model doesn't support batching. Model configuration provided: "
            f"{shape_text(tensor.dims)}."
        )
