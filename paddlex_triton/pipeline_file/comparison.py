"""Comparing pipeline files with what is exported and served: what is missing, and sources and values that differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from paddlex_triton.export_hints import export_command_for, export_command_for_file
from paddlex_triton.network import NetworkInfo, Provenance
from paddlex_triton.own_weights import LOCAL, WeightsError, weights_sha256
from paddlex_triton.pipeline_file.model import PipelineFile


def commands_for(missing: Sequence[str], files: Sequence[PipelineFile]) -> str:
    """Return the command lines that export missing networks: of each file that names some, and of the others."""
    commands: list[str] = []
    left = list(missing)
    for file in files:
        named = set(file.models().values())
        if named & set(left):
            commands.append(export_command_for_file(file.origin))
            left = [name for name in left if name not in named]
    if left:
        commands.append(export_command_for(*left))
    return " && ".join(commands)


def differing_sources(
    file: PipelineFile, networks: Mapping[str, Sequence[str]], described: Mapping[str, NetworkInfo]
) -> Iterator[str]:
    """Yield a sentence for each network that runs in a file's pipeline and is not made from what the file names.

    Own weights are known by their files, or, where their folder is not at hand, by its name.

    Args:
        file: the pipeline's file.
        networks: step -> networks that the pipeline runs on.
        described: what is known of networks; of others nothing is said.
    """
    for step, choice in file.networks.items():
        name = file.name_of(step)
        if name in networks.get(step, ()) and name in described:
            difference = _difference(choice.folder, described[name].provenance)
            if difference is not None:
                yield f"{file.origin}: {step}: {name} is made from {difference}"


def _difference(folder: Path | None, made_from: Provenance) -> str | None:
    """Return what a network is made from, if it is not what a folder holds now, or, without one, official weights."""
    source = made_from.source
    if folder is None:
        return f"{source}, the file names the official weights" if source.startswith(LOCAL) else None
    wanted = f"{LOCAL}{folder.resolve().name}"
    if source != wanted:
        return f"{source}, the file names {wanted}"
    try:
        same = weights_sha256(folder) == made_from.source_sha256
    except (WeightsError, OSError):
        return None
    return None if same else f"other weights than those that are in {folder} now"


def values_for_callers(file: PipelineFile) -> Iterator[str]:
    """Yield a sentence, if a file has other values for some parameters than the server has by default.

    Switches are left out: they are seen in the networks that are served.
    """
    fields, switches = file.spec.params.model_fields, file.spec.switches
    others = [name for name, value in file.params.items() if name not in switches and value != fields[name].default]
    if others:
        yield (
            f"{file.origin}: {', '.join(others)}: values come with calls, the server has its defaults; "
            f"create_pipeline({file.origin!r}, url=...) sends the file's"
        )
