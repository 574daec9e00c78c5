"""Putting together the directory that Triton serves.

The directory holds what the chosen pipelines need and nothing else: their ensembles, the modules those chain and
the networks those call. Code and weights are links (or copies), each model's `config.pbtxt` is a copy of the
chosen flavour's file. Triton loads everything in it (`--model-control-mode=none`), so that ready means complete.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from paddlex_triton import paths
from paddlex_triton.export_hints import export_command_for_file
from paddlex_triton.exported import choose_preset, not_exported
from paddlex_triton.flavours import CPU, DeviceKind
from paddlex_triton.limits import MAX_IMAGE_PIXELS
from paddlex_triton.module_parameters import MAX_IMAGE_PIXELS_PARAMETER, read_networks
from paddlex_triton.network import FILE_NAME, STAND_INS_FILE, NetworkInfo, StandIn
from paddlex_triton.network_choice import Models, NetworkChoice
from paddlex_triton.pipeline_file import PipelineFile
from paddlex_triton.pipeline_file.comparison import differing_sources, values_for_callers
from paddlex_triton.pipelines import ChoiceError, PipelineSpec
from paddlex_triton.processors import describe
from paddlex_triton.server.host.core_sharing import CoreSharing, put_into_module, share_cores
from paddlex_triton.server.host.device_placement import Placements, place_networks
from paddlex_triton.server.host.errors import AssemblyError
from paddlex_triton.server.host.gpu_module_config import derive_gpu_config
from paddlex_triton.server.host.model_config import add_parameters, read_config, steps_of
from paddlex_triton.server.host.network_selection import Selection, select
from paddlex_triton.server.host.served_networks import ServedNetwork, collect_networks
from paddlex_triton.version import __version__

# Tells a directory of ours, which may be replaced, from anybody else's, which may not. Triton ignores files.
MARKER = "assembly.json"


@dataclass(frozen=True)
class Assembly:
    """The contents of an assembled directory."""

    directory: Path
    flavour: str
    pipelines: tuple[str, ...]
    ensembles: tuple[str, ...]
    modules: tuple[str, ...]
    networks: dict[str, str] = field(default_factory=dict)
    """name -> sha256"""
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """pipelines that nobody named and that cannot be served -> their missing networks"""
    stand_ins: dict[str, dict[str, StandIn]] = field(default_factory=dict)
    """pipeline -> step -> the network that nobody chose for it, in the place of another one"""
    switches: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    """pipeline -> parameter that turns a step on -> the step's networks; without any it is off by default"""
    flavours: dict[str, str] = field(default_factory=dict)
    """network -> the flavour that runs it"""
    devices: dict[str, str] = field(default_factory=dict)
    """network -> where it runs, of those that a place was asked for"""
    sharing: CoreSharing = field(default_factory=CoreSharing)
    """of the cores, among networks on the CPU"""
    remarks: tuple[str, ...] = ()
    """what pipeline files say and what has no meaning here, or is not as they say; networks timed elsewhere"""


@dataclass(frozen=True)
class ModuleSettings:
    """What all modules are told.

    Attributes:
        kind: of device that they work for.
        sharing: of the cores, by networks on CPUs.
        max_pixels: of a page; None for as many as are ever possible.
    """

    kind: DeviceKind
    sharing: CoreSharing
    max_pixels: int | None


@dataclass(frozen=True)
class _LinkedModel:
    """A model to be linked: its folder, the text of its configuration, files to lay beside it."""

    folder: Path
    config: str
    extra: tuple[tuple[str, Path | str], ...] = ()
    """name -> file, or text"""
    files: Mapping[str, Path] | None = None
    """of its version folder 1, instead of the folder's own"""


