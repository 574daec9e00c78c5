"""Presets as they are written on a command line, and networks in a module's configuration."""

import pytest

from paddlex_triton.server.host.errors import AssemblyError
from paddlex_triton.server.host.model_config import set_networks
from paddlex_triton.server.host.network_selection import presets_of

CONFIG = """\
# Kept.
parameters {
  key: "a_network"
  value: { string_value: "old" }
}
parameters { key: "b_network" value: { string_value: "old" } }
parameters { key: "other" value: { string_value: "old" } }
"""


@pytest.mark.parametrize(
    ("pipelines", "given", "expected"),
    [
        ([], [], {}),
        ([], ["nopp"], {"seal_recognition": "nopp"}),
        (["seal_recognition"], ["seal_recognition-nopp"], {"seal_recognition": "seal_recognition-nopp"}),
        (["OCR"], ["OCR=PP-OCRv4_mobile"], {"OCR": "PP-OCRv4_mobile"}),
        ([], ["nopp", "PP-OCRv4_mobile"], {"seal_recognition": "nopp", "OCR": "PP-OCRv4_mobile"}),
    ],
)
def test_presets(pipelines, given, expected):
    assert presets_of(pipelines, given) == expected


def test_two_presets_for_a_pipeline_are_refused():
    with pytest.raises(AssemblyError, match="two presets for seal_recognition: nopp and nopp-nolayout"):
        presets_of([], ["nopp", "seal_recognition=nopp-nolayout"])


@pytest.mark.parametrize(
    ("pipelines", "given"), [(["OCR"], ["nopp"]), ([], ["nop"]), ([], [""]), ([], ["seal_recognition="])]
)
def test_unknown_presets_are_refused_with_the_known_ones(pipelines, given):
    with pytest.raises(AssemblyError, match=f"no preset '{given[0]}'; known: OCR: PP-OCRv4_mobile"):
        presets_of(pipelines, given)


@pytest.mark.parametrize(
    ("networks", "a", "b"),
    [({}, "", ""), ({"a": ("new",)}, "new", ""), ({"a": ("x", "z"), "b": ("y",)}, "x,z", "y"), ({"a": ()}, "", "")],
)
def test_networks_are_put_into_a_configuration(networks, a, b):
    expected = CONFIG.replace('"old"', f'"{a}"', 1).replace('"old"', f'"{b}"', 1)
    assert set_networks(CONFIG, networks) == expected


def test_a_parameter_that_is_not_there_is_refused():
    with pytest.raises(AssemblyError, match="no parameter c_network"):
        set_networks(CONFIG, {"c": ("new",)})
