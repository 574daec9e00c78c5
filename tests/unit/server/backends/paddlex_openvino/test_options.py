"""Parameters of config.pbtxt -> OpenVINO's properties."""

import pytest

from paddlex_triton.server.backends.common.errors import LoadError
from paddlex_triton.server.backends.paddlex_openvino.options import Options, properties, read_options


def config(**parameters: str) -> dict:
    return {"name": "m", "parameters": {key: {"string_value": value} for key, value in parameters.items()}}


def test_nothing_given():
    assert read_options({"name": "m"}) == Options(threads=0, kept_shapes=0, precision="f32", take_turns=0)


def test_all_given():
    given = config(thread_count="3", kept_shapes="4", precision="bf16", take_turns="2", unknown="x")
    assert read_options(given) == Options(threads=3, kept_shapes=4, precision="bf16", take_turns=2)


@pytest.mark.parametrize("key", ["thread_count", "kept_shapes", "take_turns"])
def test_what_is_no_number(key):
    with pytest.raises(LoadError, match="failed to convert 'many' to integral number"):
        read_options(config(**{key: "many"}))


@pytest.mark.parametrize("precision", ["", "f16", "F32", "int8"])
def test_unknown_precisions(precision):
    with pytest.raises(LoadError, match=f"precision is '{precision}'; known: f32, bf16"):
        read_options(config(precision=precision))


def test_f32_is_always_said():
    """OpenVINO's own default is bf16 on processors that have it."""
    assert properties(Options())["INFERENCE_PRECISION_HINT"] == "f32"


@pytest.mark.parametrize(("threads", "said"), [(0, None), (2, 2)])
def test_threads(threads, said):
    assert properties(Options(threads=threads)).get("INFERENCE_NUM_THREADS") == said
