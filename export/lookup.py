"""Looks networks up in the zoo: one by its name, and those that a pipeline needs."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Container, Sequence

from paddlex_triton.export.errors import UsageError
from paddlex_triton.pipelines import ChoiceError, PipelineSpec, find_pipeline, find_preset
from paddlex_triton.zoo import OfficialEntry, ZooEntry, load_zoo


def find_network(name: str) -> ZooEntry:
    """Look a network up by its official name.

    Raises:
        UsageError: there is none; the message names the nearest ones.
    """
    networks = load_zoo().networks
    if name in networks:
        return networks[name]
    near = difflib.get_close_matches(name, networks, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else "`paddlex-triton models` lists what there is;"
    raise UsageError(f"no network {name!r} in the zoo; {hint} own weights are exported with --from-dir")


def has_own_source(entry: ZooEntry) -> bool:
    """Return whether a network comes along or lies in a package index: it can be had without asking PaddleX's hubs."""
    return any(not isinstance(source, OfficialEntry) for source in entry.sources)


# Whether a network can be had now.
CanFetch = Callable[[ZooEntry], bool]


def pipeline_networks(
    pipeline: str,
    preset: str | None = None,
    exported: Container[str] = (),
    can_fetch: CanFetch = has_own_source,
) -> tuple[str, ...]:
    """Return the names of the networks a pipeline runs on.

    Args:
        pipeline: PaddleX's name of the pipeline, e.g. `OCR`.
        preset: one of the pipeline's presets. None for its default, or for its fallback if the default one has networks
            that can neither be fetched nor are exported; and for those of the optional steps whose network can be had.
        exported: names of networks that are exported.
        can_fetch: tells whether another network can be had.

    Raises:
        UsageError: no such pipeline or preset.
    """
    spec = _find_pipeline(pipeline)
    if preset is not None:
        return tuple(dict.fromkeys(_preset(spec, preset).values()))
    networks = _preset(spec)
    if spec.fallback_preset is not None and not all(
        name in exported or can_fetch(find_network(name)) for name in networks.values()
    ):
        networks = _preset(spec, spec.fallback_preset)
    optional = {step: _best(names, exported, can_fetch) for step, names in spec.when_exported.items()}
    found = {step: name for step, name in optional.items() if name is not None}
    return tuple(dict.fromkeys({**networks, **found}.values()))


def steps_without_network(
    pipeline: str, exported: Container[str] = (), can_fetch: CanFetch = has_own_source
) -> dict[str, tuple[str, ...]]:
    """Return the optional steps that stay off where no preset is named, as none of their networks can be had.

    Args:
        pipeline: PaddleX's name of the pipeline.
        exported: names of networks that are exported.
        can_fetch: tells whether another network can be had.

    Returns:
        PaddleX's name of the step -> the networks that could take its place.

    Raises:
        UsageError: no such pipeline.
    """
    optional = _find_pipeline(pipeline).when_exported
    return {step: names for step, names in optional.items() if _best(names, exported, can_fetch) is None}


def _find_pipeline(name: str) -> PipelineSpec:
    try:
        return find_pipeline(name)
    except ChoiceError as error:
        raise UsageError(str(error)) from None


def _preset(spec: PipelineSpec, name: str | None = None) -> dict[str, str]:
    try:
        return find_preset(spec, name)
    except ChoiceError as error:
        raise UsageError(str(error)) from None


def _best(names: Sequence[str], exported: Container[str], can_fetch: CanFetch) -> str | None:
    """Return the first network that is exported, else the first that can be fetched without being asked for.

    PaddleX's own come before others: one that can be had takes the place of another that stood in for it.
    """
    entries = [find_network(name) for name in names]
    for among in ([entry for entry in entries if entry.official], [entry for entry in entries if not entry.official]):
        there = (entry.name for entry in among if entry.name in exported)
        fetched = (entry.name for entry in among if not entry.on_request and can_fetch(entry))
        if (found := next(there, None) or next(fetched, None)) is not None:
            return found
    return None
