"""The networks that are known by name: the data of `zoo.yaml`, checked, and those that a pipeline needs."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from paddlex_triton.export.errors import SourceError, UsageError
from paddlex_triton.network import Family
from paddlex_triton.pipelines import PipelineSpec, find_pipeline, find_preset

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


class ShippedEntry(BaseModel):
    """A network that comes with the product: a folder of `export/networks` with model.onnx and inference.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["shipped"]
    folder: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    sha256: Sha256 = Field(description="of its model.onnx")

    @property
    def label(self) -> str:
        """The source in one word, as network.json and tables show it."""
        return f"shipped:{self.folder}"


# A kind of source that comes in later joins here, told apart by `kind`.
SourceEntry = Annotated[WheelEntry | ShippedEntry, Field(discriminator="kind")]


class ZooEntry(BaseModel):
    """One network known by name. Sources are tried in their order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    family: Family
    summary: str
    sources: tuple[SourceEntry, ...] = Field(description="none: its weights cannot be fetched, only brought along")
    official: str | None = Field(
        default=None, pattern=r"^https://\S+\.tar$", description="PaddleX's archive of it: PaddlePaddle, not ONNX"
    )
    official_onnx: str | None = Field(
        default=None, pattern=r"^https://\S+_onnx_infer\.tar$", description="the same as ONNX, for a few networks"
    )
    inference: dict[str, Any] = Field(default_factory=dict, description="in the form of inference.yml")

    @model_validator(mode="after")
    def _require_place(self) -> ZooEntry:
        if not self.sources and self.official is None:
            raise ValueError(f"{self.name} has neither sources nor an official archive")
        return self


class Zoo(BaseModel):
    """All of `zoo.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    networks: dict[str, ZooEntry]


@lru_cache(maxsize=1)
def load_zoo() -> Zoo:
    """The zoo that comes with the product."""
    return parse_zoo(_FILE.read_text(encoding="utf-8"))


def parse_zoo(text: str) -> Zoo:
    """Read a zoo file's text.

    Raises:
        pydantic.ValidationError: something in it is not allowed.
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


def networks_of(pipeline: str, preset: str | None = None, exported: Container[str] = ()) -> tuple[str, ...]:
    """The names of the networks a pipeline runs on.

    Args:
        pipeline: PaddleX's name of the pipeline, e.g. `OCR`.
        preset: one of the pipeline's presets. None for its default, or for its fallback if the default one has networks
            that can neither be fetched nor are exported; and for those of the optional steps whose network can be had.
        exported: names of networks that are exported.

    Raises:
        UsageError: no such pipeline or preset.
    """
    spec = _find_pipeline(pipeline)
    if preset is not None:
        return tuple(dict.fromkeys(_preset(spec, preset).values()))
    networks = _preset(spec)
    if spec.fallback_preset is not None and not all(_can_be_had(name, exported) for name in networks.values()):
        networks = _preset(spec, spec.fallback_preset)
    optional = {role: _best(names, exported) for role, names in spec.when_exported.items()}
    found = {role: name for role, name in optional.items() if name is not None}
    return tuple(dict.fromkeys({**networks, **found}.values()))


def steps_without_network(pipeline: str, exported: Container[str] = ()) -> dict[str, tuple[str, ...]]:
    """The optional steps that stay off where no preset is named, as none of their networks can be had.

    Args:
        pipeline: PaddleX's name of the pipeline.
        exported: names of networks that are exported.

    Returns:
        PaddleX's name of the step -> the networks that could take its place.

    Raises:
        UsageError: no such pipeline.
    """
    optional = _find_pipeline(pipeline).when_exported
    return {role: names for role, names in optional.items() if _best(names, exported) is None}


def _find_pipeline(name: str) -> PipelineSpec:
    try:
        return find_pipeline(name)
    except KeyError as error:
        raise UsageError(error.args[0]) from error


def _preset(spec: PipelineSpec, name: str | None = None) -> dict[str, str]:
    try:
        return find_preset(spec, name)
    except KeyError as error:
        raise UsageError(error.args[0]) from error


def _best(names: Sequence[str], exported: Container[str]) -> str | None:
    """The first network that is exported, else the first that can be fetched."""
    there = (name for name in names if name in exported)
    return next(there, None) or next((name for name in names if find_network(name).sources), None)


def _can_be_had(name: str, exported: Container[str]) -> bool:
    return name in exported or bool(find_network(name).sources)


def require_sources(entries: Iterable[ZooEntry]) -> None:
    """Refuse networks whose weights cannot be fetched, all of them in one message.

    Raises:
        SourceError: there are some.
    """
    missing = [entry for entry in entries if not entry.sources]
    if not missing:
        return
    places = ", ".join(str(entry.official) for entry in missing)
    converted = ", ".join(entry.official_onnx for entry in missing if entry.official_onnx)
    spared = f" (PaddleX has ONNX archives as well, which need no conversion: {converted})" if converted else ""
    raise SourceError(
        f"this version has no source that it can fetch {' or '.join(entry.name for entry in missing)} from: PaddleX "
        f"publishes these as PaddlePaddle models. Download and unpack {places}, convert each with paddle2onnx to "
        f"inference.onnx in its own folder DIR, beside PaddleX's inference.yml{spared}, and run `paddlex-triton export "
        "--from-dir DIR --name NAME`"
    )
