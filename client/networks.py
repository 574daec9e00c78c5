"""The networks a caller wants a pipeline to run on: one of PaddleX's presets, and single networks."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from paddlex_triton.client.exceptions import InvalidParameterError, UnsupportedError
from paddlex_triton.client.transports import Url
from paddlex_triton.client.urls import without_credentials
from paddlex_triton.network_choice import NO_CHOICE, Models, NetworkChoice
from paddlex_triton.pipelines import ChoiceError, PipelineSpec, find_preset, preset_switches


@dataclass(frozen=True)
class Networks:
    """The networks an embedded server is started with; equal choices share a server.

    Attributes:
        preset: a preset's short name, None for the pipeline's default one.
        models: single networks instead of the preset's.
    """

    preset: str | None = None
    models: NetworkChoice = NO_CHOICE

    def default_params(self, spec: PipelineSpec) -> dict[str, bool]:
        """Parameters that follow from a preset: steps that have a network are on, those that have none are off.

        Without one the server decides, which knows what it has.
        """
        if self.preset is None:
            return {}
        switches = preset_switches(spec, self.preset)
        for step, names in self.models.items():
            if switch := spec.steps[step].switch:
                switches[switch] = bool(names)
        return switches


class PresetWatch:
    """Warns, once, when other networks answer than those of the preset or the file that the caller named."""

    def __init__(self, spec: PipelineSpec, networks: Networks, origin: str | None = None) -> None:
        """Remember what is to answer.

        Args:
            spec: the pipeline.
            networks: what the caller chose; nothing is looked at without a preset.
            origin: what named all of them, if that was no preset.
        """
        replaced = {step: names[0] for step, names in networks.models.items() if names}
        preset = find_preset(spec, networks.preset) if networks.preset else {}
        self._wanted = {**preset, **replaced} if preset or origin else {}
        self._origin = origin or "the preset"

    def compare(self, settings: Mapping[str, Mapping[str, Any]], chosen: Collection[str] = ()) -> None:
        """Compare with what a result says about its stages. Steps that were off are no contradiction.

        Args:
            settings: stage -> what it said.
            chosen: steps whose networks the request itself chose.
        """
        answered = {
            step: str(network["name"])
            for stage in settings.values()
            for step, network in stage.get("networks", {}).items()
            if step not in chosen
        }
        others = [
            f"{step} is {name} instead of {self._wanted[step]}"
            for step, name in answered.items()
            if self._wanted.get(step, name) != name
        ]
        if others:
            self._wanted = {}
            warnings.warn(
                f"the server does not run on the networks of {self._origin}: {', '.join(others)}. They were chosen "
                "where it was started",
                UserWarning,
                stacklevel=2,
            )


def choose_networks(spec: PipelineSpec, preset: str | None, models: Models | None, url: Url | None) -> Networks:
    """Check what a caller chose.

    Args:
        spec: the pipeline.
        preset: one of its presets, also in PaddleX's long form, `seal_recognition-nopp`.
        models: step -> network or networks.
        url: the server, or the servers, if the caller named any.

    Raises:
        UnsupportedError: there is no such preset.
        InvalidParameterError: `preset` is no name, `models` names a step that the pipeline has not, or what cannot be
            a network's name, or comes with a `url`.
    """
    if preset is not None:
        if not isinstance(preset, str) or not preset:
            raise InvalidParameterError(f"preset is {preset!r}; known: {', '.join(spec.presets)}")
        try:
            find_preset(spec, preset)
        except ChoiceError as error:
            raise UnsupportedError(str(error)) from None
        preset = spec.short_preset(preset)
    return Networks(preset, _check_models(spec, models, url) if models is not None else NO_CHOICE)


def _check_models(spec: PipelineSpec, models: Models, url: Url | None) -> NetworkChoice:
    try:
        choice = NetworkChoice(models)
        choice.check_steps([spec])
    except ChoiceError as error:
        raise InvalidParameterError(f"models: {error}") from None
    if choice and url is not None:
        where = ", ".join(map(without_credentials, [url] if isinstance(url, str) else url))
        raise InvalidParameterError(
            f"models is for the embedded server; which networks answer at {where} was decided where it was started"
        )
    return choice
