"""How a network of the zoo is used: what its source says, and the zoo where that says nothing."""

from __future__ import annotations

from paddlex_triton.export.errors import InferenceFileError
from paddlex_triton.export.inference_file.inference_settings import (
    FILE_NAME,
    InferenceSettings,
    load_sections,
    parse_inference,
)
from paddlex_triton.zoo import ZooEntry


def zoo_settings(entry: ZooEntry, inference_yml: bytes | None = None) -> InferenceSettings:
    """Read the inference.yml beside a network; the zoo stands in, section by section, where that says nothing.

    Args:
        entry: the network.
        inference_yml: content of the file, None where the source has none.

    Raises:
        InferenceFileError: the file cannot be read, or is another network's.
    """
    if inference_yml is None:
        return parse_inference(entry.inference, f"zoo: {entry.name}")
    origin = f"{entry.name}: {FILE_NAME}"
    settings = parse_inference({**entry.inference, **load_sections(inference_yml, origin)}, origin)
    if settings.model_name not in (None, entry.name):
        raise InferenceFileError(f"{origin} is of {settings.model_name}: not used")
    return settings
