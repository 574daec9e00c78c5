"""Reading Triton model configurations (config.pbtxt) without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paddlex_triton.network import networks_by_role
from paddlex_triton.server.errors import AssemblyError


def read_config(path: Path) -> Any:
    """Parse a config.pbtxt.

    Returns:
        The `inference.ModelConfig` message.

    Raises:
        AssemblyError: the file cannot be read or parsed.
    """
    # Here, not above: they cost the command line a quarter of a second that `--help` does not need.
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    config = model_config_pb2.ModelConfig()  # pyright: ignore[reportAttributeAccessIssue]
    try:
        text_format.Parse(path.read_text(encoding="utf-8"), config)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise AssemblyError(f"{path}: {error}") from None
    return config


def networks_of(config: Any) -> dict[str, str]:
    """The networks a module calls: role -> network name."""
    return networks_by_role({name: value.string_value for name, value in sorted(config.parameters.items())})


def steps_of(config: Any) -> list[str]:
    """The models an ensemble chains, in order."""
    return [step.model_name for step in config.ensemble_scheduling.step]
