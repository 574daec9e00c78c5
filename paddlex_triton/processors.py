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
    fields = _cpuinfo()
    flags = fields.get("flags", "").split()
    name = fields.get("model name") or platform.processor() or platform.machine()
    return ", ".join(part for part in (name, " ".join(flag for flag in _FEATURES if flag in flags)) if part)


def usable_cores() -> int:
    """Return how many cores this process may keep busy: those of its affinity, or less where its cgroup has a quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    return max(1, min(cores, math.ceil(quota))) if quota else cores


def _cpuinfo() -> dict[str, str]:
    """Return the fields of the first processor."""
    try:
        first = _CPUINFO.read_text(encoding="utf-8").split("\n\n", 1)[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _quota() -> float | None:
    """Return the cores that the cgroup grants, of its second version or its first; None for no limit."""
    try:
        quota, _, period = (_CGROUP / "cpu.max").read_text(encoding="ascii").partition(" ")
    except OSError:
        try:
            quota = (_CGROUP / "cpu/cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (_CGROUP / "cpu/cpu.cfs_period_us").read_text(encoding="ascii")
        except OSError:
            return None
    try:
        granted = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return granted if granted > 0 else None
