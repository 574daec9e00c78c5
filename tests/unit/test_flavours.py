"""The table of flavours."""

import pytest

from paddlex_triton import flavours
from paddlex_triton.flavours import CPU, FLAVOURS, OPENVINO, fastest_on_cpu, find_flavour, flavours_for
from paddlex_triton.network import NetworkInfo, OnCpu, Provenance
from paddlex_triton.pipelines import ChoiceError


def test_flavours_are_told_apart():
    assert list(FLAVOURS) == ["cpu", "openvino", "gpu", "tensorrt"]
    assert all(find_flavour(name).name == name for name in FLAVOURS)
    assert len({flavour.config_file for flavour in FLAVOURS.values()}) == len(FLAVOURS)


def test_the_usual_flavour_of_a_kind_of_device_comes_first():
    assert flavours_for("cpu") == [CPU, OPENVINO]
    assert [flavour.name for flavour in flavours_for("gpu")] == ["gpu", "tensorrt"]


def test_a_flavour_with_plans_says_what_runs_networks_without():
    for flavour in FLAVOURS.values():
        assert (flavour.find_plan is None) == (flavour.without_plan is None)
        if flavour.without_plan is not None:
            assert find_flavour(flavour.without_plan).find_plan is None


@pytest.mark.parametrize("name", ["", "GPU", "onnx"])
def test_unknown_flavours_are_refused_with_the_known_ones(name):
    with pytest.raises(ChoiceError, match=f"unknown flavour '{name}'; known: cpu, openvino, gpu, tensorrt"):
        find_flavour(name)


def described(on_cpu: OnCpu | None) -> NetworkInfo:
    provenance = Provenance(source="test", file="x", source_sha256="", opset=13, ir_version=8)
    return NetworkInfo(
        name="net", family="db_detection", max_batch_size=4, sha256="", on_cpu=on_cpu, provenance=provenance
    )


def measured(refused: dict[str, str] | None = None, **milliseconds: float) -> OnCpu:
    return OnCpu(processor="any", threads=2, milliseconds=milliseconds, refused=refused or {})


@pytest.mark.parametrize(
    ("on_cpu", "fastest"),
    [
        (None, CPU),
        (measured(cpu=2, openvino=1), OPENVINO),
        (measured(cpu=1, openvino=2), CPU),
        (measured(cpu=1, openvino=1), CPU),
        (measured(openvino=1), OPENVINO),
        (measured({"openvino": "another answer"}, cpu=2, openvino=1), CPU),
        (measured({"openvino": "another answer"}, openvino=1), CPU),
        (measured(cpu=2, tensorrt=1, gpu=1, other=1), CPU),
        (measured(), CPU),
    ],
)
def test_on_a_cpu_the_fastest_that_gives_the_answers_runs_a_network(on_cpu, fastest):
    assert fastest_on_cpu(described(on_cpu)) is fastest


def test_an_engine_that_is_not_installed_runs_nothing(monkeypatch):
    monkeypatch.setattr(flavours.importlib.util, "find_spec", lambda name: None)
    assert fastest_on_cpu(described(measured(cpu=2, openvino=1))) is CPU
