"""Sharing the cores of a CPU among runs of networks: how many at once, with how many threads each."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from paddlex_triton.processors import usable_cores
from paddlex_triton.server.host.errors import AssemblyError

# Threads of one run. A second thread makes the recogniser of PP-OCRv4 1.87 times as fast; each further one adds less,
# as single operators are too small to share. See docs/tuning.md.
MOST_THREADS = 4

_COUNT = re.compile(r"^([^#\n]*\bcount:\s*)\d+", re.MULTILINE)
_THREADS = re.compile(
    r'^([^#\n]*\bkey: "(?:intra_op_thread_count|thread_count)"[^#\n]*string_value: )"\d+"', re.MULTILINE
)
_TURNS = re.compile(r'^([^#\n]*\bkey: "take_turns"[^#\n]*string_value: )"\d+"', re.MULTILINE)


@dataclass(frozen=True)
class CoreSharing:
    """How cores are shared.

    Attributes:
        instances: processes of each network, and runs at once of all that take turns.
        threads: of a run; 0 for as many as there are cores.
    """

    instances: int = 1
    threads: int = 0

    def __str__(self) -> str:
        """As in messages."""
        return f"{self.instances} x {self.threads or 'all'} threads"


def share_cores(instances: int | None = None, cores: int | None = None) -> CoreSharing:
    """Decide how runs share cores: runs of `MOST_THREADS` threads, and as many at once as fill the cores.

    Args:
        instances: so many runs at once instead.
        cores: that there are; those this process may use if None.

    Raises:
        AssemblyError: there are less cores than instances, or no instance is asked for.
    """
    there = cores if cores is not None else usable_cores()
    if instances is None:
        instances = max(1, there // MOST_THREADS)
    if not 1 <= instances <= there:
        raise AssemblyError(f"{instances} instances of each network on {there} cores: 1 to {there} are possible")
    threads = there // instances
    # An engine that is told nothing takes all cores, which it knows best; but it does not know of a cgroup's quota.
    return CoreSharing(instances, 0 if instances == 1 and threads == (os.cpu_count() or 1) else threads)


def put_into_network(text: str, sharing: CoreSharing) -> str:
    """Write it into a network's configuration for CPUs; everything else stays as it is, comments too.

    Args:
        text: of its config.pbtxt, as export writes it.
        sharing: how cores are shared.
    """
    if sharing == CoreSharing():
        return text
    text = _COUNT.sub(rf"\g<1>{sharing.instances}", text)
    text = _THREADS.sub(rf'\g<1>"{sharing.threads}"', text)
    text = _TURNS.sub(rf'\g<1>"{sharing.instances}"', text)
    return f"# {sharing}: assembled for the cores of this machine.\n{text}"


def put_into_module(text: str, sharing: CoreSharing) -> str:
    """Give a module as many instances as there are runs of networks at once, if it has fewer.

    Args:
        text: of its config.pbtxt.
        sharing: how cores are shared.
    """

    def most(found: re.Match[str]) -> str:
        return f"{found[1]}{max(sharing.instances, int(found[0][len(found[1]) :]))}"

    return _COUNT.sub(most, text)
