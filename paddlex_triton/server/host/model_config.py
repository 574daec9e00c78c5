"""Reading Triton model configurations (config.pbtxt) without a server, and putting networks and GPUs into them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paddlex_triton.server.host.errors import AssemblyError

# As `export` writes it: one group, on one line or on several.
_INSTANCES = re.compile(r"^[ \t]*instance_group\b", re.MULTILINE)
_GPU_INSTANCES = re.compile(r"^([^#\n]*\bkind:\s*KIND_GPU)\b", re.MULTILINE)


def read_config(path: Path) -> Any:
    """Parse a config.pbtxt.

    Returns:
        The `inference.ModelConfig` message.

    Raises:
        AssemblyError: the file cannot be read or parsed.
    """
    try:
        return parse_config(path.read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise AssemblyError(f"{path}: {error}") from None


def parse_config(text: str, origin: Path) -> Any:
    """Parse the text of a config.pbtxt.

    Args:
        text: of the file.
        origin: the file, for messages.

    Returns:
        The `inference.ModelConfig` message.

    Raises:
        AssemblyError: it cannot be parsed.
    """
    # Here, not above: they cost the command line a quarter of a second that `--help` does not need.
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    config = model_config_pb2.ModelConfig()  # pyright: ignore[reportAttributeAccessIssue]
    try:
        text_format.Parse(text, config)
    except text_format.ParseError as error:
        raise AssemblyError(f"{origin}: {error}") from None
    return config


def steps_of(config: Any) -> list[str]:
    """Return the models an ensemble chains, in order."""
    return [step.model_name for step in config.ensemble_scheduling.step]


def add_parameters(text: str, parameters: Mapping[str, str]) -> str:
    """Add parameters to a module's configuration; everything else stays as it is, comments too.

    Args:
        text: of the module's config.pbtxt.
        parameters: name -> value, see `module_parameters`.
    """
    blocks = (
        f'parameters {{ key: "{name}" value: {{ string_value: "{value}" }} }}' for name, value in parameters.items()
    )
    return "\n".join([text.rstrip("\n"), *blocks, ""])


def set_gpus(text: str, gpus: Sequence[int]) -> str:
    """Put the instances of a network on some GPUs; everything else stays as it is, comments too.

    Args:
        text: of the network's config.pbtxt.
        gpus: their ids, at least one.

    Raises:
        AssemblyError: the configuration does not have one group of instances on GPUs, or names GPUs already.
    """
    if len(_GPU_INSTANCES.findall(text)) != 1 or len(_INSTANCES.findall(text)) != 1 or re.search(r"\bgpus\s*:", text):
        raise AssemblyError("its configuration does not have one group of instances on all GPUs")
    names = ", ".join(map(str, gpus))
    text = _GPU_INSTANCES.sub(rf"\1 gpus: [ {names} ]", text)
    each = "an instance on each, which runs images of its own" if len(gpus) > 1 else "no other is touched"
    return _INSTANCES.sub(
        lambda found: f"# The device asked for is gpu:{names.replace(' ', '')}: {each}.\n{found[0]}", text
    )