def assemble(
    directory: Path,
    *,
    pipelines: Sequence[str] = (),
    presets: Mapping[str, str] | None = None,
    models: Models | None = None,
    files: Sequence[PipelineFile] = (),
    device: str | None = None,
    flavour: str | None = None,
    instances: int | None = None,
    max_megapixels: float | None = None,
    networks: Sequence[Path] = (),
    copy: bool = False,
) -> Assembly:
    """Write the directory to serve. It appears whole or not at all.

    Args:
        directory: created, or replaced if an earlier call made it.
        pipelines: PaddleX's names; if there are none and no files, all those whose networks are there.
        presets: pipeline -> preset. Where none is named it is the default one, or the fallback if networks of the
            default one are not exported, and optional steps beyond it whose networks are exported.
        models: step -> network, or several, `A,B`, of which a request may choose one and the first is the default;
            instead of the presets'. An empty name leaves an optional step off.
        files: more pipelines, each as a file of PaddleX's describes it: networks, steps that are off, devices.
        device: where networks run, as PaddleX writes it; wins over what files say. Modules run on the CPU.
        flavour: which configuration networks get; if None the one for the device, and on CPUs the fastest for each.
        instances: processes of each network on CPUs, which share the cores; see `share_cores` for what None is.
        max_megapixels: of a page, if less than `limits.MAX_IMAGE_PIXELS`: what modules keep of memory grows with it.
        networks: folders to look for networks in, before the default one.
        copy: copy code and weights instead of linking them, for a directory that is moved or mounted elsewhere.

    Raises:
        AssemblyError: an unknown pipeline, preset, step, device or flavour, a network or flavour file that is missing
            or damaged (with the command that makes it), or a directory that is in the way or cannot be written.
    """
    repositories = [*networks, paths.networks_repository()]
    stand_ins: dict[str, Mapping[str, StandIn]] = {}

    try:
        single = NetworkChoice(models or {})
    except ChoiceError as error:
        raise AssemblyError(str(error)) from None

    def choose(spec: PipelineSpec) -> Mapping[str, str]:
        choice = choose_preset(spec, repositories, single)
        stand_ins[spec.name] = choice.stand_ins
        return choice.networks

    selection = select(pipelines, presets, single, choose, files)
    left_out = {} if pipelines or files else _incomplete(selection, repositories)
    if 0 < len(left_out) < len(selection.specs):
        selection = selection.without(left_out)
    placements = place_networks(selection, device=device, flavour=flavour, files=files)
    chosen = {spec.name: dict(stand_ins.get(spec.name, {})) for spec in selection.specs}
    modules = ModuleSettings(placements.kind, share_cores(instances), _pixels(max_megapixels))
    sources, assembly = _collect(directory, selection, placements, repositories, files, chosen, modules)
    assembly = replace(assembly, left_out=left_out)
    _refuse_foreign(directory)
    try:
        _write(directory, sources, assembly, copy=copy)
    except OSError as error:
        # copytree goes on behind a failure, and tells of all.
        reason = error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror or error
        raise AssemblyError(f"{directory} cannot be written: {reason}") from error
    return assembly


def _write(directory: Path, sources: Mapping[str, _LinkedModel], assembly: Assembly, *, copy: bool) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        building.chmod(0o755)
        for name, source in sources.items():
            _place(building / name, source, copy=copy)
        (building / MARKER).write_text(json.dumps(_describe(assembly), indent=2) + "\n")
        if directory.exists():
            shutil.rmtree(directory)
        building.rename(directory)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _collect(
    directory: Path,
    selection: Selection,
    placements: Placements,
    repositories: Sequence[Path],
    files: Sequence[PipelineFile],
    stand_ins: dict[str, dict[str, StandIn]],
    settings: ModuleSettings,
) -> tuple[dict[str, _LinkedModel], Assembly]:
    ensembles = {spec.ensemble: _ensemble_source(spec) for spec in selection.specs}
    modules = _modules_to_serve(selection)
    served = collect_networks(selection, placements, repositories, files, settings.sharing)
    sources: dict[str, _LinkedModel] = dict(ensembles)
    for name, (module, specs) in modules.items():
        parameters = selection.parameters_of(module, specs, first=name != module)
        told = _stand_ins_of(module, specs, stand_ins)
        config = _module_config(module, parameters, settings)
        sources[name] = _module_source(module, config, parameters, served, told)
    for name, network in served.items():
        extra = ((FILE_NAME, network.files.description),)
        sources[name] = _LinkedModel(network.folder, network.config, extra, network.files.files)
    described = {name: network.info for name, network in served.items()}
    assembly = Assembly(
        directory,
        placements.flavour,
        tuple(spec.name for spec in selection.specs),
        tuple(ensembles),
        tuple(modules),
        {name: info.sha256 for name, info in described.items()},
        stand_ins={pipeline: of_steps for pipeline, of_steps in stand_ins.items() if of_steps},
        switches=selection.switches(),
        flavours={name: network.flavour.name for name, network in served.items()},
        devices={name: str(at.requested.device) for name, at in placements.networks.items() if at.requested},
        sharing=settings.sharing,
        remarks=(
            *_remarks_on_engines(described),
            *(remark for file in files for remark in _remarks_on(file, selection, described)),
        ),
    )
    return sources, assembly


def _remarks_on_engines(described: Mapping[str, NetworkInfo]) -> list[str]:
    """Say which networks were timed on another processor, where that chooses what runs them."""
    here = describe()
    elsewhere = [name for name, info in described.items() if info.on_cpu and info.on_cpu.processor != here]
    if not elsewhere:
        return []
    return [f"timed on another processor: {', '.join(elsewhere)}. Here: paddlex-triton measure {' '.join(elsewhere)}"]


def _remarks_on(file: PipelineFile, selection: Selection, described: Mapping[str, NetworkInfo]) -> list[str]:
    others = differing_sources(file, selection.networks[file.spec.name], described)
    command = f"{export_command_for_file(file.origin)} --force"
    return [*file.remarks, *values_for_callers(file), *(f"{other}: {command}" for other in others)]


def _ensemble_source(spec: PipelineSpec) -> _LinkedModel:
    folder = paths.ensembles_repository() / spec.ensemble
    path = folder / "config.pbtxt"
    if tuple(steps_of(read_config(path))) != spec.models:
        raise AssemblyError(f"{path}: its steps are not those of pipeline {spec.name}: {', '.join(spec.models)}")
    return _LinkedModel(folder, path.read_text(encoding="utf-8"))


