"""From config.pbtxt to OpenVINO's properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paddlex_triton.server.backends.common.errors import LoadError
from paddlex_triton.server.backends.common.parameters import TURNS_KEY, parameters_of, parse_int

THREADS_KEY, KEPT_SHAPES_KEY, PRECISION_KEY = "thread_count", "kept_shapes", "precision"
# As OpenVINO names them. What the CPU lacks is computed in f32.
PRECISIONS = ("f32", "bf16")


@dataclass(frozen=True)
class Options:
    """A model as its configuration wants it.

    Attributes:
        threads: of a run; 0 for as many as there are cores.
        kept_shapes: inputs that come again and again and get the model compiled for their very shape, at most.
        precision: of the arithmetic, one of `PRECISIONS`.
        take_turns: how many of those that take turns may run at once, see `common.turns`; 0 to take none.
    """

    threads: int = 0
    kept_shapes: int = 0
    precision: str = "f32"
    take_turns: int = 0


def read_options(config: Mapping[str, Any]) -> Options:
    """Take the options out of a model configuration; unknown parameters are ignored, as other backends do.

    Args:
        config: the model configuration, as Triton gives it in JSON.

    Raises:
        LoadError: a parameter cannot be parsed, or names an unknown precision.
    """
    parameters = parameters_of(config)
    precision = parameters.get(PRECISION_KEY, PRECISIONS[0])
    if precision not in PRECISIONS:
        raise LoadError(f"{PRECISION_KEY} is {precision!r}; known: {', '.join(PRECISIONS)}")
    threads, kept, turns = (
        max(0, parse_int(parameters.get(key, "0"))) for key in (THREADS_KEY, KEPT_SHAPES_KEY, TURNS_KEY)
    )
    return Options(threads, kept, precision, turns)


def properties(options: Options) -> dict[str, Any]:
    """Return the properties to compile a model with."""
    wanted: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": options.precision,
        # One run at a time on all its threads; an instance is a process of its own.
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        # Each process would pin its threads to the same first cores.
        "ENABLE_CPU_PINNING": False,
    }
    return wanted | ({"INFERENCE_NUM_THREADS": options.threads} if options.threads else {})
