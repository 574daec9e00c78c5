"""Which networks someone chose for the steps of pipelines: one type for callers, command lines and assembly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from paddlex_triton.network import NETWORK_NAME, split_names
from paddlex_triton.pipelines import ChoiceError, PipelineSpec

# As callers write a choice: step -> network, or several, "A,B" or a sequence, the default one first; none if empty.
Models: TypeAlias = Mapping[str, str | Sequence[str]]


class NetworkChoice(Mapping[str, tuple[str, ...]]):
    """An immutable mapping: step -> names of networks, the default one first; without any an optional step is off.

    Choices that mean the same are equal and have one hash, however they were written.
    """

    def __init__(self, given: Models = MappingProxyType({})) -> None:
        """Read a choice.

        Args:
            given: as callers write it. A name counts once.

        Raises:
            ChoiceError: it does not map steps to names, or a name is one that no network can have.
        """
        if not isinstance(given, Mapping) or not all(map(_is_choice, given.items())):
            raise ChoiceError(f"{given!r} must map steps to names of networks")
        self._names = {step: _read_names(step, names) for step, names in given.items()}

    @classmethod
    def parse(cls, rows: Sequence[str]) -> NetworkChoice:
        """Read a choice from a command line.

        Args:
            rows: `STEP=NETWORK`, `STEP=A,B`, `STEP=` for none, or several of these in a row, separated by commas or
                spaces, in which a name without a step belongs to the step before.

        Raises:
            ChoiceError: one is not of this form, or a name is one that no network can have.
        """
        given: dict[str, str] = {}
        for row in rows:
            step = ""
            for part in re.split(r"[,\s]+", row.strip(", \n")):
                before, equals, name = part.partition("=")
                step = before if equals else step
                if not step or (equals and not before):
                    raise ChoiceError(
                        f"{row!r} is not of the form STEP=NETWORK, such as layout_detection=PP-DocLayout-S"
                    )
                given[step] = name if equals else f"{given[step]},{part}"
        return cls(given)

    def __getitem__(self, step: str) -> tuple[str, ...]:
        return self._names[step]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __hash__(self) -> int:
        return hash(frozenset(self._names.items()))

    def __str__(self) -> str:
        """As on a command line."""
        return ", ".join(f"{step}={','.join(names)}" for step, names in self._names.items())

    def __repr__(self) -> str:
        return f"NetworkChoice({self._names!r})"

    def names(self) -> tuple[str, ...]:
        """Return the networks of all steps, each once."""
        return tuple(dict.fromkeys(name for names in self._names.values() for name in names))

    def for_pipeline(self, spec: PipelineSpec) -> NetworkChoice:
        """Return the part of it that a pipeline has the steps for."""
        return NetworkChoice({step: names for step, names in self._names.items() if step in spec.steps})

    def check_steps(self, specs: Sequence[PipelineSpec]) -> None:
        """Refuse a choice that pipelines cannot follow.

        Args:
            specs: the pipelines it is for. Each follows the part it has the steps for.

        Raises:
            ChoiceError: none of them has a step, or one is left without a network that it needs.
        """
        known = dict.fromkeys(step for spec in specs for step in spec.steps)
        for step, names in self._names.items():
            if step not in known:
                raise ChoiceError(f"no step {step!r} takes a network; known: {', '.join(known)}")
            for spec in specs:
                if not names and step in spec.steps and spec.steps[step].switch is None:
                    raise ChoiceError(f"pipeline {spec.name} cannot do without a network for {step}")


def _is_choice(pair: tuple[Any, Any]) -> bool:
    step, given = pair
    several = isinstance(given, Sequence) and all(isinstance(name, str) for name in given)
    return isinstance(step, str) and (isinstance(given, str) or several)


def _read_names(step: str, given: str | Sequence[str]) -> tuple[str, ...]:
    names = split_names(given) if isinstance(given, str) else tuple(dict.fromkeys(given))
    for name in names:
        if not re.fullmatch(NETWORK_NAME, name):
            raise ChoiceError(
                f"{name!r} is no name of a network ({step}); one begins with a letter or a digit, goes on with those, "
                "'.', '_' and '-', and is at most 128 characters long"
            )
    return names


NO_CHOICE = NetworkChoice()
