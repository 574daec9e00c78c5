"""What is to be exported, whether it can be had, and what people are told about it. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from paddlex_triton.export.config_file import OwnWeights
from paddlex_triton.export.errors import Unreachable, UsageError
from paddlex_triton.export.lookup import find_network, has_own_source, networks_of, steps_without_network
from paddlex_triton.export.sources.cache import CachedNetwork
from paddlex_triton.export.sources.hubs import Hub, Hubs, by_hand, in_words
from paddlex_triton.network import Family, NetworkInfo
from paddlex_triton.own_weights import LOCAL
from paddlex_triton.pipelines import find_pipeline, find_preset
from paddlex_triton.zoo import ZooEntry, load_zoo

FAMILY_NAMES = ", ".join(get_args(Family))


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line.

    Attributes:
        names: networks of the zoo.
        pipeline: all networks of a pipeline.
        preset: which set of them.
        everything: all networks of the zoo that can be had.
        from_dir: a folder of own weights.
        family: of those.
        name: of those.
        config: one of PaddleX's pipeline files, for the networks it names.
    """

    names: Sequence[str] = ()
    pipeline: str | None = None
    preset: str | None = None
    everything: bool = False
    from_dir: Path | None = None
    family: str | None = None
    name: str | None = None
    config: Path | None = None

    def check(self) -> None:
        """Refuse what does not make sense together.

        Raises:
            UsageError: not exactly one of names, pipeline, all, folder and file, or an option that belongs to another.
        """
        given = (self.pipeline, self.from_dir, self.config)
        if bool(self.names) + self.everything + sum(each is not None for each in given) != 1:
            raise UsageError(
                "give network names, or --pipeline NAME, or --all, or --from-dir DIR, or --config FILE: one of the five"
            )
        if self.preset is not None and self.pipeline is None:
            raise UsageError("--preset belongs to --pipeline")
        if self.from_dir is None and (self.family is not None or self.name is not None):
            raise UsageError("--family and --name belong to --from-dir")
        if self.family is not None and self.family not in get_args(Family):
            raise UsageError(f"no family {self.family!r}; known: {FAMILY_NAMES}")


class Reach:
    """Which networks can be had now.

    Args:
        hubs: PaddleX's hubs.
        cache: folder of what was downloaded, the product's by default.
    """

    def __init__(self, hubs: Hubs, cache: Path | None = None) -> None:
        self.hubs, self._cache = hubs, cache

    def can_fetch(self, entry: ZooEntry) -> bool:
        """Whether a network comes along, lies in a package index, was fetched before, or a hub answers that has it."""
        return has_own_source(entry) or self.is_cached(entry) or bool(self._answering(entry))

    def is_cached(self, entry: ZooEntry) -> bool:
        """Whether PaddleX's package of it was fetched before."""
        return entry.official is not None and CachedNetwork(entry.name, self._cache).is_there()

    def first(self, entry: ZooEntry) -> str:
        """Where a network comes from, in words: the source that is tried first."""
        if has_own_source(entry):
            return entry.sources[0].label
        if self.is_cached(entry):
            return "what was fetched before"
        return f"{entry.sources[0].label} ({', '.join(hub.title for hub in self._answering(entry))})"

    def why_not(self, entries: Sequence[ZooEntry]) -> str:
        """Where networks that cannot be had were looked for: the hubs and why each is not asked."""
        return in_words({hub: why for entry in entries for hub, why in self._silent(entry).items()})

    def require(self, entries: Sequence[ZooEntry]) -> None:
        """Refuse networks that cannot be had, all of them in one message.

        Raises:
            Unreachable: there are some.
        """
        missing = [entry for entry in entries if not self.can_fetch(entry)]
        if missing:
            raise Unreachable(
                f"{' or '.join(entry.name for entry in missing)} cannot be fetched, as there is no answer from "
                f"{self.why_not(missing)}. {by_hand(missing)}"
            )

    def _answering(self, entry: ZooEntry) -> Sequence[Hub]:
        return self.hubs.answering(entry.official.hubs) if entry.official else ()

    def _silent(self, entry: ZooEntry) -> dict[str, str]:
        return self.hubs.silent(entry.official.hubs) if entry.official else {}


def wanted_networks(
    request: Request, exported: Container[str], reach: Reach, in_file: Sequence[str] = ()
) -> list[ZooEntry]:
    """The networks of the zoo that were asked for; none with a folder of own weights.

    Args:
        request: what was asked for.
        exported: names of networks that are exported.
        reach: which can be had.
        in_file: those that the request's pipeline file names.

    Raises:
        UsageError: no such network, pipeline or preset.
    """
    chosen: Sequence[str] = request.names or in_file
    if request.everything:
        networks = load_zoo().networks
        chosen = tuple(name for name, entry in networks.items() if not entry.on_request or name in exported)
    elif request.pipeline is not None:
        chosen = networks_of(request.pipeline, request.preset, exported, reach.can_fetch)
    return [find_network(each) for each in dict.fromkeys(chosen)]


