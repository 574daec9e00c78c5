"""The exported networks that an assembled directory serves: found, fit for their steps, and configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paddlex_triton.export_hints import export_command_for
from paddlex_triton.exported import find_exported
from paddlex_triton.flavours import Flavour, fastest_on_cpu
from paddlex_triton.network import FILE_NAME, NetworkInfo
from paddlex_triton.pipeline_file import PipelineFile
from paddlex_triton.pipeline_file.comparison import commands_for
from paddlex_triton.pipelines import Step
from paddlex_triton.server.host.core_sharing import CoreSharing, put_into_network
from paddlex_triton.server.host.device_placement import Placement, Placements
from paddlex_triton.server.host.errors import AssemblyError
from paddlex_triton.server.host.model_config import set_gpus
from paddlex_triton.server.host.model_files import ModelFiles, choose_model_files
from paddlex_triton.server.host.network_selection import Selection


@dataclass(frozen=True)
class ServedNetwork:
    """One network.

    Attributes:
        folder: where it was exported to.
        info: its network.json.
        flavour: how it is run.
        config: the text of its configuration.
        files: its model file and its description.
    """

    folder: Path
    info: NetworkInfo
    flavour: Flavour
    config: str
    files: ModelFiles


def collect_networks(
    selection: Selection,
    placements: Placements,
    repositories: Sequence[Path],
    files: Sequence[PipelineFile],
    sharing: CoreSharing,
) -> dict[str, ServedNetwork]:
    """Find the networks of a selection: name -> how it is served.

    Args:
        selection: pipelines and their networks.
        placements: where these run.
        repositories: folders to look in, the first ones first.
        files: of some of the pipelines, for the command that exports what is missing.
        sharing: how those on CPUs share the cores.

    Raises:
        AssemblyError: a network is missing (with the command that makes it), of another kind than its step takes, or
            cannot be served as it is asked to.
    """
    folders = _find_folders(selection, repositories, files)
    described = {name: _describe(folder) for name, folder in folders.items()}
    served: dict[str, ServedNetwork] = {}
    for name, folder in folders.items():
        placement = placements.networks[name]
        flavour = placement.flavour or fastest_on_cpu(described[name])
        config = _read_config(folder, flavour, placement)
        if flavour.kind == "cpu":
            config = put_into_network(config, sharing)
        model_files = choose_model_files(folder, described[name], flavour, config)
        served[name] = ServedNetwork(folder, described[name], flavour, config, model_files)
    _refuse_misplaced(selection, described)
    return served


def _find_folders(selection: Selection, repositories: Sequence[Path], files: Sequence[PipelineFile]) -> dict[str, Path]:
    found = {name: find_exported(name, repositories) for name in selection.names()}
    if missing := [name for name, folder in found.items() if folder is None]:
        raise AssemblyError(
            f"not exported: {', '.join(missing)} (looked in {', '.join(str(path) for path in repositories)}). "
            f"Run: {commands_for(missing, files)}"
        )
    return {name: folder for name, folder in found.items() if folder is not None}


def _describe(folder: Path) -> NetworkInfo:
    try:
        return NetworkInfo.load(folder / FILE_NAME)
    except (OSError, ValueError) as error:
        raise AssemblyError(f"{folder / FILE_NAME}: {error}") from None


def _read_config(folder: Path, flavour: Flavour, placement: Placement) -> str:
    """Return a network's configuration, on the GPUs that were asked for."""
    path = folder / flavour.config_file
    if not path.is_file():
        raise AssemblyError(
            f"{folder.name} has no {flavour.name!r} flavour: {path} is missing. Run: {export_command_for(folder.name)}"
        )
    text = path.read_text(encoding="utf-8")
    if not placement.gpus:
        return text
    try:
        return set_gpus(text, placement.gpus)
    except AssemblyError as error:
        gpus = ",".join(map(str, placement.gpus))
        raise AssemblyError(f"{folder.name} cannot be put on gpu:{gpus}: {error}") from None


def _refuse_misplaced(selection: Selection, described: Mapping[str, NetworkInfo]) -> None:
    """Refuse a network of another kind than its step takes: it would load, and fail every request."""
    for spec in selection.specs:
        for step, names in selection.networks[spec.name].items():
            for name in names:
                _refuse_other_kind(step, spec.steps[step], name, described[name])


def _refuse_other_kind(name_of_step: str, step: Step, name: str, info: NetworkInfo) -> None:
    if info.family not in step.families:
        raise AssemblyError(
            f"{name_of_step} takes a network of family {' or '.join(step.families)}; {name} is {info.family}"
        )
    if step.check_labels is not None:
        try:
            step.check_labels(info.labels or [])
        except ValueError as error:
            raise AssemblyError(f"{name_of_step} cannot use {name}: {error}") from None
