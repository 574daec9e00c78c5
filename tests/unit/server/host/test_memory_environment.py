"""How glibc manages the memory of the server's processes."""

import os
import subprocess
import sys

from paddlex_triton.server.host.tritonserver_arguments import memory_environment

_FAULTS = """
import resource
import numpy as np

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        [np.ones(12_000_000, np.uint8) for _ in range(4)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""
_KEPT = """
import numpy as np

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

before = resident()
pages = [np.ones(size, np.uint8) for size in (30_000_000, 20_000_000, 60_000_000, 30_000_000)]
del pages
print(resident() - before)
"""


def ask(script: str, environment: dict[str, str]) -> int:
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_pages_need_no_new_memory():
    assert ask(_FAULTS, {}) > 10_000
    assert ask(_FAULTS, memory_environment()) < 100


def test_large_pages_leave_little_behind():
    assert ask(_KEPT, memory_environment()) < 70_000_000
