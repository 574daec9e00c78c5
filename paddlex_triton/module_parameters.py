"""The `parameters` of a module's configuration: assembly writes them, modules read them.

| parameter | value |
|---|---|
| `<pipeline>.<step>_network` | networks for one of its steps, `A,B`, the default one first; empty: off |
| `pipeline` | of a pipeline's first module: the pipeline |
| `max_image_pixels` | most pixels of a page, where that is less than `limits.MAX_IMAGE_PIXELS` |
"""

from __future__ import annotations

from collections.abc import Mapping

from paddlex_triton.network import split_names

PIPELINE = "pipeline"
MAX_IMAGE_PIXELS_PARAMETER = "max_image_pixels"
_SUFFIX = "_network"


def network_parameter(pipeline: str, step: str) -> str:
    """Return the name of the parameter that holds the networks for a step of a pipeline, by PaddleX's names."""
    return f"{pipeline}.{step}{_SUFFIX}"


def read_networks(parameters: Mapping[str, str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Read which networks a module calls.

    Args:
        parameters: of its configuration, name -> value.

    Returns:
        Pipeline -> step -> networks, the default one first; none for a step that is off.
    """
    networks: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, value in parameters.items():
        pipeline, dot, step = name.removesuffix(_SUFFIX).partition(".")
        if dot and name.endswith(_SUFFIX):
            networks.setdefault(pipeline, {})[step] = split_names(value)
    return networks
