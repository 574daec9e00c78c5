"""config.pbtxt of a network: one template per family, rendered once per flavour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Template

from paddlex_triton.export.tensorrt.profiles import PlanShapes
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
        execution_of, batching_of: the same for families that differ.
        backend: what loads it, and which file.
        keeping_layout: besides `execution`, for a network that is served in the layout it has.
    """

    file: str
    where: str
    execution: str
    batching: str
    execution_of: Mapping[Family, str] = field(default_factory=dict)
    batching_of: Mapping[Family, str] = field(default_factory=dict)
    backend: str = 'backend: "onnxruntime"\ndefault_model_filename: "model.onnx"'
    keeping_layout: str = ""


_CPU = """\
# One instance: ONNX Runtime spreads a single run over all cores by itself, a second would only compete for them.
instance_group [ { count: 1 kind: KIND_CPU } ]

# 0: as many threads as there are cores.
parameters { key: "intra_op_thread_count" value { string_value: "0" } }

# 0: a thread that waits for others sleeps. Spinning takes the core from modules and other networks: on two cores, four
# pages of text in flight took 8 % less time without. NVIDIA's backend ignores it.
parameters { key: "session.intra_op.allow_spinning" value { string_value: "0" } }
"""
# Beside `_CPU`.
_CPU_TURNS = """
# 1: one run at a time among all networks that say so. Each takes all cores, and two at once slow each other down: on
# two cores, four pages of text in flight took 12 % less time in turns. NVIDIA's backend ignores it.
parameters { key: "take_turns" value { string_value: "1" } }
"""
# Beside those, see `NetworkFamily.keeps_layout`.
_CPU_LAYOUT = """
# 1: all optimisations but new layouts, in which ONNX Runtime adds numbers up in another order. This network rounds what
# it computes so coarsely that this shows: answers are those of the source, for a sixth more time.
optimization { graph { level: 1 } }
"""
# Families whose runs are too short to be worth waiting for those of others.
_SHORT_RUNS: frozenset[Family] = frozenset({"heatmap_keypoints", "image_classification"})

_ONE_INSTANCE = """\
# One instance per GPU: more need their own copy of weights and activations, and a GPU runs one batch at a time well.
"""

_GPU = (
    _ONE_INSTANCE
    + """\
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
)

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
        "config.pbtxt",
        "ONNX Runtime on CPU",
        _CPU + _CPU_TURNS,
        _CPU_BATCHING,
        dict.fromkeys(_SHORT_RUNS, _CPU),
        dict.fromkeys(_JOINED_ON_CPU, _CPU_JOINING),
        keeping_layout=_CPU_LAYOUT,
    ),
    "gpu": Flavour("configs/gpu.pbtxt", "ONNX Runtime on GPU", _GPU, _GPU_BATCHING),
}


# Of families that have no plan: this flavour runs them as the flavour gpu does.
_WITHOUT_PLAN = """\
# No TensorRT plan is made of this network: ONNX Runtime runs it in this flavour too, as in gpu.pbtxt.
"""
TENSORRT_FILE = "configs/tensorrt.pbtxt"
_TENSORRT_BACKEND = 'backend: "tensorrt"\nplatform: "tensorrt_plan"\ndefault_model_filename: "model.plan"'
# Beside the instances, where a plan has several profiles.
_MEMORY_OF_EACH_PROFILE = """
# Triton makes a context for each profile. By default each of them keeps the memory of the largest; so each has its own.
parameters { key: "execution_context_allocation_strategy" value { string_value: "ON_PROFILE_CHANGE" } }
"""
_PAGE_BY_PAGE = """\
# Calls are not joined: one page a run is what the plan takes. Large pages differ in size and each needs gigabytes.
"""


def render_config(
    flavour: Flavour,
    family: Family,
    name: str,
    max_batch_size: int,
    values: dict[str, str],
    *,
    keeps_layout: bool = False,
) -> str:
    """Render a network's configuration.

    Args:
        flavour: how the network is run.
        family: chooses the template.
        name: the network's name.
        max_batch_size: rows in one run.
        values: for the family's own places in its template.
        keeps_layout: it is served in the layout it has.
    """
    execution = flavour.execution_of.get(family, flavour.execution)
    if keeps_layout:
        execution += flavour.keeping_layout
    template = Template((_TEMPLATES / f"{family}.pbtxt").read_text(encoding="utf-8"))
    return template.substitute(
        values,
        name=name,
        where=flavour.where,
        backend=flavour.backend,
        max_batch_size=str(max_batch_size),
        execution=execution.rstrip(),
        batching=flavour.batching_of.get(family, flavour.batching).rstrip(),
    )


def render_tensorrt_config(
    family: Family, name: str, max_batch_size: int, shapes: PlanShapes | None, values: dict[str, str]
) -> str:
    """Render a network's configuration for a TensorRT plan, or for ONNX Runtime where none is made of its family.

    Args:
        family: chooses the template.
        name: the network's name.
        max_batch_size: rows in one run without a plan.
        shapes: of the plan, which says how many rows it takes; None where there is no plan.
        values: for the family's own places in its template.
    """
    if shapes is None:
        flavour = replace(FLAVOURS["gpu"], file=TENSORRT_FILE, backend=f"{_WITHOUT_PLAN}{FLAVOURS['gpu'].backend}")
        return render_config(flavour, family, name, max_batch_size, values)
    batching = _GPU_BATCHING if shapes.max_batch_size > 1 else _PAGE_BY_PAGE
    flavour = Flavour(
        TENSORRT_FILE, "TensorRT", _tensorrt_execution(len(shapes.profiles)), batching, backend=_TENSORRT_BACKEND
    )
    return render_config(flavour, family, name, shapes.max_batch_size, values)


def _tensorrt_execution(profiles: int) -> str:
    """One instance, on all profiles of the plan."""
    if profiles == 1:
        return _ONE_INSTANCE + "instance_group [ { count: 1 kind: KIND_GPU } ]\n"
    numbers = ", ".join(f'"{number}"' for number in range(profiles))
    return (
        _ONE_INSTANCE
        + "# A call takes the profile that covers it and whose usual size is nearest; without a list there is only 0.\n"
        + f"instance_group [ {{ count: 1 kind: KIND_GPU profile: [ {numbers} ] }} ]\n"
        + _MEMORY_OF_EACH_PROFILE
    )
