"""Reading PaddleX's pipeline files, of version 3 and of its beta."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from paddlex_triton.pipeline_file.beta import BETA_PREFIXES, read_beta, read_device
from paddlex_triton.pipeline_file.draft import Draft, read_serving
from paddlex_triton.pipeline_file.loading import load_yaml
from paddlex_triton.pipeline_file.model import PipelineFile
from paddlex_triton.pipeline_file.section import Section
from paddlex_triton.pipeline_file.version3 import read_version3
from paddlex_triton.pipelines import PIPELINES

_SHOWN_REMARKS = 20


def read_pipeline_file(path: Path) -> PipelineFile:
    """Read a pipeline file.

    Args:
        path: a YAML file.

    Raises:
        PipelineFileError: it is not there, too large, no YAML, or says what cannot be honoured.
    """
    return read_pipeline_config(load_yaml(path), str(path))


def read_pipeline_config(config: Mapping[str, Any], origin: str = "config") -> PipelineFile:
    """Read what a pipeline file holds.

    Args:
        config: its keys.
        origin: what to call it in messages.

    Raises:
        PipelineFileError: it says what cannot be honoured.
    """
    remarks: list[str] = []
    root = Section(config, origin, remarks)
    is_beta = "pipeline_name" not in root and ("Global" in root or "Pipeline" in root)
    named = root.section("Global", "it tells the pipeline's name") if is_beta else root
    draft = _begin(named, BETA_PREFIXES if is_beta else PIPELINES)
    device = read_device(root)
    if is_beta:
        pipeline = root.section("Pipeline", "it names the networks")
        read_beta(pipeline, draft)
        device = read_device(pipeline) or device
        pipeline.close()
        named.ignore("input", "what is to be read is said with every call; ignored")
        named.close()
    else:
        read_version3(root, draft)
    serving = read_serving(root)
    root.close()
    return PipelineFile(
        origin=origin,
        spec=draft.spec,
        networks=draft.networks,
        off=tuple(draft.off),
        params=draft.params,
        serving=serving,
        device=device,
        devices=draft.devices,
        remarks=_first(remarks, origin),
    )


def _begin(named: Section, known: Collection[str]) -> Draft:
    name = named.text("pipeline_name")
    if name not in known:
        raise named.refusal("pipeline_name", ", ".join(known))
    return Draft(PIPELINES[name])


def _first(remarks: list[str], origin: str) -> tuple[str, ...]:
    more = len(remarks) - _SHOWN_REMARKS
    return (*remarks[:_SHOWN_REMARKS], *([f"{origin}: {more} more keys have no meaning here"] if more > 0 else []))
