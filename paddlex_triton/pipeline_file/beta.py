"""Pipeline files of PaddleX 3's beta: one flat section `Pipeline`, beside `Global`.

Its pipelines had no optional steps, and no parameters but batch sizes. The others have the defaults of today.
"""

from __future__ import annotations

import re
from pathlib import Path

from paddlex_triton.network import NETWORK_NAME
from paddlex_triton.pipeline_file.draft import DECIDED_BY_THE_SERVER, SERVERS_BATCHES, Draft
from paddlex_triton.pipeline_file.model import NetworkReference
from paddlex_triton.pipeline_file.section import Section

_DETECTS, _READS = ("text_det", "det"), ("text_rec", "rec")
# Pipeline -> step -> what its keys begin with; the names changed between versions of the beta.
BETA_PREFIXES: dict[str, dict[str, tuple[str, ...]]] = {
    "OCR": {"text_detection": _DETECTS, "text_recognition": _READS},
    "seal_recognition": {
        "layout_detection": ("layout",),
        "seal_text_detection": ("text_det", "seal_text_det", "det"),
        "text_recognition": _READS,
    },
    "human_keypoint_detection": {
        "human_detection": ("human_det", "det"),
        "keypoint_detection": ("keypoint_det", "keypoint"),
    },
}
_ENGINE_KEYS = ("kernel_option", "use_hpip", "hpi_params", "hpi_config", "pp_option")


def read_beta(pipeline: Section, draft: Draft) -> None:
    """Read a file of the pipeline that the draft is for.

    Args:
        pipeline: the section `Pipeline`.
        draft: where it is noted.

    Raises:
        PipelineFileError: it says what cannot be honoured.
    """
    for step, place in draft.spec.steps.items():
        prefixes = BETA_PREFIXES[draft.spec.name].get(step)
        if prefixes is None:
            draft.switch(step, False)
            continue
        prefix = _written(pipeline, prefixes)
        draft.networks[step] = _network(pipeline, f"{prefix}_model")
        if place.switch:
            draft.switch(step, True)
        if (device := read_device(pipeline, f"{prefix}_device")) is not None:
            draft.devices[step] = device
        if step == "text_recognition":
            draft.optional_param(pipeline, f"{prefix}_batch_size", "text_recognition_batch_size", 1)
        else:
            pipeline.ignore(f"{prefix}_batch_size", SERVERS_BATCHES, 1)
    # The first versions of the beta had one for all networks; only lines are padded together.
    if "text_recognition" in draft.networks:
        draft.optional_param(pipeline, "batch_size", "text_recognition_batch_size")
    else:
        pipeline.ignore("batch_size", SERVERS_BATCHES, 1)
    for key in _ENGINE_KEYS:
        pipeline.ignore(key, DECIDED_BY_THE_SERVER)


def read_device(section: Section, key: str = "device") -> str | None:
    """Read a device as it is written; None if there is none.

    Raises:
        PipelineFileError: it is no text.
    """
    device = section.get_optional(key)
    if device is not None and not (isinstance(device, str) and device):
        raise section.refusal(key, "a device such as 'cpu' or 'gpu:0'")
    return device


def _written(pipeline: Section, prefixes: tuple[str, ...]) -> str:
    """Return which of the names the file uses; the newest if none is there.

    Raises:
        PipelineFileError: it uses several.
    """
    there = [prefix for prefix in prefixes if f"{prefix}_model" in pipeline]
    if len(there) > 1:
        names = " and ".join(pipeline.where(f"{prefix}_model") for prefix in there)
        raise pipeline.fault(f"{there[1]}_model", f"is one network too many: {names} are the same step")
    return there[0] if there else prefixes[0]


def _network(pipeline: Section, key: str) -> NetworkReference:
    """Read a name or a local path. As in PaddleX, a folder that is there is meant before a network of its name."""
    given = pipeline.text(key)
    if Path(given).is_dir() or not re.fullmatch(NETWORK_NAME, given):
        return NetworkReference(None, Path(given))
    return NetworkReference(given)
