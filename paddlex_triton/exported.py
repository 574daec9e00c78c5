"""Which networks are exported, and which preset they can serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paddlex_triton.network import FILE_NAME
from paddlex_triton.pipelines import PipelineSpec, find_preset


@dataclass(frozen=True)
class PresetChoice:
    """The preset of a pipeline for which none was named.

    Attributes:
        name: the preset.
        missing: the default preset's networks that are not exported, if it is the fallback that was chosen.
    """

    name: str
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
        models: role -> network, put in the places of the preset's; an empty name leaves the place empty.
    """
    replaced = {role: name for role, name in (models or {}).items() if role in spec.roles}
    wanted = {**find_preset(spec), **replaced}
    missing = not_exported(filter(None, wanted.values()), repositories)
    if missing and spec.fallback_preset is not None:
        return PresetChoice(spec.fallback_preset, missing)
    return PresetChoice(spec.default_preset)
