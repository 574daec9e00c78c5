"""Putting together the directory that Triton serves.

The directory holds what the chosen pipelines need and nothing else: their ensembles, the modules those chain and
the networks those call. Code and weights are links (or copies), each model's `config.pbtxt` is a copy of the
chosen flavour's file. Triton loads everything in it (`--model-control-mode=none`), so that ready means complete.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from paddlex_triton import paths
from paddlex_triton.export.commands import export_command_for
from paddlex_triton.network import FILE_NAME, NetworkInfo
from paddlex_triton.pipelines import PIPELINES, PipelineSpec, find_pipeline
from paddlex_triton.server.errors import AssemblyError
from paddlex_triton.server.model_config import networks_of, read_config, steps_of
from paddlex_triton.version import __version__

Flavour = Literal["cpu", "gpu", "tensorrt", "openvino"]
FLAVOURS: tuple[Flavour, ...] = ("cpu", "gpu", "tensorrt", "openvino")
DEFAULT_FLAVOUR: Flavour = "cpu"
# Tells a directory of ours, which may be replaced, from anybody else's, which may not. Triton ignores files.
MARKER = "assembly.json"


@dataclass(frozen=True)
class Assembly:
    """What an assembled directory serves."""

    directory: Path
    flavour: Flavour
    pipelines: tuple[str, ...]
    ensembles: tuple[str, ...]
    modules: tuple[str, ...]
    networks: dict[str, str] = field(default_factory=dict)
    """name -> sha256"""


@dataclass(frozen=True)
class _Source:
    """A model to be linked: its folder, the configuration to use, files to lay beside it."""

    folder: Path
    config: Path
    extra: tuple[tuple[str, Path], ...] = ()


def assemble(
    directory: Path,
    *,
    pipelines: Sequence[str] = (),
    flavour: Flavour = DEFAULT_FLAVOUR,
    networks: Sequence[Path] = (),
    copy: bool = False,
) -> Assembly:
    """Write the directory to serve. It appears whole or not at all.

    Args:
        directory: created, or replaced if an earlier call made it.
        pipelines: PaddleX's names; all known ones if empty.
        flavour: which configuration every module and network gets.
        networks: folders to look for networks in, before the default one.
        copy: copy code and weights instead of linking them, for a directory that is moved or mounted elsewhere.

    Raises:
        AssemblyError: an unknown pipeline or flavour, a network or flavour file that is missing (with the command
            that makes it), or a directory that is in the way.
    """
    specs = _find_specs(pipelines)
    sources, assembly = _collect(directory, specs, flavour, [*networks, paths.networks_repository()])
    _refuse_foreign(directory)
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
    return assembly


def _find_specs(pipelines: Sequence[str]) -> list[PipelineSpec]:
    try:
        return [find_pipeline(name) for name in dict.fromkeys(pipelines)] or list(PIPELINES.values())
    except KeyError as error:
        raise AssemblyError(error.args[0]) from None


def _collect(
    directory: Path, specs: Sequence[PipelineSpec], flavour: Flavour, repositories: Sequence[Path]
) -> tuple[dict[str, _Source], Assembly]:
    if flavour not in FLAVOURS:
        raise AssemblyError(f"unknown flavour {flavour!r}; known: {', '.join(FLAVOURS)}")
    ensembles = {spec.ensemble: _ensemble_source(spec) for spec in specs}
    names = dict.fromkeys(step for source in ensembles.values() for step in steps_of(read_config(source.config)))
    modules = {name: _module_folder(name) for name in names}
    configs = {name: _flavour_file(folder, flavour) for name, folder in modules.items()}
    called = {name: networks_of(read_config(config)) for name, config in configs.items()}
    needed = dict.fromkeys(network for roles in called.values() for network in roles.values())
    found = _find_networks(needed, repositories)
    sources: dict[str, _Source] = dict(ensembles)
    for name, folder in modules.items():
        extra = tuple((f"{network}.{FILE_NAME}", found[network] / FILE_NAME) for network in called[name].values())
        sources[name] = _Source(folder, configs[name], extra)
    for name, folder in found.items():
        sources[name] = _Source(folder, _flavour_file(folder, flavour), ((FILE_NAME, folder / FILE_NAME),))
    sums = {name: _sha256(folder) for name, folder in found.items()}
    assembly = Assembly(directory, flavour, tuple(s.name for s in specs), tuple(ensembles), tuple(modules), sums)
    return sources, assembly


def _ensemble_source(spec: PipelineSpec) -> _Source:
    folder = paths.ensembles_repository() / spec.ensemble
    return _Source(folder, folder / "config.pbtxt")


def _module_folder(name: str) -> Path:
    folder = paths.modules_repository() / name
    if not (folder / "1" / "model.py").is_file():
        raise AssemblyError(f"module {name!r} is not there: {folder} has no 1/model.py")
    return folder


def _find_networks(names: Iterable[str], repositories: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    missing: list[str] = []
    for name in names:
        folders = (repository / name for repository in repositories)
        folder = next((folder for folder in folders if (folder / FILE_NAME).is_file()), None)
        if folder is None:
            missing.append(name)
        else:
            found[name] = folder
    if missing:
        raise AssemblyError(
            f"not exported: {', '.join(missing)} (looked in {', '.join(str(path) for path in repositories)}). "
            f"Run: {export_command_for(*missing)}"
        )
    return found


def _flavour_file(folder: Path, flavour: Flavour) -> Path:
    path = folder / "config.pbtxt" if flavour == DEFAULT_FLAVOUR else folder / "configs" / f"{flavour}.pbtxt"
    if not path.is_file():
        hint = f". Run: {export_command_for(folder.name)}" if (folder / FILE_NAME).is_file() else ""
        raise AssemblyError(f"{folder.name} has no {flavour!r} flavour: {path} is missing{hint}")
    return path


def _sha256(folder: Path) -> str:
    try:
        return NetworkInfo.load(folder / FILE_NAME).sha256
    except (OSError, ValueError) as error:
        raise AssemblyError(f"{folder / FILE_NAME}: {error}") from None


def _refuse_foreign(directory: Path) -> None:
    if not directory.exists() and not directory.is_symlink():
        return
    if not directory.is_dir() or directory.is_symlink():
        raise AssemblyError(f"{directory} is in the way: not a directory")
    if any(directory.iterdir()) and not (directory / MARKER).is_file():
        raise AssemblyError(f"{directory} is not empty and was not made by `assemble`: choose another directory")


def _place(target: Path, source: _Source, *, copy: bool) -> None:
    target.mkdir()
    shutil.copyfile(source.config, target / "config.pbtxt")
    for name, path in source.extra:
        shutil.copyfile(path, target / name)
    for version in sorted(source.folder.iterdir()):
        if version.is_dir() and version.name.isdigit():
            if copy:
                shutil.copytree(version, target / version.name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (target / version.name).symlink_to(version.resolve())


def _describe(assembly: Assembly) -> dict[str, Any]:
    return {
        "version": __version__,
        "flavour": assembly.flavour,
        "pipelines": list(assembly.pipelines),
        "modules": list(assembly.modules),
        "networks": assembly.networks,
    }
