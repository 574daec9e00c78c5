"""The configuration of a module where networks run on GPUs, derived from its config.pbtxt, which is for CPUs."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

from paddlex_triton.server.host.model_config import parse_config

# Field -> the comment above it in a derived configuration.
_REASONS = {
    "max_batch_size": """\
# Requests that one execute takes together: their network calls go out at once. Measured on layout_detection: 4
# instances of 4 gave the networks a mean batch of 3.3 at 8 callers and 5.8 at 16, 2 instances of 1 gave 1.0.""",
    "instance_group": "# 4 processes: see max_batch_size.",
    "dynamic_batching": "# Pages are taken as they come; no waiting for more.",
}
_INSTANCES = 4
_REQUESTS = 4


def derive_gpu_config(text: str, origin: Path) -> str:
    """Make a module's configuration for networks on GPUs: more pages in flight, so that the networks' batches fill.

    Args:
        text: the module's configuration for networks on the CPU.
        origin: the file it is from, for messages.

    Returns:
        The same but for batching and the number of instances. Of its comments those at the top are kept.

    Raises:
        AssemblyError: the text cannot be parsed.
    """
    # Here, not above, as in model_config.
    from google.protobuf import text_format

    config = parse_config(text, origin)
    config.max_batch_size = _REQUESTS
    config.dynamic_batching.SetInParent()
    for group in config.instance_group:
        group.count = _INSTANCES
    for tensor in config.input:
        # Requests share a batch though their pages differ in size.
        tensor.allow_ragged_batch = -1 in tensor.dims
    lines = list(takewhile(lambda line: line.startswith("#"), text.splitlines()))
    for line in text_format.MessageToString(config).splitlines():
        field = line.split(maxsplit=1)[0].rstrip(":")
        if field in _REASONS and not line.startswith(" "):
            lines.append(_REASONS[field])
        lines.append(line)
    return "\n".join(lines) + "\n"
