"""Presets as they are written on a command line, and networks in a module's configuration."""

import pytest

from paddlex_triton.server.host.errors import AssemblyError
from paddlex_triton.server.host.model_config import add_parameters, read_config
from paddlex_triton.server.host.network_selection import presets_of


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


def test_parameters_are_added_to_a_configuration(tmp_path):
    path = tmp_path / "config.pbtxt"
    path.write_text(add_parameters('# Kept.\nname: "a"\n\n', {"OCR.a_network": "x,y", "OCR.b_network": ""}))
    assert path.read_text().startswith("# Kept.\n")
    config = read_config(path)
    assert config.name == "a"
    assert {name: value.string_value for name, value in config.parameters.items()} == {
        "OCR.a_network": "x,y",
        "OCR.b_network": "",
    }
