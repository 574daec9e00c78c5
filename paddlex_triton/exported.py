"""Which networks are exported, and which preset they can serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paddlex_triton.network import FILE_NAME, split_names
from paddlex_triton.pipelines import PipelineSpec, find_preset


@dataclass(frozen=True)
class PresetChoice:
    """The preset of a pipeline for which none was named.

    Attributes:
        name: the preset.
        networks: role -> network: those of the preset, and of optional steps beyond it whose network is exported.
        missing: the default preset's networks that are not exported, if it is the fallback that was chosen.
    """

    name: str
    networks: Mapping[str, str]
    missing: tuple[str, ...] = ()


def find_exported(name: str, repositories: Iterable[Path]) -> Path | None:
    """The folder of an exported network in the first repository that has it; None if none has."""
    folders = (repository / name for repository in repositories)
    return next((folder for folder in folders if (folder / FILE_NAME).is_file()), None)


def not_exported(names: Iterable[str], repositories: Sequence[Path]) -> tuple[str, ...]:
    """Those of the names that no repository has, each once."""
    return tuple(name for name in dict.fromkeys(names) if find_exported(name, repositories) is None)


def choose_preset(
    spec: PipelineSpec, repositories: Sequence[Path], models: Mapping[str, str] | None = None
) -> PresetChoice:
    """The default preset if its networks are exported, or if there is nothing to fall back on; else the fallback.

    Args:
        spec: the pipeline.
        repositories: where exported networks are.
        models: role -> network or several, see `split_names`, put in the places of the preset's; an empty name leaves
            the place empty.
    """
    replaced = {role: names for role, names in (models or {}).items() if role in spec.roles}
    wanted = {**find_preset(spec), **replaced}
    missing = not_exported((name for names in wanted.values() for name in split_names(names)), repositories)
    added = {role: _first_exported(names, repositories) for role, names in spec.when_exported.items()}
    found = {role: name for role, name in added.items() if name is not None}
    if missing and spec.fallback_preset is not None:
        return PresetChoice(spec.fallback_preset, {**found, **find_preset(spec, spec.fallback_preset)}, missing)
    return PresetChoice(spec.default_preset, {**found, **find_preset(spec)})


def _first_exported(names: Iterable[str], repositories: Sequence[Path]) -> str | None:
    return next((name for name in names if find_exported(name, repositories)), None)
