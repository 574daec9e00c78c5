"""Brings a comparison together: environments, networks, pictures and contestants of each pipeline."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paddlex_triton.bench.compare.contestants import KEYPOINTS, OCR, PARAMS, PRESETS, SEALS, Contestant
from paddlex_triton.bench.compare.environments import REQUIREMENTS, EnvironmentFailed, ensure_environment
from paddlex_triton.bench.compare.measure import Comparison, Plan
from paddlex_triton.bench.compare.pages import SEALS as ALL_SEALS
from paddlex_triton.bench.compare.pages import Case, keypoint_cases, ocr_cases, own_cases, seal_cases
from paddlex_triton.bench.compare.results import PipelineNumbers
from paddlex_triton.bench.compare.session import DRIVERS, ContestantError, Session
from paddlex_triton.bench.compare.weights import Network, original_network, served_network
from paddlex_triton.export.errors import ExportError
from paddlex_triton.network_choice import NetworkChoice
from paddlex_triton.pipelines import find_pipeline, find_preset

# The reasons for which a contestant or a pipeline is left out.
SKIPPABLE = (EnvironmentFailed, ContestantError, ExportError, OSError, ValueError)


@dataclass(frozen=True)
class Inputs:
    """What is compared on.

    Attributes:
        networks: folders with exported networks.
        weights: folders with own weights that networks were exported from.
        models: step -> network, in the place of the preset's.
        images: pipeline -> folders and files of one's own.
        seals: drawn seals.
        own_alone: whether nothing but `images` is read.
    """

    networks: tuple[Path, ...] = ()
    weights: tuple[Path, ...] = ()
    models: NetworkChoice = field(default_factory=NetworkChoice)
    images: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    seals: int = ALL_SEALS
    own_alone: bool = False


class Runner:
    """Compares pipelines, one after the other."""

    def __init__(self, inputs: Inputs, plan: Plan, folder: Path, cores: int, say: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            inputs: what is compared on.
            plan: how much is measured.
            folder: for pictures, weights and logs.
            cores: that all may use.
            say: is told what happens.
        """
        self._inputs, self._plan, self._folder, self._cores, self._say = inputs, plan, folder, cores, say

    def compare(self, pipeline: str, contestants: Sequence[Contestant]) -> PipelineNumbers:
        """Compare a pipeline; a reason is all there is where nothing can be measured."""
        numbers = PipelineNumbers(pipeline, dict(PARAMS[pipeline]))
        folder = self._folder / pipeline
        folder.mkdir(parents=True, exist_ok=True)
        try:
            opener = _Opener(pipeline, self._inputs, folder)
            cases = self._cases(pipeline, folder)
        except SKIPPABLE as error:
            numbers.skipped[f"all of {pipeline}"] = str(error)
            return numbers
        comparison = Comparison(
            numbers,
            cases,
            self._plan,
            opener.open,
            opener.open_bare,
            self._cores,
            lambda text: self._say(f"{pipeline}: {text}"),
        )
        comparison.run(contestants, SKIPPABLE)
        return numbers

    def _cases(self, pipeline: str, folder: Path) -> list[Case]:
        own = self._inputs.images.get(pipeline, ())
        if self._inputs.own_alone:
            if not (cases := own_cases(own)):
                raise ValueError("there are no pictures: name some with --images, or leave --own-alone out")
            return cases
        if pipeline == OCR:
            return ocr_cases(folder, own)
        if pipeline == SEALS:
            return seal_cases(folder, own, self._inputs.seals)
        assert pipeline == KEYPOINTS
        return keypoint_cases(folder, own)


class _Opener:
    """Starts the contestants of a pipeline."""

    def __init__(self, pipeline: str, inputs: Inputs, folder: Path) -> None:
        self._pipeline, self._inputs, self._folder = pipeline, inputs, folder
        spec = find_pipeline(pipeline)
        chosen = {step: names[0] for step, names in inputs.models.for_pipeline(spec).items()}
        self._networks = {**find_preset(spec, PRESETS[pipeline]), **chosen}
        self._written: dict[str, Network] = {}
        # Exported before anybody's time is measured.
        for name in self._networks.values():
            served_network(name, inputs.networks)

    def open(self, contestant: Contestant, threads: int) -> tuple[Session, dict[str, Any]]:
        """Start a contestant's driver and have it load its networks."""
        python = Path(sys.executable)
        if contestant.requirements is not None:
            python = ensure_environment(REQUIREMENTS / contestant.requirements)
        names = {**self._networks, **contestant.networks}
        request = {
            "pipeline": self._pipeline,
            "params": {**PARAMS[self._pipeline], **contestant.params},
            "threads": threads,
            **contestant.options,
        }
        if contestant.is_own:
            folders = [str(folder.resolve()) for folder in self._inputs.networks]
            request |= {"preset": PRESETS[self._pipeline], "models": names, "networks": folders}
        else:
            request["networks"] = self._originals(names)
        session = Session(python, DRIVERS / contestant.driver, self._log(contestant.name))
        try:
            answer = session.ask("open", **request)
        except BaseException:
            session.close()
            raise
        return session, {**answer, "networks": names}

    def open_bare(self, contestant: Contestant, recorded: dict[str, Any]) -> Session:
        """Start the networks of a contestant of this package alone."""
        session = Session(Path(sys.executable), DRIVERS / "bare_networks.py", self._log(f"{contestant.name}-bare"))
        try:
            session.ask("open", **recorded)
        except BaseException:
            session.close()
            raise
        return session

    def _originals(self, names: dict[str, str]) -> dict[str, dict[str, str]]:
        for step, name in names.items():
            if name not in self._written:
                info = served_network(name, self._inputs.networks)
                self._written[name] = original_network(step, info, self._inputs.weights, self._folder / "weights")
        found = {step: self._written[name] for step, name in names.items()}
        return {step: {"name": some.name, "folder": str(some.folder.resolve())} for step, some in found.items()}

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"
