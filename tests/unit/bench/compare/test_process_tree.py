"""CPU time and memory of processes, from a /proc of our own and from the real one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paddlex_triton.bench.compare.process_tree import cpu_seconds, memory_of, tree_of, watch_memory

TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def proc(tmp_path):
    """1 has the child 2, which has the child 3; 4 is somebody else's. Each counts 1, 2, 4 and 8 s of CPU time."""
    for pid, parent, name in ((1, 0, "init"), (2, 1, "a (b) c"), (3, 2, "stub"), (4, 0, "other")):
        folder = tmp_path / str(pid)
        folder.mkdir()
        counts = " ".join(str(seconds * TICKS) for seconds in (1, 2, 4, 8))
        (folder / "stat").write_text(f"{pid} ({name}) S {parent} 1 1 0 -1 0 0 0 0 0 {counts} 20 0 1 0")
        (folder / "smaps_rollup").write_text("00-ff ---p 0 0 0 [rollup]\nRss: 900 kB\nPss: 100 kB\nPss_Anon: 70 kB\n")
        (folder / "maps").write_text("7f-80 rw-s 0 0 1 /nowhere/dev/shm/region\n")
    (tmp_path / "self").mkdir()
    return tmp_path


def test_a_tree_is_a_process_and_its_descendants(proc):
    assert sorted(tree_of(1, proc)) == [1, 2, 3]
    assert tree_of(4, proc) == [4]


def test_cpu_seconds_of_a_tree(proc):
    assert cpu_seconds(2, proc) == 30


def test_processes_that_ended_meanwhile_are_left_out(proc):
    for file in ("stat", "smaps_rollup", "maps"):
        (proc / "3" / file).unlink()
    assert cpu_seconds(2, proc) == 15
    assert memory_of(2, proc).proportional == 100 * 1024


def test_memory_of_a_tree(proc):
    assert memory_of(1, proc).proportional == 3 * 100 * 1024


def test_a_child_counts():
    work = "import mmap, time; m = bytearray(200_000_000); print(1, flush=True); input()"
    before = memory_of(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        child.stdout.readline()
        with watch_memory(os.getpid(), 0.01) as seen:
            pass
        assert seen[-1].proportional - before.proportional > 150_000_000
        assert cpu_seconds(child.pid) > 0
    finally:
        child.communicate(b"\n")


def test_regions_in_shared_memory_count_once(tmp_path):
    path = f"/dev/shm/paddlex_triton_test_{os.getpid()}"
    code = f"""
import mmap, sys
file = open({path!r}, "r+b")
region = mmap.mmap(file.fileno(), 0)
print(1, flush=True)
input()
"""
    Path(path).write_bytes(b"x" * 4_000_000)
    children = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)
    ]
    try:
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        shared = memory_of(os.getpid()).shared
        assert 4_000_000 <= shared < 8_000_000
    finally:
        for child in children:
            child.communicate(b"\n")
        Path(path).unlink()
