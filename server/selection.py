"""Which networks the chosen pipelines run on: presets, and single networks put in their place."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paddlex_triton.pipelines import PIPELINES, PipelineSpec, find_pipeline, find_preset
from paddlex_triton.server.errors import AssemblyError


@dataclass(frozen=True)
class Selection:
    """Pipelines and the networks in their places.

    Attributes:
        specs: the pipelines.
        networks: pipeline -> role -> network.
    """

    specs: tuple[PipelineSpec, ...]
    networks: Mapping[str, Mapping[str, str]]

    def of_module(self, module: str) -> dict[str, str]:
        """The networks a module calls: its parameter (without `_network`) -> network; empty where there is none."""
        found: dict[str, str] = {}
        for spec in self.specs:
            for name, role in spec.roles.items():
                if role.module == module:
                    found[role.parameter] = self.networks[spec.name].get(name, "")
        return found

    def without(self, pipelines: Container[str]) -> Selection:
        """The same less some pipelines."""
        specs = tuple(spec for spec in self.specs if spec.name not in pipelines)
        return Selection(specs, {spec.name: self.networks[spec.name] for spec in specs})

    def names(self) -> list[str]:
        """All networks, each once."""
        return list(dict.fromkeys(name for roles in self.networks.values() for name in roles.values()))


def select(
    pipelines: Sequence[str],
    presets: Mapping[str, str] | None = None,
    models: Mapping[str, str] | None = None,
    default: Callable[[PipelineSpec], str] = lambda spec: spec.default_preset,
) -> Selection:
    """Choose the networks of pipelines.

    Args:
        pipelines: PaddleX's names; all known ones if empty.
        presets: pipeline -> preset.
        models: role -> network, for every chosen pipeline that has the role; an empty name leaves an optional step
            without a network, and so off.
        default: the preset of a pipeline for which none is given.

    Raises:
        AssemblyError: an unknown pipeline, preset or role, or a step without the network it needs.
    """
    try:
        chosen = tuple(PIPELINES[name] for name in dict.fromkeys(find_pipeline(name).name for name in pipelines))
        chosen = chosen or tuple(PIPELINES.values())
        wanted = {find_pipeline(name).name: preset for name, preset in (presets or {}).items()}
        if strangers := wanted.keys() - {spec.name for spec in chosen}:
            raise AssemblyError(
                f"a preset is given for {', '.join(sorted(strangers))}, which is not among the pipelines"
            )
        networks = {spec.name: find_preset(spec, wanted.get(spec.name) or default(spec)) for spec in chosen}
    except KeyError as error:
        raise AssemblyError(str(error.args[0])) from None
    for role, name in (models or {}).items():
        _put(chosen, networks, role, name)
    return Selection(chosen, networks)


def presets_of(pipelines: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """Presets as they are written on a command line: `PRESET`, or `PIPELINE=PRESET`.

    Args:
        pipelines: the chosen pipelines, all known ones if empty.
        given: what was written. One without a pipeline's name is for every chosen pipeline that has it.

    Raises:
        AssemblyError: no chosen pipeline has the preset, or one is given two.
    """
    specs = select(pipelines).specs
    presets: dict[str, str] = {}
    for text in given:
        pipeline, named, preset = text.rpartition("=")
        having = [pipeline] if named else [spec.name for spec in specs if spec.short_preset(preset) in spec.presets]
        if not having or not preset:
            known = "; ".join(f"{spec.name}: {', '.join(spec.served_presets)}" for spec in specs)
            raise AssemblyError(f"no preset {text!r}; known: {known}")
        for name in having:
            if presets.setdefault(name, preset) != preset:
                raise AssemblyError(f"two presets for {name}: {presets[name]} and {preset}")
    return presets


def models_of(given: Sequence[str]) -> dict[str, str]:
    """Networks as they are written on a command line: `ROLE=NETWORK`, or `ROLE=` for none.

    Raises:
        AssemblyError: one is not of this form.
    """
    pairs = [text.partition("=") for text in given]
    if wrong := [text for text, (role, equals, _) in zip(given, pairs, strict=True) if not (role and equals)]:
        raise AssemblyError(f"{wrong[0]!r} is not of the form ROLE=NETWORK, such as layout_detection=PP-DocLayout-S")
    return {role: name for role, _, name in pairs}


def _put(specs: Sequence[PipelineSpec], networks: dict[str, dict[str, str]], role: str, name: str) -> None:
    """Put a network in its place in every pipeline that has the place."""
    if name and Path(name).name != name:
        raise AssemblyError(f"{name!r} is no name of a network")
    having = [spec for spec in specs if role in spec.roles]
    if not having:
        known = dict.fromkeys(name for spec in specs for name in spec.roles)
        raise AssemblyError(f"no step {role!r} takes a network; known: {', '.join(known)}")
    for spec in having:
        if name:
            networks[spec.name][role] = name
        elif spec.roles[role].switch is None:
            raise AssemblyError(f"pipeline {spec.name} cannot do without a network for {role}")
        else:
            networks[spec.name].pop(role, None)
