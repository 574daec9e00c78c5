"""What pipeline files choose, against what is exported and served: missing commands, sources and values that differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from paddlex_triton.export.commands import export_command_for, export_command_for_file
from paddlex_triton.export.sources.base import LOCAL
from paddlex_triton.network import NetworkInfo
from paddlex_triton.pipeline_file import PipelineFile


def commands_for(missing: Sequence[str], files: Sequence[PipelineFile]) -> str:
    """The command lines that export missing networks: of each file that names some, and of the others."""
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
    """One sentence for each network that runs in a file's pipeline and is not made from what the file names.

    Own weights are known by the name of their folder, as that is all that is kept of where they lay.

    Args:
        file: the pipeline's file.
        networks: role -> networks that the pipeline runs on.
        described: what is known of networks; of others nothing is said.
    """
    for role, choice in file.networks.items():
        name = file.name_of(role)
        if name not in networks.get(role, ()) or name not in described:
            continue
        source = described[name].provenance.source
        wanted = f"{LOCAL}{choice.folder.resolve().name}" if choice.folder is not None else None
        if source != wanted and (wanted is not None or source.startswith(LOCAL)):
            named = wanted or "the official weights"
            yield f"{file.origin}: {role}: {name} is made from {source}, the file names {named}"


def values_for_callers(file: PipelineFile) -> Iterator[str]:
    """A sentence, if a file has other values for some parameters than the server has by default.

    Switches are left out: they are seen in the networks that are served.
    """
    fields, switches = file.spec.params.model_fields, file.spec.switches
    others = [name for name, value in file.params.items() if name not in switches and value != fields[name].default]
    if others:
        yield (
            f"{file.origin}: {', '.join(others)}: values come with calls, the server has its defaults; "
            f"create_pipeline({file.origin!r}, url=...) sends the file's"
        )
