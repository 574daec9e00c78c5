"""Pipelines, the places networks take in them, and PaddleX's presets."""

import pytest

from paddlex_triton.pipelines import PIPELINES, ChoiceError, find_pipeline, find_preset, preset_switches

SEAL = PIPELINES["seal_recognition"]
LIGHT = {"seal_text_detection": "PP-OCRv4_mobile_seal_det", "text_recognition": "PP-OCRv4_mobile_rec"}


@pytest.mark.parametrize("spec", PIPELINES.values(), ids=lambda spec: spec.name)
def test_roles_belong_to_the_modules_and_switches_to_the_parameters(spec):
    assert {step.module for step in spec.steps.values()} <= set(spec.modules)
    assert set(spec.switches) <= set(spec.params.model_fields)
    needed = {name for name, step in spec.steps.items() if step.switch is None}
    assert all(needed <= set(steps) for steps in spec.presets.values())
    assert find_preset(spec) == find_preset(spec, spec.default_preset)


@pytest.mark.parametrize(
    ("preset", "networks", "layout"),
    [
        ("nopp-lightweight", {"layout_detection": "PP-DocLayout-L", **LIGHT}, True),
        ("seal_recognition-nopp-lightweight", {"layout_detection": "PP-DocLayout-L", **LIGHT}, True),
        ("nopp-nolayout-lightweight", LIGHT, False),
    ],
)
def test_presets_say_which_networks_and_which_switches(preset, networks, layout):
    assert find_preset(SEAL, preset) == networks
    assert preset_switches(SEAL, preset) == {
        "use_doc_orientation_classify": False,
        "use_doc_unwarping": False,
        "use_layout_detection": layout,
    }


def test_the_default_preset_of_paddlex_turns_everything_on():
    assert set(find_preset(SEAL, "default")) == set(SEAL.steps)
    assert set(preset_switches(SEAL, "default").values()) == {True}


@pytest.mark.parametrize("spec", PIPELINES.values(), ids=lambda spec: spec.name)
def test_steps_that_are_added_where_their_networks_are_exported_can_be_switched(spec):
    assert all(spec.steps[step].switch for step in spec.when_exported)
    # Where presets have these steps too, their networks are among those that may be added.
    for preset in (None, spec.fallback_preset):
        both = spec.when_exported.keys() & find_preset(spec, preset).keys()
        assert all(find_preset(spec, preset)[step] in spec.when_exported[step] for step in both)


@pytest.mark.parametrize("spec", PIPELINES.values(), ids=lambda spec: spec.name)
def test_every_step_has_a_parameter_that_chooses_its_network(spec):
    names = {name.removesuffix("_model_name") for name in spec.params.model_fields if name.endswith("_model_name")}
    assert names == set(spec.steps)
    for step in spec.steps:
        assert spec.params().network_for(step) is None
        assert spec.params.model_validate({f"{step}_model_name": "A-1.x_y"}).network_for(step) == "A-1.x_y"


@pytest.mark.parametrize("spec", PIPELINES.values(), ids=lambda spec: spec.name)
def test_a_fallback_is_another_preset_that_fills_the_same_places(spec):
    if spec.fallback_preset is None:
        return
    assert spec.fallback_preset != spec.default_preset
    fallback = find_preset(spec, spec.fallback_preset).keys()
    assert fallback <= find_preset(spec).keys() <= fallback | spec.when_exported.keys()


def test_all_of_paddlex_s_configurations_are_there_and_one_of_our_own():
    assert set(SEAL.presets) == {
        "default",
        "nopp",
        "nopp-nolayout",
        "nopp-lightweight",
        "nopp-lightweightlayout",
        "nopp-nolayout-lightweight",
        "offline",
    }


def test_unknown_presets_are_refused_with_the_known_ones():
    with pytest.raises(ChoiceError) as refused:
        find_preset(SEAL, "x")
    assert "no preset 'x'; known: default, nopp, nopp-nolayout" in str(refused.value)


@pytest.mark.parametrize("name", ["seal_recognition", "SEAL_RECOGNITION", "ocr", "OCR"])
def test_pipelines_are_found_whatever_the_case(name):
    assert find_pipeline(name).name.lower() == name.lower()


def test_unknown_pipelines_are_refused_with_the_known_ones():
    with pytest.raises(ChoiceError, match="unknown pipeline 'ORC'; known: OCR, seal_recognition"):
        find_pipeline("ORC")
