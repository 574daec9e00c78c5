"""The processor and the cores that may be used."""

import os
from pathlib import Path

import pytest

from paddlex_triton import processors


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Path:
    """A machine of 8 cores without a quota."""
    monkeypatch.setattr(processors, "_CGROUP", tmp_path)
    monkeypatch.setattr(processors, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    return tmp_path


def test_all_cores_without_a_quota(machine):
    assert processors.usable_cores() == 8


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("250000 100000\n", 3),
        ("50000 100000", 1),
        ("9900000 100000", 8),
        ("", 8),
        ("200000 0", 8),
    ],
)
def test_a_quota_of_the_second_version(machine, text, cores):
    (machine / "cpu.max").write_text(text)
    assert processors.usable_cores() == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("400000", 4)])
def test_a_quota_of_the_first_version(machine, quota, cores):
    (machine / "cpu").mkdir()
    (machine / "cpu/cpu.cfs_quota_us").write_text(f"{quota}\n")
    (machine / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert processors.usable_cores() == cores


def test_a_processor_is_described_by_name_and_features(machine):
    (machine / "cpuinfo").write_text(
        "processor : 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx512f avx2 sse\n\nprocessor : 1\nmodel name : Other\n"
    )
    assert processors.describe() == "Some CPU, avx2 avx512f"


def test_a_processor_that_says_nothing_has_some_name(machine):
    assert processors.describe()
