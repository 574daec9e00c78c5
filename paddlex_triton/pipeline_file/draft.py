"""The content of a pipeline file, while it is being read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from paddlex_triton.errors import InvalidParameter
from paddlex_triton.network import NETWORK_NAME
from paddlex_triton.params import parse_params
from paddlex_triton.pipeline_file.model import NetworkReference, Serving
from paddlex_triton.pipeline_file.section import Section
from paddlex_triton.pipelines import PipelineSpec

DECIDED_BY_THE_SERVER = "which engine runs a network is decided where the server is started; ignored"
SERVERS_BATCHES = "how much runs together is the server's decision, and changes no answer; ignored"
_ENGINE_KEYS = ("engine", "engine_config", "use_hpip", "hpi_config", "genai_config")
_NO_STORAGE = "answers carry their pictures themselves; ignored"


class Draft:
    """Collects what a dialect finds."""

    def __init__(self, spec: PipelineSpec) -> None:
        """Begin with nothing.

        Args:
            spec: the file's pipeline.
        """
        self.spec = spec
        self.networks: dict[str, NetworkReference] = {}
        self.off: list[str] = []
        self.params: dict[str, Any] = {}
        self.devices: dict[str, str] = {}

    def switch(self, step: str, on: bool) -> bool:
        """Turn an optional step on or off; returns `on`."""
        self.params[str(self.spec.steps[step].switch)] = on
        if not on:
            self.off.append(step)
        return on

    def network(self, module: Section, step: str, module_name: str) -> None:
        """Read which network a step runs on.

        Args:
            module: the step's section.
            step: our name for the step.
            module_name: PaddleX's.

        Raises:
            PipelineFileError: there is no name, or one that no network can have.
        """
        name = module.text("model_name")
        if not re.fullmatch(NETWORK_NAME, name):
            raise module.refusal("model_name", "the name of a network: letters, digits, '.', '_' and '-'")
        folder = module.get_optional("model_dir")
        if folder is not None and not (isinstance(folder, str) and folder):
            raise module.refusal("model_dir", "a folder's path, or null for the official network")
        self.networks[step] = NetworkReference(name, Path(folder) if folder else None)
        module.ignore("module_name", f"the step is {module_name} whatever it is called here; ignored", module_name)
        ignore_engine(module)

    def param(self, section: Section, key: str, parameter: str, fallback: Any) -> None:
        """Read the default of a parameter, `fallback` where the key is missing.

        Raises:
            PipelineFileError: it is null, or not allowed for the parameter.
        """
        self.set_param(section, key, parameter, section.get(key, fallback))

    def optional_param(self, section: Section, key: str, parameter: str, fallback: Any = None) -> None:
        """Do the same where null stands for a missing key; without a fallback the parameter is left alone then.

        Raises:
            PipelineFileError: it is not allowed for the parameter.
        """
        value = section.get_optional(key)
        value = fallback if value is None else value
        if value is not None:
            self.set_param(section, key, parameter, value)

    def set_param(self, section: Section, key: str, parameter: str, value: Any) -> None:
        """Set the default of a parameter.

        Raises:
            PipelineFileError: it is not allowed for the parameter; about the key that it comes from.
        """
        try:
            encoded = json.dumps({parameter: value})
        except (TypeError, ValueError, RecursionError):
            raise section.refusal(key, "a plain value") from None
        try:
            parse_params(encoded, self.spec.params)
        except InvalidParameter as error:
            raise section.fault(key, str(error).removeprefix(f"{parameter} ")) from None
        self.params[parameter] = value


def ignore_engine(section: Section) -> None:
    """Remark on the keys of PaddleX's engines, which any section may have."""
    for key in _ENGINE_KEYS:
        section.ignore(key, DECIDED_BY_THE_SERVER)


def read_serving(root: Section) -> Serving:
    """Read the section `Serving`.

    Raises:
        PipelineFileError: a switch that is none, or a number of pages below 1.
    """
    serving = root.section("Serving")
    extra = serving.section("extra")
    visualize = serving.flag("visualize", Serving.visualize)
    pages = extra.get_optional("max_num_input_imgs", Serving.max_num_input_imgs)
    if pages is not None and (isinstance(pages, bool) or not isinstance(pages, int) or pages < 1):
        raise extra.refusal("max_num_input_imgs", "a whole number from 1, or null for no limit")
    size = extra.get_optional("max_output_img_size", Serving.max_output_img_size)
    if size is not None and not _is_pair_of_sides(size):
        raise extra.refusal("max_output_img_size", "two whole numbers from 1, or null for no limit")
    older = extra.flag("return_img_urls", Serving.return_urls)
    return_urls = serving.flag("return_urls", older)
    for key in ("file_storage", "url_expires_in"):
        extra.ignore(key, _NO_STORAGE)
    extra.close()
    serving.close()
    return Serving(visualize, pages, None if size is None else (size[0], size[1]), return_urls)


def _is_pair_of_sides(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(side, int) and not isinstance(side, bool) and side >= 1 for side in value)
    )
