"""Which networks a request means, given what is exported and what can be had. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from paddlex_triton.export.commandline.availability import Availability
from paddlex_triton.export.commandline.file_networks import OwnWeights
from paddlex_triton.export.commandline.request import ExportRequest
from paddlex_triton.export.lookup import find_network, has_own_source, pipeline_networks, steps_without_network
from paddlex_triton.export.sources.hubs import manual_download_advice
from paddlex_triton.network import NetworkInfo
from paddlex_triton.own_weights import LOCAL
from paddlex_triton.pipelines import find_pipeline, find_preset
from paddlex_triton.zoo import ZooEntry, load_zoo


def requested_networks(
    request: ExportRequest, exported: Container[str], availability: Availability, in_file: Sequence[str] = ()
) -> list[ZooEntry]:
    """Return the networks of the zoo that were asked for; none with a folder of own weights.

    Args:
        request: what was asked for.
        exported: names of networks that are exported.
        availability: tells which can be had.
        in_file: those that the request's pipeline file names.

    Raises:
        UsageError: no such network, pipeline or preset.
    """
    chosen: Sequence[str] = request.names or in_file
    if request.everything:
        networks = load_zoo().networks
        chosen = tuple(name for name, entry in networks.items() if not entry.on_request or name in exported)
    elif request.pipeline is not None:
        chosen = pipeline_networks(request.pipeline, request.preset, exported, availability.can_fetch)
    return [find_network(each) for each in dict.fromkeys(chosen)]


def substitution_notes(
    request: ExportRequest, wanted: Sequence[ZooEntry], exported: Container[str], availability: Availability
) -> list[str]:
    """Return what to tell where no preset was named: networks in others' places, and steps that stay off."""
    if request.pipeline is None or request.preset is not None:
        return []
    spec, said = find_pipeline(request.pipeline), []
    own = [find_network(name) for name in find_preset(spec).values()]
    missing = [entry for entry in own if entry not in wanted]
    if missing:
        said.append(
            f"{spec.name}: {', '.join(entry.name for entry in missing)} cannot be fetched, as there is no answer from "
            f"{availability.unreachable(missing)}; taking preset {spec.fallback_preset}. Weights that were brought by "
            "hand are exported with --from-dir"
        )
    for step, names in spec.when_exported.items():
        taken = next((name for name in names if find_network(name) in wanted), names[0])
        if taken != names[0]:
            said.append(f"{spec.name}: {step} by {taken}, as {names[0]} cannot be fetched")
    if steps := steps_without_network(request.pipeline, exported, availability.can_fetch):
        known = [find_network(name) for names in steps.values() for name in names]
        networks = ", ".join(
            " or ".join(name for name in names if not find_network(name).on_request) for names in steps.values()
        )
        on_request = " and ".join(entry.name for entry in known if entry.on_request)
        said.append(
            f"{spec.name}: {', '.join(steps)} {'stays' if len(steps) == 1 else 'stay'} off, as {networks} cannot be "
            "fetched. Weights that were brought by hand are exported with --from-dir"
            + (f", and {on_request} by its name" if on_request else "")
        )
    return said


@dataclass(frozen=True)
class Fallback:
    """The networks to export where one of a pipeline could not be had after all.

    Attributes:
        to_do: what is exported then.
        message: for people.
    """

    to_do: Sequence[ZooEntry]
    message: str


def fallback_for(
    request: ExportRequest, failed: ZooEntry, remaining: Sequence[ZooEntry], exported: Container[str]
) -> Fallback | None:
    """Return how to go on without a network.

    Its preset gives way to the fallback; an optional step takes its next best network, and stays off where there is
    none. A preset or a network that was named is taken at its word.

    Args:
        request: what was asked for.
        failed: the network.
        remaining: what was still to be exported after it.
        exported: names of networks that are exported.

    Returns:
        None where nothing else will do.
    """
    if request.pipeline is None or request.preset is not None:
        return None
    spec = find_pipeline(request.pipeline)
    for step, names in spec.when_exported.items():
        if failed.name not in names:
            continue
        behind = [find_network(name) for name in names[names.index(failed.name) + 1 :]]
        usable = [entry for entry in behind if entry.name in exported or _comes_unasked(entry)]
        if usable:
            return Fallback([usable[0], *remaining], f"Taking {usable[0].name} instead")
        return Fallback(remaining, f"{step} stays off")
    preset = find_preset(spec)
    if failed.name not in preset.values() or spec.fallback_preset is None:
        return None
    others = [find_network(name) for name in dict.fromkeys(find_preset(spec, spec.fallback_preset).values())]
    optional = [entry for entry in remaining if entry.name not in preset.values()]
    names = ", ".join(entry.name for entry in others)
    return Fallback([*others, *(entry for entry in optional if entry not in others)], f"Taking {names} instead")


def _comes_unasked(entry: ZooEntry) -> bool:
    return has_own_source(entry) and not entry.on_request


def reason_to_keep(
    entry: ZooEntry, present: NetworkInfo | None, request: ExportRequest, availability: Availability, *, force: bool
) -> str | None:
    """Return why a network that is there is left alone, None if it is not."""
    if present is None or force:
        return None
    made = f"{entry.name}: there already, made from {present.provenance.source}"
    if present.provenance.source.startswith(LOCAL) and not request.names:
        return f"{made}; --force replaces it"
    return None if availability.can_fetch(entry) else f"{made}; it cannot be fetched anew now"


def dry_run_line(entry: ZooEntry, present: NetworkInfo | None, availability: Availability, repository: Path) -> str:
    """Return what `--dry-run` says of a network that is not left alone."""
    if not availability.can_fetch(entry):
        silent, advice = availability.unreachable([entry]), manual_download_advice([entry])
        return f"cannot fetch {entry.name} ({entry.family}): no answer from {silent}. {advice}"
    state = "there already" if present is not None else "new"
    size = f", {entry.size_mb:g} MB" if entry.size_mb is not None else ""
    source = availability.first_source(entry)
    return f"would export {entry.name} ({entry.family}{size}) from {source} into {repository}: {state}"


def dry_run_line_of_folder(own: OwnWeights, present: NetworkInfo | None, repository: Path) -> str:
    """Return what `--dry-run` says of a folder of own weights."""
    if own.name is None:
        return f"would export the weights in {own.folder} into {repository}"
    state = "new"
    if present is not None:
        state = f"there already, made from {present.provenance.source}; --force replaces other weights than these"
    return f"would export {own.name} from the weights in {own.folder} into {repository}: {state}"
