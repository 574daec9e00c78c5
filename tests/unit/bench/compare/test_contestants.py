"""Who is compared on which pipeline."""

from __future__ import annotations

import json

import pytest

from paddlex_triton.bench.compare import contestants as module
from paddlex_triton.bench.compare.contestants import BASE, PARAMS, PIPELINES, contestants_for
from paddlex_triton.bench.compare.environments import REQUIREMENTS
from paddlex_triton.bench.compare.session import DRIVERS
from paddlex_triton.flavours import flavours_for
from paddlex_triton.params import parse_params
from paddlex_triton.pipelines import ChoiceError, find_pipeline


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_everybody_has_what_is_needed(pipeline):
    found = contestants_for(pipeline)
    assert len({each.name for each in found}) == len({each.label for each in found}) == len(found)
    assert BASE in {each.name for each in found}
    for each in found:
        assert (DRIVERS / each.driver).is_file()
        assert each.is_own or (REQUIREMENTS / str(each.requirements)).is_file()
        parse_params(json.dumps({**PARAMS[pipeline], **each.params}), find_pipeline(pipeline).params)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_flavour_for_cpus_takes_part(pipeline):
    flavours = {each.options["flavour"] for each in contestants_for(pipeline) if each.is_own}
    assert flavours == {flavour.name for flavour in flavours_for("cpu")}


def test_others_read_text_alone():
    assert not [each.name for each in contestants_for("seal_recognition") if each.name.startswith("rapidocr")]


def test_what_this_version_does_not_have_is_left_out(monkeypatch):
    table = (("odd", "odd", "flavour of tomorrow", {}), ("cpu-odd", "cpu, odd", "cpu", {"padding_of_tomorrow": 1}))
    monkeypatch.setattr(module, "_OWN", (("cpu", "this", "cpu", {}), *table))
    names = {each.name for each in contestants_for("OCR") if each.is_own}
    assert "cpu" in names
    assert not names & {"odd", "cpu-odd"}


def test_some_can_be_named():
    assert [each.name for each in contestants_for("OCR", ["paddlex", "cpu"])] == ["cpu", "paddlex"]
    assert [each.name for each in contestants_for("seal_recognition", ["rapidocr-5", "cpu"])] == ["cpu"]


def test_unknown_ones_are_refused():
    with pytest.raises(ChoiceError, match=r"unknown contestant a, b; known: cpu.*rapidocr-5"):
        contestants_for("OCR", ["b", "cpu", "a"])
