"""The target of a plan: one version of TensorRT and one architecture of GPUs. It runs on nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

_TARGET = re.compile(r"trt(?P<tensorrt>\d+\.\d+\.\d+)-(?P<architecture>sm\d+)")
_CAPABILITY = re.compile(r"(?P<major>\d+)\.(?P<minor>\d)\b")
_SECONDS = 30


@dataclass(frozen=True)
class Target:
    """A version of TensorRT and an architecture of GPUs.

    Attributes:
        tensorrt: e.g. "10.3.0".
        architecture: e.g. "sm90", of compute capability 9.0.
    """

    tensorrt: str
    architecture: str

    def __str__(self) -> str:
        return f"trt{self.tensorrt}-{self.architecture}"

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read `str(target)`.

        Raises:
            ValueError: it is not of this form.
        """
        found = _TARGET.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no TensorRT version and GPU architecture, such as trt10.3.0-sm90")
        return cls(found["tensorrt"], found["architecture"])


def architecture_of(capability: str) -> str | None:
    """Return sm90 for a compute capability "9.0"; None for other text."""
    found = _CAPABILITY.fullmatch(capability.strip())
    return f"sm{found['major']}{found['minor']}" if found else None


def architectures_here() -> tuple[str, ...]:
    """Return the architectures of this machine's NVIDIA GPUs, in the order of their numbers, doubles left in.

    Returns:
        What nvidia-smi says.
    """
    command = shutil.which("nvidia-smi")
    if command is None:
        return ()
    try:
        done = subprocess.run(
            [command, "--query-gpu=compute_cap", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    if done.returncode:
        return ()
    found = (architecture_of(line) for line in done.stdout.splitlines())
    return tuple(architecture for architecture in found if architecture is not None)
