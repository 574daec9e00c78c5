"""The settings of NVIDIA's container with this product, from its environment.

PADDLEX_TRITON_PIPELINES    pipelines to load, by name or as PaddleX's pipeline files, separated by commas or
                            spaces                                                   OCR
PADDLEX_TRITON_PRESETS      presets, PRESET or PIPELINE=PRESET, separated likewise   PaddleX's
PADDLEX_TRITON_MODEL_NAMES  single networks instead, STEP=NETWORK or STEP=NETWORK,OTHER, separated likewise
PADDLEX_TRITON_DEVICE       where networks run, as PaddleX writes it: cpu, gpu:0, gpu:0,1; wins over pipeline files
PADDLEX_TRITON_FLAVOUR      configuration flavour: cpu, openvino, gpu, ...           the device's; on CPUs the fastest
                            of each network
PADDLEX_TRITON_INSTANCES    processes of each network on the CPU                     one for every 4 cores
PADDLEX_TRITON_MAX_MEGAPIXELS  most megapixels of a page                             178.9
PADDLEX_TRITON_NETWORKS     folder with the exported networks, may be read-only      /networks
PADDLEX_TRITON_MODELS       directory to assemble; its parent must be writable       /var/lib/paddlex-triton/models
PADDLEX_TRITON_SHM_START    bytes of /dev/shm that each module instance starts with  16777216
PADDLEX_TRITON_SHM_GROWTH   bytes by which one grows when a page does not fit        16777216
PADDLEX_TRITON_PROBE_FAILURES  failed checks in a row, one every 10 s, after which the server is ended, and with it the
                            container, for Docker to start it anew                   0: none is made
PADDLEX_TRITON_ADMIN_KEY_FILE  file with the key of Triton's model-repository, shared-memory, model-config, logging and
                            trace APIs                                               a random key, which nobody knows
PADDLEX_TRITON_TRACE_URL    collector of OpenTelemetry to send traces to, http://host:4318

A variable that is empty counts as one that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paddlex_triton.admin_api import KEY_FILE_VARIABLE, new_admin_key, read_admin_key, restricting_arguments
from paddlex_triton.keys import KeyFileError
from paddlex_triton.server.host.errors import AssemblyError, HostError
from paddlex_triton.server.host.supervise import Watching
from paddlex_triton.server.host.tritonserver_arguments import SHM_STEP, serving_arguments, tracing_arguments


class ContainerSettings:
    """The settings of a container, read from its environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read the variables.

        Args:
            environment: as `os.environ`.
        """
        self._environment = environment

    @property
    def models(self) -> Path:
        """The directory to assemble and serve."""
        return Path(self._get("MODELS", "/var/lib/paddlex-triton/models"))

    def assemble_options(self) -> dict[str, Any]:
        """Return the options of the command `assemble`, by the names of its parameters."""
        # A comma may also separate networks of one step: the command reads that list as it is.
        models = self._get("MODEL_NAMES")
        return {
            "pipeline": self._list("PIPELINES", "OCR"),
            "preset": self._list("PRESETS"),
            "model": [models] if models else [],
            "device": self._get("DEVICE") or None,
            "flavour": self._get("FLAVOUR") or None,
            "instances": self._number("INSTANCES"),
            "max_megapixels": self._number("MAX_MEGAPIXELS"),
            "networks": [Path(self._get("NETWORKS", "/networks"))],
        }

    def watching(self) -> Watching | None:
        """Return how the server is watched, None where it is not."""
        failures = self._number("PROBE_FAILURES") or 0
        return Watching(failures) if failures else None

    def tritonserver_command(self) -> list[str]:
        """Return the command line of the server.

        Raises:
            AssemblyError: the file with the key, or the URL of a collector, cannot be used.
        """
        shm_start, shm_growth = (self._get(f"SHM_{name}", str(SHM_STEP)) for name in ("START", "GROWTH"))
        serving = serving_arguments(self.models, shm_start=shm_start, shm_growth=shm_growth)
        return ["tritonserver", *serving, *self._tracing_arguments(), *restricting_arguments(self._admin_key())]

    def _tracing_arguments(self) -> tuple[str, ...]:
        try:
            return tracing_arguments(self._get("TRACE_URL"))
        except HostError as error:
            raise AssemblyError(f"PADDLEX_TRITON_TRACE_URL: {error}") from None

    def _admin_key(self) -> str:
        path = self._get("ADMIN_KEY_FILE")
        try:
            return read_admin_key(Path(path)) if path else new_admin_key()
        except KeyFileError as error:
            raise AssemblyError(f"{KEY_FILE_VARIABLE}: {error}") from None

    def _get(self, name: str, default: str = "") -> str:
        return self._environment.get(f"PADDLEX_TRITON_{name}") or default

    def _number(self, name: str) -> int | None:
        text = self._get(name)
        if text and not re.fullmatch(r"[0-9]{1,9}", text):
            raise AssemblyError(f"PADDLEX_TRITON_{name} is {text!r}; a number is expected")
        return int(text) if text else None

    def _list(self, name: str, default: str = "") -> list[str]:
        return [part for part in re.split(r"[,\s]+", self._get(name, default)) if part]
