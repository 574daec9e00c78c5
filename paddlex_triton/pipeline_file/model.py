"""The content of a pipeline file of PaddleX's, in this product's terms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from paddlex_triton.limits import MAX_INFERENCE_YML_BYTES
from paddlex_triton.network import NETWORK_NAME
from paddlex_triton.pipelines import PipelineSpec

_INFERENCE_FILE = "inference.yml"
_SUFFIXES = (".yaml", ".yml")


class PipelineFileError(ValueError):
    """A pipeline file that cannot be honoured: which file and key, what was given, what is allowed."""


@dataclass(frozen=True)
class NetworkReference:
    """How a file names the network of one step.

    Attributes:
        name: `model_name`, what the network is called here too; None only for a local path in a beta file: the
            `inference.yml` of the folder tells the name.
        folder: `model_dir`, weights of one's own, relative to the working directory as in PaddleX; None for an
            official network.
    """

    name: str | None
    folder: Path | None = None


@dataclass(frozen=True)
class Serving:
    """The `Serving` section.

    Attributes:
        visualize: whether answers carry pictures unless a request says otherwise.
        max_num_input_imgs: pages of one document that are read, None for all of them.
        max_output_img_size: bound of pictures in answers, pixels a side, None for no bound.
        return_urls: whether answers are to name pictures by URLs, which no gateway of ours can.
    """

    visualize: bool = True
    max_num_input_imgs: int | None = 10
    max_output_img_size: tuple[int, int] | None = (2000, 2000)
    return_urls: bool = False


@dataclass(frozen=True)
class PipelineFile:
    """One pipeline as PaddleX's configuration describes it.

    Attributes:
        origin: what to call it in messages.
        spec: the pipeline.
        networks: step -> network, of the steps that the file has on.
        off: steps with a switch that the file has off.
        params: parameters of the pipeline -> default value, valid for `spec.params`.
        serving: the gateway's section.
        device: `device` of the whole pipeline, None if the file does not tell.
        devices: step -> a device of its own (beta files).
        remarks: one sentence for every key that has no meaning here.
    """

    origin: str
    spec: PipelineSpec
    networks: Mapping[str, NetworkReference]
    off: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    serving: Serving = field(default_factory=Serving)
    device: str | None = None
    devices: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def models(self) -> dict[str, str]:
        """Return step -> network, "" for steps that are off: the form that an assembly of networks is asked for in.

        Raises:
            PipelineFileError: a step's network is known by its folder alone, and what the folder holds tells no name.
        """
        chosen = {step: self.name_of(step) for step in self.networks}
        return {step: chosen.get(step, "") for step in self.spec.steps}

    def name_of(self, step: str) -> str:
        """Return the network of a step that is on, by name.

        Raises:
            PipelineFileError: it is known by its folder alone, and what the folder holds tells no name.
        """
        choice = self.networks[step]
        if choice.name is not None:
            return choice.name
        assert choice.folder is not None
        return _read_name(self.origin, choice.folder)


def _read_name(origin: str, folder: Path) -> str:
    """`Global.model_name` of the `inference.yml` in a folder."""
    path = folder / _INFERENCE_FILE
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_INFERENCE_YML_BYTES + 1)
        if len(raw) > MAX_INFERENCE_YML_BYTES:
            raise PipelineFileError(f"{origin}: {path} has more than {MAX_INFERENCE_YML_BYTES} bytes")
        name = yaml.safe_load(raw)["Global"]["model_name"]
    except PipelineFileError:
        raise
    except (OSError, yaml.YAMLError, ValueError, RecursionError, TypeError, KeyError) as error:
        reason = f"{path} does not tell what it is called ({type(error).__name__})"
        raise PipelineFileError(f"{origin}: a network is given as the folder {folder}, but {reason}") from None
    if not isinstance(name, str) or not re.fullmatch(NETWORK_NAME, name):
        raise PipelineFileError(f"{origin}: the network in {folder} is called {str(name)[:60]!r}, which is no name")
    return name


def is_pipeline_file(text: str) -> bool:
    """Tell whether a pipeline's name is the path of a file: whether it ends in .yaml or .yml, whatever the case."""
    return text.lower().endswith(_SUFFIXES)
