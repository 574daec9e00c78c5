"""Parameters of config.pbtxt -> ONNX Runtime's options, with the C++ backend's leniency and texts."""

import onnxruntime as ort
import pytest

from paddlex_triton.server.backends.common.errors import LoadError
from paddlex_triton.server.backends.common.parameters import TURNS_KEY
from paddlex_triton.server.backends.onnxruntime.options import (
    SHRINKAGE_KEY,
    SPINNING_KEY,
    SPINNING_STOP_KEY,
    Options,
    read_options,
    run_options,
    session_options,
)


def config(**parameters: str) -> dict:
    return {"name": "m", "parameters": {key: {"string_value": value} for key, value in parameters.items()}}


def test_nothing_given_is_onnxruntimes_default():
    assert read_options({"name": "m"}) == Options()
    made, default = session_options(Options()), ort.SessionOptions()
    for name in ("intra_op_num_threads", "inter_op_num_threads", "enable_cpu_mem_arena", "enable_mem_pattern"):
        assert getattr(made, name) == getattr(default, name)
    assert made.graph_optimization_level == ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    assert run_options(Options()) is None


@pytest.mark.parametrize(("text", "threads"), [("3", 3), ("0", 0), ("-5", 0)])
def test_thread_counts(text, threads):
    options = read_options(config(intra_op_thread_count=text, inter_op_thread_count=text))
    made = session_options(options)
    assert (made.intra_op_num_threads, made.inter_op_num_threads) == (threads, threads)


@pytest.mark.parametrize("key", ["intra_op_thread_count", "inter_op_thread_count", "execution_mode"])
def test_numbers_must_be_numbers(key):
    with pytest.raises(LoadError, match="failed to convert 'abc' to integral number"):
        read_options(config(**{key: "abc"}))


@pytest.mark.parametrize(
    ("text", "mode"), [("0", ort.ExecutionMode.ORT_SEQUENTIAL), ("1", ort.ExecutionMode.ORT_PARALLEL)]
)
def test_execution_mode(text, mode):
    assert session_options(read_options(config(execution_mode=text))).execution_mode == mode


@pytest.mark.parametrize("text", ["2", "-1"])
def test_unknown_execution_mode(text):
    with pytest.raises(LoadError) as caught:
        read_options(config(execution_mode=text))
    assert str(caught.value) == (
        f"Invalid configuration value provided. Expected values for  execution_mode are 0 or 1 but got {text} ."
    )


@pytest.mark.parametrize(("key", "name"), [("enable_mem_arena", "enable_cpu_mem_arena"), ("enable_mem_pattern",) * 2])
def test_memory_switches(key, name):
    assert getattr(session_options(read_options(config(**{key: "off"}))), name) is False
    assert getattr(session_options(read_options(config(**{key: "ON"}))), name) is True
    with pytest.raises(LoadError, match="failed to convert 'maybe' to boolean"):
        read_options(config(**{key: "maybe"}))


@pytest.mark.parametrize("key", [SPINNING_KEY, SPINNING_STOP_KEY])
@pytest.mark.parametrize(("text", "entry"), [("0", "0"), ("off", "0"), ("1", "1"), ("true", "1")])
def test_spinning(key, text, entry):
    made = session_options(read_options(config(**{key: text})))
    assert made.get_session_config_entry(key) == entry


@pytest.mark.parametrize(
    ("given", "turns"), [({}, 0), ({TURNS_KEY: "0"}, 0), ({TURNS_KEY: "1"}, 1), ({TURNS_KEY: "8"}, 8)]
)
def test_taking_turns(given, turns):
    assert read_options(config(**given)).take_turns == turns


@pytest.mark.parametrize(
    ("key", "kind"), [(SPINNING_KEY, "boolean"), (SPINNING_STOP_KEY, "boolean"), (TURNS_KEY, "integral number")]
)
def test_our_own_values_must_be_of_their_kind(key, kind):
    with pytest.raises(LoadError, match=f"failed to convert 'maybe' to {kind}"):
        read_options(config(**{key: "maybe"}))


def test_arena_shrinkage_is_copied_unchecked():
    made = run_options(read_options(config(**{SHRINKAGE_KEY: "nonsense"})))
    assert made is not None
    assert made.get_run_config_entry(SHRINKAGE_KEY) == "nonsense"


@pytest.mark.parametrize(
    ("level", "wanted"),
    [
        (-1, ort.GraphOptimizationLevel.ORT_ENABLE_BASIC),
        (0, ort.GraphOptimizationLevel.ORT_ENABLE_ALL),
        (1, ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED),
        (2, ort.GraphOptimizationLevel.ORT_DISABLE_ALL),
        (7, ort.GraphOptimizationLevel.ORT_ENABLE_ALL),
    ],
)
def test_graph_level(level, wanted):
    options = read_options({"name": "m", "optimization": {"graph": {"level": level}}})
    assert session_options(options).graph_optimization_level == wanted


@pytest.mark.parametrize(
    "key", ["session.disable_prepacking", "gpu_mem_limit", "cudnn_conv_algo_search", "share_session_between_instances"]
)
def test_other_parameters_are_ignored(key):
    assert read_options(config(**{key: "whatever"})) == Options()


def test_cpu_accelerators_are_unknown_and_gpu_ones_ignored():
    accelerators = {"gpu_execution_accelerator": [{"name": "tensorrt"}]}
    assert read_options({"name": "m", "optimization": {"execution_accelerators": accelerators}}) == Options()
    accelerators = {"cpu_execution_accelerator": [{"name": "openvino"}]}
    with pytest.raises(LoadError, match=r"^unknown Execution Accelerator 'openvino' is requested$"):
        read_options({"name": "m", "optimization": {"execution_accelerators": accelerators}})


def test_a_missing_operator_library_does_not_load():
    options = read_options({"name": "m", "model_operations": {"op_library_filename": ["no/such/library.so"]}})
    assert options.op_libraries == ("no/such/library.so",)
    with pytest.raises(LoadError, match=r"^onnx runtime error \d+: .*library\.so"):
        session_options(options)
