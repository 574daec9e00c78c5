"""What pipeline files choose, against what is exported: the commands that are missing, and sources that differ."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from paddlex_triton.export.commands import export_command_for
from paddlex_triton.network import NetworkInfo
from paddlex_triton.pipeline_file import PipelineFile
from paddlex_triton.server.selection import Selection

# What the source of people's own weights begins with in network.json; the name of their folder follows.
_LOCAL = "dir:"


def commands_for(missing: Sequence[str], files: Sequence[PipelineFile]) -> str:
    """The command lines that export missing networks: of each file that names some, and of the others."""
    commands: list[str] = []
    left = list(missing)
    for file in files:
        named = set(file.models().values())
        if named & set(left):
            commands.append(f"paddlex-triton export --config {shlex.quote(file.origin)}")
            left = [name for name in left if name not in named]
    if left:
        commands.append(export_command_for(*left))
    return " && ".join(commands)


def differing_sources(
    selection: Selection, files: Sequence[PipelineFile], described: Mapping[str, NetworkInfo]
) -> Iterator[str]:
    """One sentence for each network that runs in a file's pipeline and is not made from what the file names.

    Own weights are known by the name of their folder, as that is all that is kept of where they lay.
    """
    for file in files:
        command = f"paddlex-triton export --config {shlex.quote(file.origin)} --force"
        for role, choice in file.networks.items():
            name = file.models()[role]
            if name not in selection.networks[file.spec.name].get(role, ()):
                continue
            source = described[name].provenance.source
            wanted = f"{_LOCAL}{choice.folder.resolve().name}" if choice.folder is not None else None
            if source != wanted and (wanted is not None or source.startswith(_LOCAL)):
                named = wanted or "the official weights"
                yield f"{file.origin}: {role}: {name} is made from {source}, the file names {named}: {command}"
