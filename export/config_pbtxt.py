"""config.pbtxt of a network: one template per family, rendered once per flavour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from paddlex_triton.network import Family

_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Flavour:
    """One way to run a network.

    Attributes:
        file: where its configuration lies in the network's folder.
        where: what it runs on, in words.
        execution: its part of the configuration: instances and accelerator options.
        batching: whether calls of several callers are joined.
        batching_of: the same for families that differ.
    """

    file: str
    where: str
    execution: str
    batching: str
    batching_of: Mapping[Family, str] = field(default_factory=dict)


_CPU = """\
# One instance: ONNX Runtime spreads a single run over all cores by itself, a second would only compete for them.
instance_group [ { count: 1 kind: KIND_CPU } ]

# 0: as many threads as there are cores.
parameters { key: "intra_op_thread_count" value { string_value: "0" } }
"""

_GPU = """\
# One instance per GPU: more need their own copy of weights and activations, and a GPU runs one batch at a time well.
instance_group [ { count: 1 kind: KIND_GPU } ]

optimization {
  execution_accelerators {
    gpu_execution_accelerator [
      {
        name: "cuda"
        # Sizes change from call to call, and the default would time every algorithm anew for each of them.
        parameters { key: "cudnn_conv_algo_search" value: "HEURISTIC" }
        # Grow by what is asked for: with changing sizes, growing by powers of two keeps twice the memory.
        parameters { key: "arena_extend_strategy" value: "kSameAsRequested" }
        # TF32 rounds products to 10 bits, and answers would leave their tolerance.
        parameters { key: "use_tf32" value: "0" }
      }
    ]
  }
}
"""

_CPU_BATCHING = """\
# Calls of different callers are not joined: on a CPU a page or a line costs as much time in a joined run as alone. And
# while calls of unequal sizes wait, Triton's batcher keeps a core busy: a page of 35 lines took 1.5 times as long on
# two cores.
"""

_CPU_JOINING = """\
# Calls of different callers are joined: people are of one size, and on a CPU too one among several costs less than one
# alone. 8 callers with a person each got 1.1 to 1.3 times as many a second, a single caller lost nothing. No delay:
# while one run is under way the next calls gather by themselves.
dynamic_batching { }
"""
# Families whose calls are worth joining on a CPU.
_JOINED_ON_CPU: frozenset[Family] = frozenset({"heatmap_keypoints"})

_GPU_BATCHING = """\
# No delay: while one run is under way the next calls gather by themselves.
# No queue policy: with a limit or a timeout Triton's batcher stops preparing the next run ahead, and then sleeps up to
# 500 ms with work waiting. Deadlines are kept by the modules.
dynamic_batching { }
"""

FLAVOURS: dict[str, Flavour] = {
    "cpu": Flavour(
        "config.pbtxt", "ONNX Runtime on CPU", _CPU, _CPU_BATCHING, dict.fromkeys(_JOINED_ON_CPU, _CPU_JOINING)
    ),
    "gpu": Flavour("configs/gpu.pbtxt", "ONNX Runtime on GPU", _GPU, _GPU_BATCHING),
}


def render_config(flavour: Flavour, family: Family, name: str, max_batch_size: int, values: dict[str, str]) -> str:
    """Render a network's configuration.

    Args:
        flavour: how the network is run.
        family: chooses the template.
        name: the network's name.
        max_batch_size: rows in one run.
        values: for the family's own places in its template.
    """
    template = Template((_TEMPLATES / f"{family}.pbtxt").read_text(encoding="utf-8"))
    return template.substitute(
        values,
        name=name,
        where=flavour.where,
        max_batch_size=str(max_batch_size),
        execution=flavour.execution.rstrip(),
        batching=flavour.batching_of.get(family, flavour.batching).rstrip(),
    )
