"""Devices as PaddleX writes them: `cpu`, `gpu`, `gpu:0`, `gpu:0,1`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from paddlex_triton.limits import MAX_GPUS

SUPPORTED = "cpu, gpu, gpu:0 and gpu:0,1"

# PaddleX's other names, for a refusal that says more than "unknown".
_OTHERS = ("xpu", "npu", "mlu", "gcu", "dcu", "iluvatar_gpu", "metax_gpu")


class DeviceError(ValueError):
    """A device that cannot be honoured: what was given, and what is supported."""


@dataclass(frozen=True)
class Device:
    """Where networks run.

    Attributes:
        kind: `cpu` or `gpu`.
        gpus: the GPUs' ids, each of which runs images of its own (PaddleX's parallel inference); none for `cpu`.
    """

    kind: Literal["cpu", "gpu"]
    gpus: tuple[int, ...] = ()

    def __str__(self) -> str:
        """As PaddleX writes it."""
        return f"{self.kind}:{','.join(map(str, self.gpus))}" if self.gpus else self.kind


def parse_device(text: str) -> Device:
    """Read a device as PaddleX writes it, whatever the case of its kind. `gpu` alone is the first one, `gpu:0`.

    Raises:
        DeviceError: another accelerator, or ids that are none, come twice, are too many or too large.
    """
    kind, colon, ids = text.strip().partition(":")
    kind = kind.lower()
    if kind not in ("cpu", "gpu"):
        what = "is not supported" if kind in _OTHERS else "is no device"
        raise DeviceError(f"{text!r} {what}; supported are {SUPPORTED}")
    if kind == "cpu":
        if colon:
            raise DeviceError(f"{text!r}: a CPU has no ids; supported are {SUPPORTED}")
        return Device("cpu")
    return Device("gpu", _read_ids(text, ids) if colon else (0,))


def _read_ids(text: str, ids: str) -> tuple[int, ...]:
    parts = [part.strip() for part in ids.split(",")]
    if len(parts) > MAX_GPUS:
        raise DeviceError(f"{len(parts)} GPUs; at most {MAX_GPUS} are taken (MAX_GPUS)")
    if wrong := [part for part in parts if not (part.isascii() and part.isdigit())]:
        raise DeviceError(f"{text!r}: {wrong[0]!r} is no id of a GPU; ids are numbers from 0 on, such as gpu:0,1")
    # Digits are counted before they are read: Python refuses to read thousands of them.
    if large := [part for part in parts if len(part.lstrip("0")) > len(str(MAX_GPUS)) or int(part) >= MAX_GPUS]:
        raise DeviceError(f"{text!r}: id {large[0]} is too large; ids go from 0 to {MAX_GPUS - 1} (MAX_GPUS)")
    numbers = tuple(int(part) for part in parts)
    if len(set(numbers)) < len(numbers):
        raise DeviceError(f"{text!r} names a GPU twice")
    return numbers
