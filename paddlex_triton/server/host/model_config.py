"""Reading Triton model configurations (config.pbtxt) without a server, and putting networks and GPUs into them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paddlex_triton.network import networks_by_step
from paddlex_triton.server.host.errors import AssemblyError

# As the modules' own files write it: key and value in a row.
_NETWORK_PARAMETER = re.compile(r'(?P<before>key:\s*"(?P<step>\w+)_network"\s*value:?\s*\{\s*string_value:\s*)"[^"]*"')
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


def networks_of(config: Any) -> dict[str, tuple[str, ...]]:
    """Return the networks a module calls: step -> their names."""
    return networks_by_step({name: value.string_value for name, value in sorted(config.parameters.items())})


def steps_of(config: Any) -> list[str]:
    """Return the models an ensemble chains, in order."""
    return [step.model_name for step in config.ensemble_scheduling.step]


def set_networks(text: str, networks: Mapping[str, Sequence[str]]) -> str:
    """Put networks into a module's configuration; everything else stays as it is, comments too.

    Args:
        text: of the module's config.pbtxt.
        networks: parameter without `_network` -> names, the default one first; every parameter that the configuration
            has and that is not named here becomes empty.

    Raises:
        AssemblyError: the configuration does not have one of the parameters.
    """
    found: set[str] = set()

    def replace(match: re.Match[str]) -> str:
        found.add(match["step"])
        return f'{match["before"]}"{",".join(networks.get(match["step"], ()))}"'

    text = _NETWORK_PARAMETER.sub(replace, text)
    if missing := [step for step in networks if step not in found]:
        raise AssemblyError(f"the module's configuration has no parameter {', '.join(missing)}_network")
    return text


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
