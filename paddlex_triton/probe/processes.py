"""The processes of a Triton on this machine: a model's process that was killed stays dead, and Triton stays ready."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_DEFAULT_HTTP_PORT = 8000
# The kernel keeps 15 characters of a name.
_SERVER, MODEL_PROCESS = "tritonserver", "triton_python_backend_stub"[:15]
ENDED, _STOPPED = ("Z", "X"), ("T",)


@dataclass(frozen=True)
class ModelProcesses:
    """How many processes a server's models have.

    Attributes:
        all: of them, the dead ones too.
        ended: killed or crashed; Triton does not start them again.
        stopped: by a signal.
    """

    all: int
    ended: int
    stopped: int


def model_processes(port: int, proc: Path = Path("/proc")) -> ModelProcesses | None:
    """Count the processes of the models of the Triton on this machine that listens on a port.

    Args:
        port: of its HTTP endpoint.
        proc: where the kernel tells of processes.

    Returns:
        None where no such Triton is in sight, or the system does not tell.
    """
    found = list(processes(proc))
    server = next((one for one in found if one.name == _SERVER and _http_port(proc, one.pid) == port), None)
    if server is None:
        return None
    states = [one.state for one in found if one.parent == server.pid and one.name == MODEL_PROCESS]
    return ModelProcesses(len(states), sum(s in ENDED for s in states), sum(s in _STOPPED for s in states))


@dataclass(frozen=True)
class Process:
    """A process.

    Attributes:
        pid: its id.
        name: as far as the kernel keeps it.
        state: the kernel's letter for it.
        parent: id of the process that started it.
    """

    pid: int
    name: str
    state: str
    parent: int


def processes(proc: Path = Path("/proc")) -> Iterator[Process]:
    """Go through the processes of this machine, as far as they are in sight.

    Args:
        proc: where the kernel tells of them.
    """
    for folder in proc.glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text(errors="replace")
        except OSError:
            continue
        # The name may hold spaces and brackets; what follows it does not.
        name, _, rest = text.partition("(")[2].rpartition(")")
        state, parent = rest.split()[:2]
        yield Process(int(folder.name), name, state, int(parent))


def _http_port(proc: Path, pid: int) -> int | None:
    try:
        arguments = (proc / str(pid) / "cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return None
    ports = [argument.partition("=")[2] for argument in arguments if argument.startswith("--http-port=")]
    return int(ports[-1]) if ports and ports[-1].isdigit() else _DEFAULT_HTTP_PORT
