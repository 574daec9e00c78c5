"""Devices as PaddleX writes them, and refusals that say what is supported."""

from __future__ import annotations

import pytest

from paddlex_triton.devices import Device, DeviceError, parse_device
from paddlex_triton.limits import MAX_GPUS


@pytest.mark.parametrize(
    ("text", "device", "written"),
    [
        ("cpu", Device("cpu"), "cpu"),
        ("CPU", Device("cpu"), "cpu"),
        # PaddleX: no id is the first one.
        ("gpu", Device("gpu", (0,)), "gpu:0"),
        ("GPU:1", Device("gpu", (1,)), "gpu:1"),
        ("gpu:0,1", Device("gpu", (0, 1)), "gpu:0,1"),
        (" gpu:3, 02 ", Device("gpu", (3, 2)), "gpu:3,2"),
        (f"gpu:{MAX_GPUS - 1}", Device("gpu", (MAX_GPUS - 1,)), f"gpu:{MAX_GPUS - 1}"),
    ],
)
def test_devices(text, device, written):
    assert parse_device(text) == device
    assert str(device) == written
    assert parse_device(written) == device


def test_as_many_as_are_allowed():
    assert parse_device(f"gpu:{','.join(map(str, range(MAX_GPUS)))}").gpus == tuple(range(MAX_GPUS))


@pytest.mark.parametrize("kind", ["npu", "xpu:0", "mlu", "dcu:0,1", "gcu", "iluvatar_gpu:0", "metax_gpu"])
def test_other_accelerators_are_refused(kind):
    with pytest.raises(DeviceError, match=f"'{kind}' is not supported; supported are cpu, gpu, gpu:0 and gpu:0,1"):
        parse_device(kind)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no device; supported are"),
        ("cuda:0", "'cuda:0' is no device; supported are"),
        ("cpu:0", "a CPU has no ids"),
        ("cpu:", "a CPU has no ids"),
        ("gpu:", "'' is no id of a GPU"),
        ("gpu:0,", "'' is no id of a GPU"),
        ("gpu:a", "'a' is no id of a GPU"),
        ("gpu:-1", "'-1' is no id of a GPU"),
        ("gpu:0:1", "'0:1' is no id of a GPU"),
        # Digits to Python, and to nobody else.
        ("gpu:²", "'²' is no id of a GPU"),
        ("gpu:٣", "'٣' is no id of a GPU"),
        ("gpu:0,1,0", "names a GPU twice"),
        ("gpu:1,01", "names a GPU twice"),
        (f"gpu:{MAX_GPUS}", f"id {MAX_GPUS} is too large; ids go from 0 to {MAX_GPUS - 1} .MAX_GPUS"),
        (f"gpu:{'9' * 5000}", "is too large"),
        (f"gpu:{','.join(map(str, range(MAX_GPUS + 1)))}", f"{MAX_GPUS + 1} GPUs; at most {MAX_GPUS} are taken"),
    ],
)
def test_what_is_no_device_is_refused(text, message):
    with pytest.raises(DeviceError, match=message):
        parse_device(text)
