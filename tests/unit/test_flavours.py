"""The table of flavours."""

import pytest

from paddlex_triton.flavours import CPU, FLAVOURS, find_flavour, flavours_for
from paddlex_triton.pipelines import ChoiceError


def test_flavours_are_told_apart():
    assert list(FLAVOURS) == ["cpu", "gpu", "tensorrt"]
    assert all(find_flavour(name).name == name for name in FLAVOURS)
    assert len({flavour.config_file for flavour in FLAVOURS.values()}) == len(FLAVOURS)


def test_the_usual_flavour_of_a_kind_of_device_comes_first():
    assert flavours_for("cpu") == [CPU]
    assert [flavour.name for flavour in flavours_for("gpu")] == ["gpu", "tensorrt"]


def test_a_flavour_with_plans_says_what_runs_networks_without():
    for flavour in FLAVOURS.values():
        assert (flavour.find_plan is None) == (flavour.without_plan is None)
        if flavour.without_plan is not None:
            assert find_flavour(flavour.without_plan).find_plan is None


@pytest.mark.parametrize("name", ["", "GPU", "openvino"])
def test_unknown_flavours_are_refused_with_the_known_ones(name):
    with pytest.raises(ChoiceError, match=f"unknown flavour '{name}'; known: cpu, gpu, tensorrt"):
        find_flavour(name)
