"""Exports a network again and again, each time killed at another moment, and once more to its end: see `main`."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from paddlex_triton.export.api import Options, run_export_network

# What an audit hook is told of that changes a disk, starts a program or asks a server.
_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "subprocess.Popen", "socket.connect")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Moments:
    """Counts the moments of a run, and kills it at one of them."""

    def __init__(self, last: int | None = None) -> None:
        self.last, self.count = last, 0

    def passed(self) -> None:
        """One more."""
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def heard(self, event: str, arguments: tuple) -> None:
        """As an audit hook."""
        if event in _CHANGES or (event == "open" and arguments[2] & _WRITES):
            self.passed()

    def told(self, message: str) -> None:
        """As what is told the progress: parts of a download come without any event."""
        del message
        self.passed()


def export(name: str, folder: Path, moments: Moments, watch: bool = True) -> None:
    """Export into `repository` of a folder, with a home and a place for temporary files of its own."""
    for variable, place in (("PADDLEX_TRITON_HOME", "home"), ("TMPDIR", "tmp")):
        (folder / place).mkdir(parents=True, exist_ok=True)
        os.environ[variable] = str(folder / place)
    if watch:
        sys.addaudithook(moments.heard)
    run_export_network(name, Options(into=folder / "repository", progress=moments.told))


def in_child(work: Callable[[], None]) -> int:
    """Run something in a process of its own: its exit status, negative for the signal that ended it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(name: str, base: Path, most: int) -> None:
    """Run one export to its end, in `base/whole`; then kill one at each of its moments, in `base/<moment>`.

    Beside each folder goes `<moment>.json`: how the killed run and the one after it ended, and what lay there between.

    Args:
        name: of the network.
        base: an empty folder.
        most: how many moments are tried, evenly spread if there are more.
    """
    counted = base / "count"

    def whole() -> None:
        moments = Moments()
        export(name, base / "whole", moments)
        counted.write_text(str(moments.count))

    assert in_child(whole) == 0
    count = int(counted.read_text())
    chosen = sorted({1 + round(index * (count - 1) / (most - 1)) for index in range(most)})
    for moment in chosen:
        folder = base / str(moment)
        killed = in_child(lambda moment=moment, folder=folder: export(name, folder, Moments(moment)))
        between = files_in(folder)
        again = in_child(lambda folder=folder: export(name, folder, Moments()))
        found = {"killed": killed, "between": between, "again": again, "after": files_in(folder)}
        (base / f"{moment}.json").write_text(json.dumps(found))


def files_in(folder: Path) -> list[str]:
    """All that is in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
