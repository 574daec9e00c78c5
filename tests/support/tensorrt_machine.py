"""A machine with a GPU and TensorRT, as far as the command line can tell: stand-ins for nvidia-smi and trtexec."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest
import stand_in_trtexec


class Machine:
    """The stand-ins, in a folder that is first on the path."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capabilities: tuple[str, ...] = ("9.0",)) -> None:
        folder.mkdir()
        self._folder, self._monkeypatch = folder, monkeypatch
        self.log = folder / "log.txt"
        program = Path(stand_in_trtexec.__file__)
        self._write("trtexec", f'exec {shlex.quote(sys.executable)} {shlex.quote(str(program))} "$@"')
        self._write("nvidia-smi", "\n".join(f"echo {capability}" for capability in capabilities) or "exit 9")
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("STAND_IN_LOG", str(self.log))
        monkeypatch.delenv("PADDLEX_TRITON_TRTEXEC", raising=False)
        monkeypatch.delenv("PADDLEX_TRITON_TENSORRT", raising=False)
        monkeypatch.delenv("TRT_VERSION", raising=False)

    @property
    def trtexec(self) -> Path:
        return self._folder / "trtexec"

    def without(self, command: str) -> None:
        (self._folder / command).unlink()

    def set(self, **variables: str) -> None:
        """Make trtexec misbehave: `version="v8601"` sets STAND_IN_VERSION."""
        for name, value in variables.items():
            self._monkeypatch.setenv(f"STAND_IN_{name.upper()}", value)

    def calls(self, option: str) -> list[str]:
        """The command lines that had an option."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if option in line]

    def _write(self, name: str, script: str) -> None:
        (self._folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (self._folder / name).chmod(0o755)
