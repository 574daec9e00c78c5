"""The processes of a server's models by name: Triton does not start them again, and says that it is ready."""

from __future__ import annotations

from pathlib import Path

from paddlex_triton.probe.processes import ENDED, MODEL_PROCESS, Process, processes

# Among the arguments that Triton starts such a process with: the name of the model's instance.
_NAME_ARGUMENT = 8


class ModelWatch:
    """The processes that a server's models have when it is ready.

    Attributes:
        names: of the instances, by the id of their process.
    """

    def __init__(self, server: int, proc: Path = Path("/proc")) -> None:
        """Remember them.

        Args:
            server: id of tritonserver's process.
            proc: where the kernel tells of processes.
        """
        self._proc, self._server = proc, server
        self.names = {each.pid: self._name(each.pid) for each in self._children() if each.state not in ENDED}

    def dead(self) -> list[str]:
        """Return the names of the instances whose process is no more."""
        alive = {each.pid for each in self._children() if each.state not in ENDED}
        return sorted(name for pid, name in self.names.items() if pid not in alive)

    def _children(self) -> list[Process]:
        return [each for each in processes(self._proc) if each.parent == self._server and each.name == MODEL_PROCESS]

    def _name(self, pid: int) -> str:
        try:
            arguments = (self._proc / str(pid) / "cmdline").read_text(errors="replace").split("\0")
        except OSError:
            arguments = []
        return arguments[_NAME_ARGUMENT] if len(arguments) > _NAME_ARGUMENT else f"process {pid}"
