"""What machine it is, and whether it is idle."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from paddlex_triton.bench.compare import __main__ as command
from paddlex_triton.bench.compare.machine import BusyMachine, look_at_machine, require_idle
from paddlex_triton.processors import usable_cores

CPUINFO = """processor\t: 0
model name\t: Example CPU 9000
flags\t\t: fpu sse2 avx2 fma avx512f avx512_vnni amx_tile
processor\t: 1
model name\t: Example CPU 9000
"""


@pytest.fixture
def machine(tmp_path):
    (tmp_path / "cpuinfo").write_text(CPUINFO)
    return replace(look_at_machine(tmp_path / "cpuinfo", tmp_path / "none"), cores=4, load=2.0)


def test_the_cpu_is_read(machine):
    assert machine.cpu == "Example CPU 9000"
    assert machine.flags == ("avx2", "fma", "avx512f", "avx512_vnni", "amx_tile")
    assert machine.memory_gb > 0


def test_a_system_without_cpuinfo(tmp_path):
    machine = look_at_machine(tmp_path / "none", tmp_path / "none")
    assert (bool(machine.cpu), machine.flags, machine.cores) == (True, (), len(os.sched_getaffinity(0)))


@pytest.mark.parametrize(
    ("text", "cores"), [("max 100000", 8), ("250000 100000", 3), ("50000 100000", 1), ("9900000 100000", 8)]
)
def test_the_share_of_a_group_counts(tmp_path, monkeypatch, text, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    (tmp_path / "cpu.max").write_text(text)
    assert usable_cores(tmp_path) == cores


def test_half_a_process_a_core_is_idle(machine):
    require_idle(machine, busy=False)


def test_more_is_refused_unless_asked_for(machine):
    loaded = replace(machine, load=2.01)
    with pytest.raises(BusyMachine, match=r"load is 2.01 on 4 cores; at most 2 is taken for idle.*--busy"):
        require_idle(loaded, busy=False)
    require_idle(loaded, busy=True)


def test_the_command_refuses_a_busy_machine(machine, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "look_at_machine", lambda: replace(machine, load=9.0))
    monkeypatch.setattr(command, "Runner", None)
    app = typer.Typer()
    app.command()(command.main)
    result = CliRunner().invoke(app, ["--out", str(tmp_path / "report")])
    assert result.exit_code == 1
    assert "the load is 9.0 on 4 cores" in " ".join(result.output.split())
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--pipelines", "OCR,table"], "unknown pipeline table; compared are OCR, seal_recognition"),
        (["--contestants", "paddlex,tesseract"], "unknown contestant tesseract; known: cpu"),
    ],
)
def test_the_command_refuses_what_it_does_not_know(machine, monkeypatch, tmp_path, arguments, text):
    monkeypatch.setattr(command, "look_at_machine", lambda: machine)
    monkeypatch.setattr(command, "Runner", None)
    app = typer.Typer()
    app.command()(command.main)
    result = CliRunner().invoke(app, ["--out", str(tmp_path), *arguments])
    assert result.exit_code == 1
    assert text in " ".join(result.output.split())


def test_pictures_are_for_all_pipelines_or_for_one():
    given = ["all", "OCR=pages", "odd=name", "human_keypoint_detection="]
    assert command._images(given, ["OCR", "seal_recognition"]) == {
        "OCR": (Path("all"), Path("pages"), Path("odd=name"), Path("human_keypoint_detection=")),
        "seal_recognition": (Path("all"), Path("odd=name"), Path("human_keypoint_detection=")),
    }