def _modules_to_serve(selection: Selection) -> dict[str, tuple[str, list[PipelineSpec]]]:
    """Return the modules by their names in Triton: the module, and the pipelines that it is of."""
    modules: dict[str, tuple[str, list[PipelineSpec]]] = {}
    for spec in selection.specs:
        for name, module in zip(spec.models, spec.modules, strict=True):
            modules.setdefault(name, (module, []))[1].append(spec)
    return modules


def _pixels(megapixels: float | None) -> int | None:
    if megapixels is None:
        return None
    pixels = megapixels * 1e6
    if not 1 <= pixels <= MAX_IMAGE_PIXELS:
        raise AssemblyError(f"{megapixels:g} megapixels a page; up to {MAX_IMAGE_PIXELS // 10_000 / 100} are possible")
    return int(pixels)


def _module_config(name: str, parameters: Mapping[str, str], settings: ModuleSettings) -> str:
    """Return a module's configuration, with pipelines and networks in it."""
    folder = paths.modules_repository() / name
    if not (folder / "1" / "model.py").is_file():
        raise AssemblyError(f"module {name!r} is not there: {folder} has no 1/model.py")
    path = folder / CPU.config_file
    if settings.max_pixels is not None:
        parameters = {**parameters, MAX_IMAGE_PIXELS_PARAMETER: str(settings.max_pixels)}
    config = add_parameters(path.read_text(encoding="utf-8"), parameters)
    return derive_gpu_config(config, path) if settings.kind == "gpu" else put_into_module(config, settings.sharing)


def _module_source(
    name: str,
    config: str,
    parameters: Mapping[str, str],
    served: Mapping[str, ServedNetwork],
    stand_ins: Mapping[str, Mapping[str, StandIn]],
) -> _LinkedModel:
    """Describe a module, with what is known of its networks laid beside it."""
    networks = read_networks(parameters).values()
    called = dict.fromkeys(network for of_steps in networks for names in of_steps.values() for network in names)
    extra = [(f"{network}.{FILE_NAME}", served[network].files.description) for network in called]
    if stand_ins:
        told = {
            pipeline: {step: stand_in.model_dump() for step, stand_in in of_steps.items()}
            for pipeline, of_steps in stand_ins.items()
        }
        extra.append((STAND_INS_FILE, json.dumps(told, ensure_ascii=False, indent=1) + "\n"))
    return _LinkedModel(paths.modules_repository() / name, config, tuple(extra))


def _stand_ins_of(
    module: str, specs: Sequence[PipelineSpec], stand_ins: Mapping[str, Mapping[str, StandIn]]
) -> dict[str, dict[str, StandIn]]:
    """Return a module's networks that are there for others: pipeline -> step -> which; pipelines that have any."""
    of_module = {
        spec.name: {step: one for step, one in stand_ins[spec.name].items() if spec.steps[step].module == module}
        for spec in specs
    }
    return {pipeline: of_steps for pipeline, of_steps in of_module.items() if of_steps}


def _incomplete(selection: Selection, repositories: Sequence[Path]) -> dict[str, tuple[str, ...]]:
    missing = {pipeline: not_exported(choice.names(), repositories) for pipeline, choice in selection.networks.items()}
    return {pipeline: names for pipeline, names in missing.items() if names}


def _refuse_foreign(directory: Path) -> None:
    if not directory.exists() and not directory.is_symlink():
        return
    if not directory.is_dir() or directory.is_symlink():
        raise AssemblyError(f"{directory} is in the way: not a directory")
    if any(directory.iterdir()) and not (directory / MARKER).is_file():
        raise AssemblyError(f"{directory} is not empty and was not made by `assemble`: choose another directory")


def _place(target: Path, source: _LinkedModel, *, copy: bool) -> None:
    target.mkdir()
    (target / "config.pbtxt").write_text(source.config, encoding="utf-8")
    for name, content in source.extra:
        if isinstance(content, str):
            (target / name).write_text(content, encoding="utf-8")
        else:
            shutil.copyfile(content, target / name)
    if source.files is not None:
        _place_files(target / "1", source.files, copy=copy)
        return
    for version in sorted(source.folder.iterdir()):
        if version.is_dir() and version.name.isdigit():
            if copy:
                shutil.copytree(version, target / version.name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (target / version.name).symlink_to(version.resolve())


def _place_files(version: Path, files: Mapping[str, Path], *, copy: bool) -> None:
    version.mkdir()
    for name, file in files.items():
        if copy:
            shutil.copyfile(file, version / name)
        else:
            (version / name).symlink_to(file.resolve())


def _describe(assembly: Assembly) -> dict[str, Any]:
    return {
        "version": __version__,
        "flavour": assembly.flavour,
        "pipelines": list(assembly.pipelines),
        "modules": list(assembly.modules),
        "networks": assembly.networks,
        "flavours": assembly.flavours,
        "devices": assembly.devices,
    }
