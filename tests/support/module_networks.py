"""Networks in a module's configuration."""

from pathlib import Path

from paddlex_triton.module_parameters import read_networks
from paddlex_triton.server.host.model_config import read_config


def parameters_in(models: Path, module: str) -> dict[str, str]:
    """Return the parameters of an assembled module: name -> value."""
    parameters = read_config(models / module / "config.pbtxt").parameters
    return {name: value.string_value for name, value in parameters.items()}


def networks_in(models: Path, module: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the networks of an assembled module: pipeline -> step -> names, steps that have any."""
    networks = read_networks(parameters_in(models, module))
    return {pipeline: {step: names for step, names in of.items() if names} for pipeline, of in networks.items()}