def choices_made(request: Request, wanted: Sequence[ZooEntry], exported: Container[str], reach: Reach) -> list[str]:
    """What a pipeline was given for want of a preset's name: networks in others' places, steps that stay off."""
    if request.pipeline is None or request.preset is not None:
        return []
    spec, said = find_pipeline(request.pipeline), []
    own = [find_network(name) for name in find_preset(spec).values()]
    missing = [entry for entry in own if entry not in wanted]
    if missing:
        said.append(
            f"{spec.name}: {', '.join(entry.name for entry in missing)} cannot be fetched, as there is no answer from "
            f"{reach.why_not(missing)}; taking preset {spec.fallback_preset}. Weights that were brought by hand are "
            "exported with --from-dir"
        )
    for step, names in spec.when_exported.items():
        taken = next((name for name in names if find_network(name) in wanted), names[0])
        if taken != names[0]:
            said.append(f"{spec.name}: {step} by {taken}, as {names[0]} cannot be fetched")
    if steps := steps_without_network(request.pipeline, exported, reach.can_fetch):
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
class Instead:
    """How a pipeline goes on where one of its networks could not be had after all.

    Attributes:
        to_do: what is exported then.
        told: what people are told of it.
    """

    to_do: Sequence[ZooEntry]
    told: str


def go_on_without(
    request: Request, failed: ZooEntry, open_ones: Sequence[ZooEntry], exported: Container[str]
) -> Instead | None:
    """How to go on without a network.

    Its preset gives way to the fallback; an optional step takes its next best network, and stays off where there is
    none. A preset or a network that was named is taken at its word.

    Args:
        request: what was asked for.
        failed: the network.
        open_ones: what was still to be exported after it.
        exported: names of networks that are exported.

    Returns:
        None where nothing else will do.
    """
    if request.pipeline is None or request.preset is not None:
        return None
    spec = find_pipeline(request.pipeline)
    preset = find_preset(spec)
    if failed.name in preset.values():
        if spec.fallback_preset is None:
            return None
        others = [find_network(name) for name in dict.fromkeys(find_preset(spec, spec.fallback_preset).values())]
        optional = [entry for entry in open_ones if entry.name not in preset.values()]
        names = ", ".join(entry.name for entry in others)
        return Instead([*others, *(entry for entry in optional if entry not in others)], f"Taking {names} instead")
    for step, names in spec.when_exported.items():
        if failed.name not in names:
            continue
        behind = [find_network(name) for name in names[names.index(failed.name) + 1 :]]
        usable = [entry for entry in behind if entry.name in exported or _comes_unasked(entry)]
        if usable:
            return Instead([usable[0], *open_ones], f"Taking {usable[0].name} instead")
        return Instead(open_ones, f"{step} stays off")
    return None


def _comes_unasked(entry: ZooEntry) -> bool:
    return has_own_source(entry) and not entry.on_request


def reason_to_keep(
    entry: ZooEntry, present: NetworkInfo | None, request: Request, reach: Reach, *, force: bool
) -> str | None:
    """Why a network that is there is left alone, None if it is not."""
    if present is None or force:
        return None
    made = f"{entry.name}: there already, made from {present.provenance.source}"
    if present.provenance.source.startswith(LOCAL) and not request.names:
        return f"{made}; --force replaces it"
    return None if reach.can_fetch(entry) else f"{made}; it cannot be fetched anew now"


def plan_of(entry: ZooEntry, present: NetworkInfo | None, reach: Reach, repository: Path) -> str:
    """What an export would do with a network that nothing keeps it from."""
    if not reach.can_fetch(entry):
        return (
            f"cannot fetch {entry.name} ({entry.family}): no answer from {reach.why_not([entry])}. {by_hand([entry])}"
        )
    state = "there already" if present is not None else "new"
    size = f", {entry.size_mb:g} MB" if entry.size_mb is not None else ""
    return f"would export {entry.name} ({entry.family}{size}) from {reach.first(entry)} into {repository}: {state}"


def plan_of_folder(own: OwnWeights, present: NetworkInfo | None, repository: Path) -> str:
    """What an export would do with a folder of own weights."""
    if own.name is None:
        return f"would export the weights in {own.folder} into {repository}"
    state = "new"
    if present is not None:
        state = f"there already, made from {present.provenance.source}; --force replaces other weights than these"
    return f"would export {own.name} from the weights in {own.folder} into {repository}: {state}"
