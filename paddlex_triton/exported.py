"""The networks that are exported, and the preset that they can serve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paddlex_triton.failed_exports import read_failures
from paddlex_triton.network import FILE_NAME, StandIn
from paddlex_triton.network_choice import NO_CHOICE, NetworkChoice
from paddlex_triton.pipelines import PipelineSpec, find_preset


@dataclass(frozen=True)
class PresetChoice:
    """The preset of a pipeline for which none was named.

    Attributes:
        name: the preset.
        networks: step -> network: those of the preset, and of optional steps beyond it whose network is exported.
        stand_ins: step -> the one of these networks that is in the place of another, which is not exported or of no
            use alone.
    """

    name: str
    networks: Mapping[str, str]
    stand_ins: Mapping[str, StandIn] = field(default_factory=dict)


def find_exported(name: str, repositories: Iterable[Path]) -> Path | None:
    """Return the folder of an exported network in the first repository that has it; None if none has."""
    folders = (repository / name for repository in repositories)
    return next((folder for folder in folders if (folder / FILE_NAME).is_file()), None)


def not_exported(names: Iterable[str], repositories: Sequence[Path]) -> tuple[str, ...]:
    """Return those of the names that no repository has, each once."""
    return tuple(name for name in dict.fromkeys(names) if find_exported(name, repositories) is None)


def choose_preset(spec: PipelineSpec, repositories: Sequence[Path], models: NetworkChoice = NO_CHOICE) -> PresetChoice:
    """Choose the default preset if its networks are exported, or there is nothing to fall back on, else the fallback.

    Args:
        spec: the pipeline.
        repositories: where exported networks are.
        models: networks that are put in the places of the preset's.
    """
    wanted, preset = NetworkChoice({**find_preset(spec), **models.for_pipeline(spec)}), spec.default_preset
    missing = not_exported(wanted.names(), repositories)
    if missing and spec.fallback_preset is not None:
        preset = spec.fallback_preset
    added = {step: _first_exported(names, repositories) for step, names in spec.when_exported.items()}
    # The fallback has a network for a step of which a better one may be exported.
    networks = find_preset(spec, preset) | {step: name for step, name in added.items() if name is not None}
    first_choice = {step: names[0] for step, names in spec.when_exported.items()} | find_preset(spec)
    reasons = _reasons(missing, repositories)
    stand_ins = {
        step: StandIn(name=name, instead_of=first_choice[step], reason=reasons(first_choice[step]))
        for step, name in networks.items()
        if step not in models and name != first_choice.get(step, name)
    }
    return PresetChoice(preset, networks, stand_ins)


def _reasons(missing: Sequence[str], repositories: Sequence[Path]) -> Callable[[str], str]:
    """Return what tells why a network is not used: it is not exported, or another one of its preset is not."""
    failures = {name: why for folder in reversed(repositories) for name, why in read_failures(folder).items()}

    def reason(name: str) -> str:
        if find_exported(name, repositories) is not None:
            are = "is" if len(missing) == 1 else "are"
            return f"it is used only together with {', '.join(missing)}, which {are} not exported"
        return f"its export failed: {failures[name]}" if name in failures else "not exported"

    return reason


def _first_exported(names: Iterable[str], repositories: Sequence[Path]) -> str | None:
    return next((name for name in names if find_exported(name, repositories)), None)
