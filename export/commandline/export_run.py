"""One run of the command `export`: its networks, exported one after the other, and the lines it prints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from paddlex_triton.export.commandline.availability import Availability
from paddlex_triton.export.commandline.choices import (
    dry_run_line,
    dry_run_line_of_folder,
    fallback_for,
    reason_to_keep,
    requested_networks,
    substitution_notes,
)
from paddlex_triton.export.commandline.file_networks import FileNetworks, OwnWeights, networks_of_file
from paddlex_triton.export.commandline.request import ExportRequest
from paddlex_triton.export.errors import UNUSABLE, ExportError, SourceError, Unreachable
from paddlex_triton.export.sources.hubs import Hubs
from paddlex_triton.network import FILE_NAME, NetworkInfo
from paddlex_triton.zoo import ZooEntry

if TYPE_CHECKING:
    from paddlex_triton.export.api import Options, Outcome


class ExportRun:
    """One run of the command: what was asked for, against what is there and what can be had. Prints what it chose.

    Args:
        request: what was asked for.
        repository: where networks go to.
        force: whether what is there is exported again.

    Raises:
        ExportError: there is no such network, pipeline, preset, file or folder.
    """

    def __init__(self, request: ExportRequest, repository: Path, force: bool) -> None:
        self.request, self.repository, self.force = request, repository, force
        self.console, self.availability = Console(), Availability(Hubs())
        self.exported = exported_in(repository)
        in_file = networks_of_file(request.config) if request.config is not None else FileNetworks((), (), ())
        self.own = (*in_file.own, *_own_of(request))
        self.wanted = requested_networks(request, self.exported, self.availability, in_file.names)
        self.kept = {
            entry.name: reason_to_keep(entry, self.exported.get(entry.name), request, self.availability, force=force)
            for entry in self.wanted
        }
        self.to_do = [entry for entry in self.wanted if self.kept[entry.name] is None]
        self.done: list[str] = []
        """networks that were asked for and are there, exported now or left alone"""
        for line in (*in_file.remarks, *substitution_notes(request, self.wanted, self.exported, self.availability)):
            self._print(line)

    def print_dry_run(self) -> None:
        """Print what would be done."""
        for own in self.own:
            present = self.exported.get(own.name) if own.name is not None else None
            self._print(dry_run_line_of_folder(own, present, self.repository))
        for entry in self.wanted:
            present = self.exported.get(entry.name)
            self._print(self.kept[entry.name] or dry_run_line(entry, present, self.availability, self.repository))

    def require_available(self) -> None:
        """Refuse networks that cannot be had, before anything is done.

        Raises:
            Unreachable: there are some, and not all of the zoo was asked for.
        """
        if not self.request.everything:
            self.availability.require(self.to_do)

    def run(self, options: Options) -> None:
        """Export the networks.

        Raises:
            ExportError: a network could not be exported.
        """
        for own in self.own:
            self.done.append(_export_own(self.console, own, options))
        for name, line in self.kept.items():
            if line is not None:
                self._print(line)
                self.done.append(name)
        if self.request.everything:
            self._run_all(options)
            return
        to_do = list(self.to_do)
        while to_do:
            entry, *to_do = to_do
            try:
                self.done.append(_export_entry(self.console, entry, options))
            except (SourceError, *UNUSABLE) as error:
                fallback = fallback_for(self.request, entry, to_do, self.exported)
                if fallback is None:
                    raise
                why = str(error) if isinstance(error, Unreachable) else f"{entry.name}: {error}"
                self._print(f"{why.rstrip('.')}. {fallback.message}")
                to_do = [other for other in fallback.to_do if not self._keep(other)]

    def _keep(self, entry: ZooEntry) -> bool:
        """Return whether a network that another one gives way to is left alone as it is there; say so."""
        if entry in self.to_do:
            return False
        line = reason_to_keep(entry, self.exported.get(entry.name), self.request, self.availability, force=self.force)
        if line is not None:
            self._print(line)
            self.done.append(entry.name)
        return line is not None

    def _run_all(self, options: Options) -> None:
        """Export what can be had, one network after the other.

        Raises:
            ExportError: some could not be exported; the message says which.
        """
        there = [entry for entry in self.to_do if self.availability.can_fetch(entry)]
        failed: list[str] = []
        for entry in there:
            try:
                self.done.append(_export_entry(self.console, entry, options))
            except ExportError as error:
                failed.append(entry.name)
                print_error(f"{entry.name}: {error}")
        missing = len(self.to_do) - len(there) + len(failed)
        summary = f"{len(self.wanted) - missing} of {len(self.wanted)} networks are exported"
        if failed:
            summary += f"; failed: {', '.join(failed)}"
        try:
            self.availability.require(self.to_do)
        except Unreachable as error:
            raise ExportError(f"{summary}; {error}") from error
        if failed:
            raise ExportError(summary)
        self._print(summary)

    def _print(self, text: str) -> None:
        self.console.print(escape(text), soft_wrap=True)


def _export_entry(console: Console, entry: ZooEntry, options: Options) -> str:
    from paddlex_triton.export.api import run_export_network

    with console.status(entry.name) as status:
        outcome = run_export_network(
            entry.name, replace(options, progress=lambda message: status.update(escape(message)))
        )
    _print_outcome(console, outcome)
    return outcome.report.name


def _export_own(console: Console, own: OwnWeights, options: Options) -> str:
    from paddlex_triton.export.api import run_export_directory

    with console.status(escape(str(own.folder))) as status:
        telling = replace(options, progress=lambda message: status.update(escape(message)))
        outcome = run_export_directory(own.folder, telling, name=own.name, family=own.family)
    _print_outcome(console, outcome)
    return outcome.report.name


def _print_outcome(console: Console, outcome: Outcome) -> None:
    report = outcome.report
    if not outcome.installed:
        console.print(escape(f"{report.name}: there already and up to date, {outcome.path}"), soft_wrap=True)
        return
    proof = report.verification
    text = (
        f"{report.name}: exported to {outcome.path} in {report.seconds:.1f} s; {len(proof.cases)} inputs verified, "
        f"largest difference from the source {proof.max_edit_difference:.1e}, once optimised "
        f"{proof.max_runtime_difference:.1e}, between batches "
        f"{proof.max_row_difference:.1e}"
    )
    console.print(escape(text), soft_wrap=True)


def _own_of(request: ExportRequest) -> tuple[OwnWeights, ...]:
    if request.from_dir is None:
        return ()
    # A family was checked against the known ones before.
    return (OwnWeights(request.from_dir, request.name, request.family),)  # pyright: ignore[reportArgumentType]


def exported_in(repository: Path) -> dict[str, NetworkInfo]:
    """Return the exported networks of a repository: name -> what is known of it."""
    found: dict[str, NetworkInfo] = {}
    for path in sorted(repository.glob(f"*/{FILE_NAME}")):
        try:
            found[path.parent.name] = NetworkInfo.load(path)
        except (OSError, ValueError):
            # Not written by this version of the exporter: shown as not exported.
            continue
    return found


def print_error(text: str) -> None:
    """Print what went wrong, in one line."""
    Console(stderr=True).print(f"[red]error:[/red] {escape(text)}", soft_wrap=True, highlight=False)
