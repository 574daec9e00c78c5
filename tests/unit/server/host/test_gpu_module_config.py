"""Modules' configurations for networks on GPUs, derived from those for networks on the CPU."""

from __future__ import annotations

from typing import Any

import pytest

from paddlex_triton import paths
from paddlex_triton.pipelines import PIPELINES
from paddlex_triton.server.host.errors import AssemblyError
from paddlex_triton.server.host.gpu_module_config import derive_gpu_config
from paddlex_triton.server.host.model_config import add_parameters, parse_config

# Module -> its inputs that differ in size from page to page.
VARIABLE = {
    "doc_preprocessor": set(),
    "human_detection": {"page"},
    "keypoint_detection": {"page", "boxes"},
    "layout_detection": {"page"},
    "seal_text_detection": {"page", "boxes", "labels"},
    "text_detection": {"page"},
    "text_recognition": {"page", "regions", "points", "offsets", "region_ids"},
}
MODULES = sorted({module for spec in PIPELINES.values() for module in spec.modules})


def both(module: str) -> tuple[Any, Any, str]:
    """A module's configurations for networks on the CPU and on GPUs, and the text of the latter."""
    path = paths.modules_repository() / module / "config.pbtxt"
    given = add_parameters(path.read_text(), {"OCR.text_detection_network": "A,B"})
    derived = derive_gpu_config(given, path)
    return parse_config(given, path), parse_config(derived, path), derived


def tensors(config: Any) -> list[tuple]:
    every = (*config.input, *config.output)
    return [(t.name, t.data_type, tuple(t.dims), getattr(t, "optional", False)) for t in every]


@pytest.mark.parametrize("module", MODULES)
def test_several_requests_share_an_execution(module):
    _, config, _ = both(module)
    assert config.max_batch_size == 4
    assert config.HasField("dynamic_batching")
    # A queue policy of any kind makes Triton's batcher sleep while work waits.
    assert not config.dynamic_batching.HasField("default_queue_policy")
    assert [(group.count, group.kind) for group in config.instance_group] == [(4, 2)]
    assert {tensor.name for tensor in config.input if tensor.allow_ragged_batch} == VARIABLE[module]


@pytest.mark.parametrize("module", MODULES)
def test_flavours_of_a_module_agree_on_tensors_and_parameters(module):
    cpu, gpu, _ = both(module)
    assert tensors(cpu) == tensors(gpu)
    assert cpu.parameters["OCR.text_detection_network"].string_value == "A,B"
    for config in (cpu, gpu):
        config.max_batch_size = 0
        config.ClearField("dynamic_batching")
        config.ClearField("instance_group")
        for tensor in config.input:
            tensor.allow_ragged_batch = False
    assert cpu == gpu


@pytest.mark.parametrize("module", MODULES)
def test_every_number_has_its_reason(module):
    lines = both(module)[2].splitlines()
    assert lines[0].startswith("# ")
    for field in ("max_batch_size", "instance_group", "dynamic_batching"):
        (index,) = [number for number, line in enumerate(lines) if line.startswith(field)]
        assert lines[index - 1].startswith("# "), field


def test_a_damaged_configuration_is_refused(tmp_path):
    with pytest.raises(AssemblyError, match=r"config\.pbtxt"):
        derive_gpu_config("name: [", tmp_path / "config.pbtxt")
