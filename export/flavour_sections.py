"""The sections of a network's configuration that its flavour decides: one function for each flavour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from paddlex_triton.export.tensorrt.profiles import PlanShapes
from paddlex_triton.network import Family


@dataclass(frozen=True)
class Sections:
    """Parts of a network's configuration.

    Attributes:
        where: what the network runs on, in words.
        execution: instances and what the backend is told.
        batching: whether calls of several callers are joined.
    """

    where: str
    execution: str
    batching: str


_CPU = """\
# One instance: ONNX Runtime spreads a single run over all cores by itself, a second would only compete for them.
instance_group [ { count: 1 kind: KIND_CPU } ]

# 0: as many threads as there are cores.
parameters { key: "intra_op_thread_count" value { string_value: "0" } }

# 1: threads spin while they wait for others inside a run, and stop when it ends: else they take the core from modules
# and other networks. On two cores a page of text took 8 to 11 % less time than where they sleep, and four pages in
# flight 2 to 7 %. NVIDIA's backend ignores both.
parameters { key: "session.intra_op.allow_spinning" value { string_value: "1" } }
parameters { key: "session.force_spinning_stop" value { string_value: "1" } }
"""
# Beside `_CPU`.
_CPU_TURNS = """
# 1: one run at a time among all networks that say so. Each takes all cores, and two at once slow each other down: on
# two cores, four pages of text in flight took 12 % less time in turns. NVIDIA's onnxruntime backend ignores it.
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


def _cpu(family: Family, keeps_layout: bool, shapes: PlanShapes | None) -> Sections:
    execution = _CPU if family in _SHORT_RUNS else _CPU + _CPU_TURNS
    if keeps_layout:
        execution += _CPU_LAYOUT
    return Sections("ONNX Runtime on CPU", execution, _CPU_JOINING if family in _JOINED_ON_CPU else _CPU_BATCHING)


_OPENVINO = """\
# One instance: a single run takes all cores by itself. Assembly changes that where there are many.
instance_group [ { count: 1 kind: KIND_CPU } ]

# 0: as many threads as there are cores.
parameters { key: "thread_count" value { string_value: "0" } }

# f32: bf16, OpenVINO's own default on processors that have it, moves pixels across the text detectors' threshold.
parameters { key: "precision" value { string_value: "f32" } }
"""
# Beside it, for families whose inputs differ in width from page to page.
_NO_KEPT_SHAPES = """
# 0: lines come in too many widths, and one that the network is compiled for takes as long as any other.
parameters { key: "kept_shapes" value { string_value: "0" } }
"""
_KEPT_SHAPES = """
# 4: inputs that come again and again get the network compiled for their shape: 33 ms instead of 40 for a page of 736 x
# 992 (PP-OCRv4_mobile_det), 2.1 instead of 2.8 for a person (PP-TinyPose_128x96). Each takes about 75 MB, and 0.2 s of
# the cores once, in the background.
parameters { key: "kept_shapes" value { string_value: "4" } }
"""


def _openvino(family: Family, keeps_layout: bool, shapes: PlanShapes | None) -> Sections:
    execution = _OPENVINO + (_NO_KEPT_SHAPES if family == "ctc_recognition" else _KEPT_SHAPES)
    if family not in _SHORT_RUNS:
        execution += _CPU_TURNS
    return Sections("OpenVINO on CPU", execution, _CPU_JOINING if family in _JOINED_ON_CPU else _CPU_BATCHING)


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

_GPU_BATCHING = """\
# No delay: while one run is under way the next calls gather by themselves.
# No queue policy: with a limit or a timeout Triton's batcher stops preparing the next run ahead, and then sleeps up to
# 500 ms with work waiting. Deadlines are kept by the modules.
dynamic_batching { }
"""


def _gpu(family: Family, keeps_layout: bool, shapes: PlanShapes | None) -> Sections:
    return Sections("ONNX Runtime on GPU", _GPU, _GPU_BATCHING)


# Around the instances, where a plan has several profiles.
_CHOICE_OF_PROFILE = """\
# A call takes the profile that covers it and whose usual size is nearest; without a list there is only 0.
"""
_MEMORY_OF_EACH_PROFILE = """
# Triton makes a context for each profile. By default each of them keeps the memory of the largest; so each has its own.
parameters { key: "execution_context_allocation_strategy" value { string_value: "ON_PROFILE_CHANGE" } }
"""
_PAGE_BY_PAGE = """\
# Calls are not joined: one page a run is what the plan takes. Large pages differ in size and each needs gigabytes.
"""


def _tensorrt(family: Family, keeps_layout: bool, shapes: PlanShapes | None) -> Sections:
    assert shapes is not None
    count, execution = len(shapes.profiles), _ONE_INSTANCE
    if count == 1:
        execution += "instance_group [ { count: 1 kind: KIND_GPU } ]\n"
    else:
        numbers = ", ".join(f'"{number}"' for number in range(count))
        execution += (
            f"{_CHOICE_OF_PROFILE}instance_group [ {{ count: 1 kind: KIND_GPU profile: [ {numbers} ] }} ]\n"
            f"{_MEMORY_OF_EACH_PROFILE}"
        )
    return Sections("TensorRT", execution, _GPU_BATCHING if shapes.max_batch_size > 1 else _PAGE_BY_PAGE)


# Flavour -> its sections: from a network's family, whether it is served in the layout it has, and the shapes of its
# plan, where one is made.
SECTIONS: dict[str, Callable[[Family, bool, PlanShapes | None], Sections]] = {
    "cpu": _cpu,
    "openvino": _openvino,
    "gpu": _gpu,
    "tensorrt": _tensorrt,
}
