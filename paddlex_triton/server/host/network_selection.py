"""Selecting the networks that pipelines run on: presets or pipeline files, and single networks put in their place."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paddlex_triton.network_choice import NO_CHOICE, NetworkChoice
from paddlex_triton.pipeline_file import PipelineFile, PipelineFileError, is_pipeline_file, read_pipeline_file
from paddlex_triton.pipelines import PIPELINES, ChoiceError, PipelineSpec, find_pipeline, find_preset
from paddlex_triton.server.host.errors import AssemblyError


@dataclass(frozen=True)
class Selection:
    """Pipelines and the networks in their places.

    Attributes:
        specs: the pipelines.
        networks: pipeline -> networks of its steps.
    """

    specs: tuple[PipelineSpec, ...]
    networks: Mapping[str, NetworkChoice]

    def of_module(self, module: str) -> dict[str, tuple[str, ...]]:
        """Return the networks a module calls: its parameter (without `_network`) -> networks, empty without any."""
        return {
            step.parameter: self.networks[spec.name].get(name, ())
            for spec in self.specs
            for name, step in spec.steps.items()
            if step.module == module
        }

    def switches(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return pipeline -> parameter that turns a step on -> its networks; without any it is off by default."""
        return {
            spec.name: {switch: self.networks[spec.name].get(step, ()) for switch, step in spec.switches.items()}
            for spec in self.specs
        }

    def without(self, pipelines: Container[str]) -> Selection:
        """Return the same less some pipelines."""
        specs = tuple(spec for spec in self.specs if spec.name not in pipelines)
        return Selection(specs, {spec.name: self.networks[spec.name] for spec in specs})

    def names(self) -> list[str]:
        """Return all networks, each once."""
        return list(dict.fromkeys(name for choice in self.networks.values() for name in choice.names()))


def select(
    pipelines: Sequence[str],
    presets: Mapping[str, str] | None = None,
    models: NetworkChoice = NO_CHOICE,
    default: Callable[[PipelineSpec], Mapping[str, str]] = find_preset,
    files: Sequence[PipelineFile] = (),
) -> Selection:
    """Choose the networks of pipelines.

    Args:
        pipelines: PaddleX's names; all known ones if there are no names and no files.
        presets: pipeline -> preset.
        models: for every chosen pipeline that has the steps, instead of its preset's or file's networks.
        default: step -> network of a pipeline for which no preset is given.
        files: pipelines that files of PaddleX's describe, beside the named ones. A file's networks are those of its
            own pipeline, and the steps that it has off have none.

    Raises:
        AssemblyError: an unknown pipeline, preset or step, a step without the network it needs, a pipeline that is
            chosen twice, or one that has a file and a preset.
    """
    by_file = _by_pipeline(files)
    try:
        named = dict.fromkeys(find_pipeline(name).name for name in pipelines)
        _refuse_twice(named, by_file)
        chosen = tuple(PIPELINES[name] for name in (*named, *by_file)) or tuple(PIPELINES.values())
        wanted = {find_pipeline(name).name: preset for name, preset in (presets or {}).items()}
        _refuse_presets(wanted, chosen, by_file)

        def first_choice(spec: PipelineSpec) -> Mapping[str, str]:
            if spec.name in by_file:
                return _models_in(by_file[spec.name])
            return find_preset(spec, wanted[spec.name]) if wanted.get(spec.name) else default(spec)

        first = {spec.name: first_choice(spec) for spec in chosen}
        models.check_steps(chosen)
        networks = {spec.name: NetworkChoice({**first[spec.name], **models.for_pipeline(spec)}) for spec in chosen}
    except ChoiceError as error:
        raise AssemblyError(str(error)) from None
    return Selection(chosen, networks)


def pipelines_of(given: Sequence[str]) -> tuple[list[str], list[PipelineFile]]:
    """Pipelines as they are written on a command line: names, and paths of pipeline files.

    Returns:
        The names, and what is in the files.

    Raises:
        AssemblyError: a file cannot be honoured.
    """
    try:
        files = [read_pipeline_file(Path(text)) for text in given if is_pipeline_file(text)]
    except PipelineFileError as error:
        raise AssemblyError(str(error)) from None
    return [text for text in given if not is_pipeline_file(text)], files


def _by_pipeline(files: Sequence[PipelineFile]) -> dict[str, PipelineFile]:
    found: dict[str, PipelineFile] = {}
    for file in files:
        if (other := found.setdefault(file.spec.name, file)) is not file:
            raise AssemblyError(f"{other.origin} and {file.origin} are both of pipeline {file.spec.name}: give one")
    return found


def _models_in(file: PipelineFile) -> dict[str, str]:
    try:
        return file.models()
    except PipelineFileError as error:
        raise AssemblyError(str(error)) from None


def _refuse_twice(named: Container[str], by_file: Mapping[str, PipelineFile]) -> None:
    for name, file in by_file.items():
        if name in named:
            raise AssemblyError(f"{name} is given by its name and by {file.origin}: give one")


def _refuse_presets(
    wanted: Mapping[str, str], chosen: Sequence[PipelineSpec], by_file: Mapping[str, PipelineFile]
) -> None:
    if strangers := wanted.keys() - {spec.name for spec in chosen}:
        raise AssemblyError(f"a preset is given for {', '.join(sorted(strangers))}, which is not among the pipelines")
    for name, preset in wanted.items():
        if name in by_file:
            raise AssemblyError(
                f"preset {preset} is given for {name}, whose networks {by_file[name].origin} names: give one; --model "
                "puts single networks in the place of the file's"
            )


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
            known = "; ".join(f"{spec.name}: {', '.join(spec.presets)}" for spec in specs)
            raise AssemblyError(f"no preset {text!r}; known: {known}")
        for name in having:
            if presets.setdefault(name, preset) != preset:
                raise AssemblyError(f"two presets for {name}: {presets[name]} and {preset}")
    return presets
