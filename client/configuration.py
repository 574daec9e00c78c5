"""Reading what `create_pipeline` is asked for: a pipeline's name, one of PaddleX's files, or its content as a dict."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from paddlex_triton import paths
from paddlex_triton.client.embedded import ServerLease, find_server
from paddlex_triton.client.exceptions import EmbeddedServerError, InvalidParameterError
from paddlex_triton.client.networks import Models, Networks, PresetWatch, choose_networks
from paddlex_triton.client.requests import find_spec
from paddlex_triton.client.transports import Url
from paddlex_triton.export_hints import export_command_for_file
from paddlex_triton.exported import find_exported, not_exported
from paddlex_triton.network import FILE_NAME, NetworkInfo
from paddlex_triton.network_choice import NetworkChoice
from paddlex_triton.pipeline_file import (
    PipelineFile,
    PipelineFileError,
    is_pipeline_file,
    read_pipeline_config,
    read_pipeline_file,
)
from paddlex_triton.pipelines import PipelineSpec


@dataclass(frozen=True)
class Configuration:
    """A pipeline, the networks it is to run on, and what its parameters are by default.

    Attributes:
        spec: the pipeline.
        networks: what an embedded server is started with.
        defaults: values of parameters that a call does not give.
        watch: warns when others answer than those that were asked for.
        file: where all that was read, if it was a file.
        remarks: sentences for the caller: what has no meaning here, or is not as the file says.
    """

    spec: PipelineSpec
    networks: Networks
    defaults: Mapping[str, Any]
    watch: PresetWatch
    file: Path | None = None
    remarks: tuple[str, ...] = ()

    def find_server(self, url: Url | None, protocol: str | None) -> ServerLease:
        """Find the server to use, see `embedded.find_server`.

        Raises:
            InvalidParameterError: `url` or `protocol` cannot be read.
            EmbeddedServerError: there is no server, and none can be started; if networks are missing, with the command
                that exports what the file names.
        """
        try:
            return find_server(self.spec, url, protocol, self.networks)
        except EmbeddedServerError as error:
            if self.file is None or not not_exported(self.networks.models.names(), [paths.networks_repository()]):
                raise
            command = export_command_for_file(str(self.file))
            raise EmbeddedServerError(f"{error}. What {self.file} names is exported by: {command}") from error


def configure(
    pipeline: str | PathLike[str] | None, config: object, preset: str | None, models: Models | None, url: Url | None
) -> Configuration:
    """Check what a caller asked for, and read the file.

    Args:
        pipeline: a name, or the path of a file.
        config: what a file holds; wins over `pipeline`, as in PaddleX.
        preset: see `choose_networks`; not with a file.
        models: see `choose_networks`; over a file's.
        url: the server, or the servers, if the caller named any.

    Raises:
        UnsupportedError: the pipeline or the preset is not known.
        InvalidParameterError: the file cannot be honoured, or comes with a preset; see `choose_networks`.
    """
    name = fspath(pipeline) if pipeline is not None else None
    file = _read(name, config)
    if file is None:
        spec = find_spec(name)
        networks = choose_networks(spec, preset, models, url)
        return Configuration(spec, networks, networks.default_params(spec), PresetWatch(spec, networks))
    if preset is not None:
        raise InvalidParameterError(f"preset is {preset!r}, but {file.origin} says which networks are meant")
    remarks = [*(_other_names(name, file) if config is not None else []), *file.remarks, *_ignored_devices(file)]
    given = choose_networks(file.spec, None, models, url)
    networks = Networks(models=NetworkChoice({**_models_of(file, url), **given.models}))
    path = Path(file.origin) if config is None else None
    command = f": {export_command_for_file(file.origin)} --force" if path is not None else ""
    if url is None:
        remarks += [f"{other}{command}" for other in _other_sources(file, networks)]
    switches = {str(file.spec.steps[step].switch): bool(names) for step, names in given.models.items()}
    defaults = {**file.params, **{name: on for name, on in switches.items() if name in file.spec.switches}}
    watch = PresetWatch(file.spec, networks, file.origin)
    return Configuration(file.spec, networks, defaults, watch, path, tuple(remarks))


def _read(pipeline: str | None, config: object) -> PipelineFile | None:
    try:
        if config is not None:
            if not isinstance(config, Mapping):
                raise InvalidParameterError(
                    f"config is a {type(config).__name__}; it must be a dict, what a pipeline file holds"
                )
            return read_pipeline_config(config)
        if pipeline is not None and is_pipeline_file(pipeline):
            return read_pipeline_file(Path(pipeline))
    except PipelineFileError as error:
        raise InvalidParameterError(str(error)) from None
    return None


def _other_names(pipeline: str | None, file: PipelineFile) -> list[str]:
    """Return one sentence about a name beside `config` that is another pipeline's."""
    if pipeline is None or pipeline.lower() in (file.spec.name.lower(), file.spec.ensemble):
        return []
    return [f"config is for pipeline {file.spec.name}, which is used; {pipeline!r} is not"]


def _ignored_devices(file: PipelineFile) -> list[str]:
    """Return one sentence about devices that are not the embedded server's, which has the CPU alone."""
    named = {"device": file.device, **{f"device of {step}": device for step, device in file.devices.items()}}
    others = [f"{what} is {device!r}" for what, device in named.items() if device not in (None, "cpu")]
    return [f"{file.origin}: {', '.join(others)}: decided where the server is started; ignored"] if others else []


def _other_sources(file: PipelineFile, networks: Networks) -> list[str]:
    """Return one sentence for each exported network of the file's that is not made from what the file names."""
    from paddlex_triton.pipeline_file.comparison import differing_sources

    described: dict[str, NetworkInfo] = {}
    for name in networks.models.names():
        if (folder := find_exported(name, [paths.networks_repository()])) is not None:
            # What cannot be read is said by the server that is started on it.
            with suppress(OSError, ValueError):
                described[name] = NetworkInfo.load(folder / FILE_NAME)
    return list(differing_sources(file, networks.models, described))


def _models_of(file: PipelineFile, url: Url | None) -> dict[str, str]:
    """Return step -> network, for an embedded server or to compare with: then without names that are not known.

    Raises:
        PipelineFileError: see `PipelineFile.models`.
    """
    try:
        if url is None:
            return file.models()
        known = {step for step, choice in file.networks.items() if choice.name or (choice.folder or Path()).is_dir()}
        return {step: file.name_of(step) for step in sorted(known)}
    except PipelineFileError as error:
        raise InvalidParameterError(str(error)) from None
