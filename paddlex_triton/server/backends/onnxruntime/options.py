"""From config.pbtxt to ONNX Runtime's options, as lenient and as strict as the C++ backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import onnxruntime as ort

from paddlex_triton.server.backends.common.errors import LoadError
from paddlex_triton.server.backends.common.parameters import TURNS_KEY, parameters_of, parse_int, parse_optional_bool
from paddlex_triton.server.backends.onnxruntime.errors import onnxruntime_message

SHRINKAGE_KEY = "memory.enable_memory_arena_shrinkage"
SPINNING_KEY = "session.intra_op.allow_spinning"
SPINNING_STOP_KEY = "session.force_spinning_stop"
# optimization.graph.level -> ONNX Runtime's level; every other value stands for all optimisations.
_GRAPH_LEVELS = {
    -1: ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    1: ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}


@dataclass(frozen=True)
class Options:
    """A model's session as its configuration wants it. None and 0 leave ONNX Runtime's default.

    Attributes:
        parallel: run branches of the graph in parallel (`execution_mode` 1).
        intra_op_threads: threads inside an operator.
        inter_op_threads: threads across operators, only used when `parallel`.
        mem_arena: use the CPU memory arena.
        mem_pattern: plan memory ahead by pattern.
        arena_shrinkage: devices whose arena shrinks after each run, e.g. `cpu:0`. Not checked before the first run.
        graph_level: `optimization.graph.level`.
        op_libraries: files with custom operators.
        spinning: whether threads inside an operator spin while they wait for work.
        spinning_stop: whether they stop when a run ends.
        take_turns: how many of those that take turns may run at once, see `common.turns`; 0 to take none.
    """

    parallel: bool = False
    intra_op_threads: int = 0
    inter_op_threads: int = 0
    mem_arena: bool | None = None
    mem_pattern: bool | None = None
    arena_shrinkage: str | None = None
    graph_level: int = 0
    op_libraries: tuple[str, ...] = ()
    spinning: bool | None = None
    spinning_stop: bool | None = None
    take_turns: int = 0


def read_options(config: Mapping[str, Any]) -> Options:
    """Take the options out of a model configuration.

    Unknown parameters are ignored, those of GPUs included, as the C++ backend of 24.10 does on CPU. That one ignores
    `session.*` and `take_turns` as well.

    Args:
        config: the model configuration, as Triton gives it in JSON.

    Raises:
        LoadError: a parameter cannot be parsed, or names an unknown execution mode or accelerator.
    """
    parameters = parameters_of(config)
    mode = parse_int(parameters.get("execution_mode", "0"))
    if mode not in (0, 1):
        # The double blank is the C++ backend's.
        raise LoadError(
            f"Invalid configuration value provided. Expected values for  execution_mode are 0 or 1 but got {mode} ."
        )
    options = Options(
        parallel=mode == 1,
        intra_op_threads=max(0, parse_int(parameters.get("intra_op_thread_count", "0"))),
        inter_op_threads=max(0, parse_int(parameters.get("inter_op_thread_count", "0"))),
        mem_arena=parse_optional_bool(parameters.get("enable_mem_arena")),
        mem_pattern=parse_optional_bool(parameters.get("enable_mem_pattern")),
        arena_shrinkage=parameters.get(SHRINKAGE_KEY),
        graph_level=_graph_level(config),
        op_libraries=tuple((config.get("model_operations") or {}).get("op_library_filename") or ()),
        spinning=parse_optional_bool(parameters.get(SPINNING_KEY)),
        spinning_stop=parse_optional_bool(parameters.get(SPINNING_STOP_KEY)),
        take_turns=max(0, parse_int(parameters.get(TURNS_KEY, "0"))),
    )
    _check_accelerators(config)
    return options


def session_options(options: Options) -> ort.SessionOptions:
    """Make ONNX Runtime's session options.

    Raises:
        LoadError: a library of custom operators cannot be loaded.
    """
    result = ort.SessionOptions()
    result.graph_optimization_level = _GRAPH_LEVELS.get(options.graph_level, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
    result.execution_mode = ort.ExecutionMode.ORT_PARALLEL if options.parallel else ort.ExecutionMode.ORT_SEQUENTIAL
    result.intra_op_num_threads = options.intra_op_threads
    result.inter_op_num_threads = options.inter_op_threads
    if options.mem_arena is not None:
        result.enable_cpu_mem_arena = options.mem_arena
    if options.mem_pattern is not None:
        result.enable_mem_pattern = options.mem_pattern
    for key, value in ((SPINNING_KEY, options.spinning), (SPINNING_STOP_KEY, options.spinning_stop)):
        if value is not None:
            result.add_session_config_entry(key, "1" if value else "0")
    for library in options.op_libraries:
        try:
            result.register_custom_ops_library(library)
        except Exception as error:
            raise LoadError(onnxruntime_message(error)) from None
    return result


def run_options(options: Options) -> ort.RunOptions | None:
    """Make ONNX Runtime's run options, None if the defaults do."""
    if options.arena_shrinkage is None:
        return None
    result = ort.RunOptions()
    result.add_run_config_entry(SHRINKAGE_KEY, options.arena_shrinkage)
    return result


def _graph_level(config: Mapping[str, Any]) -> int:
    graph = (config.get("optimization") or {}).get("graph") or {}
    return int(graph.get("level", 0))


def _check_accelerators(config: Mapping[str, Any]) -> None:
    """Refuse any CPU accelerator; those for GPUs are ignored on CPU."""
    accelerators = (config.get("optimization") or {}).get("execution_accelerators") or {}
    for accelerator in accelerators.get("cpu_execution_accelerator") or ():
        raise LoadError(f"unknown Execution Accelerator '{accelerator['name']}' is requested")
