"""The machine that numbers were taken on, and whether it had anything else to do."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from paddlex_triton.processors import read_cpuinfo, usable_cores

# What decides about the speed of networks. OpenVINO and oneDNN choose their kernels by these.
_FLAGS = (
    "avx2",
    "fma",
    "avx512f",
    "avx512bw",
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
)
MOST_LOAD_A_CORE = 0.5


class BusyMachine(RuntimeError):
    """The machine does other work: times would say nothing."""


@dataclass(frozen=True)
class Machine:
    """A machine, as it was when a run began.

    Attributes:
        cpu: the CPU's model.
        flags: those of its instructions that decide about the speed of networks.
        cores: how many the process may use.
        memory_gb: of the machine.
        load: processes that wanted a core in the minute before, on average.
        system: operating system and version.
        python: version.
    """

    cpu: str
    flags: tuple[str, ...]
    cores: int
    memory_gb: float
    load: float
    system: str
    python: str

    @property
    def is_busy(self) -> bool:
        """Whether more than half a process wanted each core."""
        return self.load > MOST_LOAD_A_CORE * self.cores


def look_at_machine(cpuinfo: Path = Path("/proc/cpuinfo"), cgroup: Path | None = None) -> Machine:
    """Read what machine this is.

    Args:
        cpuinfo: the kernel's file of that name.
        cgroup: see `usable_cores`.
    """
    fields = read_cpuinfo(cpuinfo)
    has = fields.get("flags", "").split()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        cpu=fields.get("model name") or platform.processor() or platform.machine(),
        flags=tuple(flag for flag in _FLAGS if flag in has),
        cores=usable_cores(cgroup),
        memory_gb=round(memory / 1e9, 1),
        load=round(os.getloadavg()[0], 2),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


def require_idle(machine: Machine, busy: bool) -> None:
    """Refuse to measure on a machine that does other work, unless that was asked for.

    Raises:
        BusyMachine: its load is above half a process a core, and `busy` is false.
    """
    if machine.is_busy and not busy:
        raise BusyMachine(
            f"the load is {machine.load} on {machine.cores} cores; at most {MOST_LOAD_A_CORE * machine.cores:g} is "
            "taken for idle. Wait, or say --busy for a run whose times say nothing"
        )
