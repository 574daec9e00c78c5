"""The networks that can be exported by name, and what a pipeline needs: the data of `zoo.yaml`, checked."""

from __future__ import annotations

import difflib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from paddlex_triton.export.errors import UsageError
from paddlex_triton.network import Family
from paddlex_triton.pipelines import find_pipeline

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

_FILE = Path(__file__).with_name("zoo.yaml")


class WheelEntry(BaseModel):
    """An ONNX file inside a wheel of a package index."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["wheel"]
    requirement: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!]+$", description="pinned: name==version"
    )
    wheel_sha256: Sha256 | None = None
    file: str = Field(pattern=r".\.onnx$", description="path inside the wheel")
    sha256: Sha256

    @property
    def label(self) -> str:
        """The source in one word, as network.json and tables show it."""
        return f"wheel:{self.requirement}"


# A kind of source that comes in later joins here, told apart by `kind`.
SourceEntry = WheelEntry


class ZooEntry(BaseModel):
    """One network that can be exported by name. Sources are tried in their order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    family: Family
    summary: str
    sources: tuple[SourceEntry, ...] = Field(min_length=1)
    inference: dict[str, Any] = Field(default_factory=dict, description="in the form of inference.yml")


class PipelinePresets(BaseModel):
    """The sets of networks a pipeline can run on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: str
    presets: dict[str, tuple[str, ...]] = Field(min_length=1)


class Zoo(BaseModel):
    """All of `zoo.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    networks: dict[str, ZooEntry]
    pipelines: dict[str, PipelinePresets]

    @model_validator(mode="after")
    def _check_references(self) -> Zoo:
        for pipeline, presets in self.pipelines.items():
            if presets.default not in presets.presets:
                raise ValueError(f"{pipeline}: its default preset {presets.default!r} is not there")
            for preset, names in presets.presets.items():
                if missing := [name for name in names if name not in self.networks]:
                    raise ValueError(f"{pipeline}, preset {preset}: not in the zoo: {', '.join(missing)}")
        return self


@lru_cache(maxsize=1)
def load_zoo() -> Zoo:
    """The zoo that comes with the product."""
    return parse_zoo(_FILE.read_text(encoding="utf-8"))


def parse_zoo(text: str) -> Zoo:
    """Read a zoo file's text.

    Raises:
        pydantic.ValidationError: something in it is not allowed, or names a network that is not there.
    """
    content = yaml.safe_load(text)
    for name, entry in (content.get("networks") or {}).items():
        entry["name"] = name
    return Zoo.model_validate(content)


def find_network(name: str) -> ZooEntry:
    """Look a network up by its official name.

    Raises:
        UsageError: there is none; the message names the nearest ones.
    """
    networks = load_zoo().networks
    if name in networks:
        return networks[name]
    near = difflib.get_close_matches(name, networks, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else "`paddlex-triton models` lists what there is;"
    raise UsageError(f"no network {name!r} in the zoo; {hint} own weights are exported with --from-dir")


def networks_of(pipeline: str, preset: str | None = None) -> tuple[str, ...]:
    """The names of the networks a pipeline runs on.

    Args:
        pipeline: PaddleX's name of the pipeline, e.g. `OCR`.
        preset: one of the pipeline's presets, None for its default.

    Raises:
        UsageError: no such pipeline or preset.
    """
    try:
        spec = find_pipeline(pipeline)
    except KeyError as error:
        raise UsageError(error.args[0]) from error
    known = load_zoo().pipelines.get(spec.name)
    if known is None:
        raise UsageError(f"no networks are known for pipeline {spec.name}")
    chosen = preset or known.default
    if chosen not in known.presets:
        raise UsageError(f"pipeline {spec.name} has no preset {chosen!r}; known: {', '.join(known.presets)}")
    return known.presets[chosen]
