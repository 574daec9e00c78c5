"""The processor: its name, and how many of its cores this process may use."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path

# Of x86: what decides which kernels an engine has for it, the best last.
_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")
_CPUINFO = Path("/proc/cpuinfo")
_CGROUP = Path("/sys/fs/cgroup")


def describe() -> str:
    """Return the processor's name and what its engines' speed depends on: `AMD EPYC, avx2 avx512f`."""
    fields = read_cpuinfo(_CPUINFO)
    flags = fields.get("flags", "").split()
    name = fields.get("model name") or platform.processor() or platform.machine()
    return ", ".join(part for part in (name, " ".join(flag for flag in _FEATURES if flag in flags)) if part)


def usable_cores(cgroup: Path | None = None) -> int:
    """Return how many cores this process may keep busy: those of its affinity, or less where its cgroup has a quota.

    Args:
        cgroup: the folder of its cgroup, the usual one if None.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup or _CGROUP)
    return max(1, min(cores, math.ceil(quota))) if quota else cores


def read_cpuinfo(path: Path) -> dict[str, str]:
    """Return the fields of the first processor in a file like /proc/cpuinfo; none where it is not there."""
    try:
        first = path.read_text(encoding="utf-8").split("\n\n", 1)[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _quota(cgroup: Path) -> float | None:
    """Return the cores that the cgroup grants, of its second version or its first; None for no limit."""
    try:
        quota, _, period = (cgroup / "cpu.max").read_text(encoding="ascii").partition(" ")
    except OSError:
        try:
            quota = (cgroup / "cpu/cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text(encoding="ascii")
        except OSError:
            return None
    try:
        granted = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return granted if granted > 0 else None
