"""Choices of networks: as callers and command lines write them, and what pipelines cannot follow."""

import pytest

from paddlex_triton.network_choice import NO_CHOICE, NetworkChoice
from paddlex_triton.pipelines import PIPELINES, ChoiceError

OCR, SEAL = PIPELINES["OCR"], PIPELINES["seal_recognition"]


@pytest.mark.parametrize("given", ["a,b", " a , b ,a,", ["a", "b"], ("a", "b", "a")])
def test_however_it_is_written_a_choice_is_the_same(given):
    choice = NetworkChoice({"text_recognition": given, "doc_unwarping": ""})
    other = NetworkChoice({"doc_unwarping": (), "text_recognition": "a,b"})
    assert dict(choice) == {"text_recognition": ("a", "b"), "doc_unwarping": ()}
    assert choice == other
    assert len({choice, other, NetworkChoice(choice)}) == 1
    assert choice != NetworkChoice({"text_recognition": "b,a", "doc_unwarping": ""})
    assert choice.names() == ("a", "b")
    assert NetworkChoice.parse([str(choice)]) == choice


def test_nothing_chosen():
    assert NO_CHOICE == NetworkChoice.parse([]) == {}
    NO_CHOICE.check_steps([])


@pytest.mark.parametrize("given", ["a", {"a": None}, {3: "a"}, {"a": {"b"}}, {"a": ["b", 3]}, [("a", "b")]])
def test_other_shapes_are_refused(given):
    with pytest.raises(ChoiceError, match="must map steps to names of networks"):
        NetworkChoice(given)


@pytest.mark.parametrize("name", ["../b", "a b", ".a", "b=c", "x" * 129])
def test_names_that_no_network_has_are_refused(name):
    with pytest.raises(ChoiceError, match=r"is no name of a network \(a\)"):
        NetworkChoice({"a": name})
    assert NetworkChoice({"a": "x" * 128}).names() == ("x" * 128,)


def test_steps_of_several_pipelines():
    choice = NetworkChoice({"text_recognition": "a", "layout_detection": ""})
    choice.check_steps([OCR, SEAL])
    assert choice.for_pipeline(OCR) == {"text_recognition": ("a",)}
    assert choice.for_pipeline(SEAL) == choice


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layout_detection": "a"}, "no step 'layout_detection' takes a network; known: doc_orientation_classify, doc"),
        ({"text_recognition": ""}, "pipeline OCR cannot do without a network for text_recognition"),
    ],
)
def test_what_a_pipeline_cannot_follow_is_refused(given, message):
    with pytest.raises(ChoiceError, match=message):
        NetworkChoice(given).check_steps([OCR])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {}),
        (["a=b"], {"a": "b"}),
        (["a=b", "c="], {"a": "b", "c": ""}),
        (["a=b,c"], {"a": "b,c"}),
        (["a=b,c", "d=e"], {"a": "b,c", "d": "e"}),
        ([" a=b,c, d=,e=f g\n"], {"a": "b,c", "d": "", "e": "f,g"}),
    ],
)
def test_models(given, expected):
    assert NetworkChoice.parse(given) == NetworkChoice(expected)


@pytest.mark.parametrize("text", ["a", "=b", ""])
def test_models_of_another_form_are_refused(text):
    with pytest.raises(ChoiceError, match="is not of the form STEP=NETWORK"):
        NetworkChoice.parse(["a=b", text])
