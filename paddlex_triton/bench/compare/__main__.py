"""This package against those it replaces, in one run: latency, throughput, CPU, memory, and what was read.

    python -m paddlex_triton.bench.compare --out report
    python -m paddlex_triton.bench.compare --quick --pipelines OCR --contestants cpu,paddlex

Contestants are processes of their own, in environments that the command makes. They read the same pages in turn, round
after round, so that what a machine does besides hits all of them. docs/benchmarks.md says what each number is.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from paddlex_triton.bench.compare.contestants import PIPELINES, contestants_for
from paddlex_triton.bench.compare.machine import BusyMachine, look_at_machine, require_idle
from paddlex_triton.bench.compare.markdown import render
from paddlex_triton.bench.compare.measure import Plan
from paddlex_triton.bench.compare.plots import draw_plots
from paddlex_triton.bench.compare.results import Report
from paddlex_triton.bench.compare.runner import Inputs, Runner
from paddlex_triton.bench.console import short_errors, write_json
from paddlex_triton.client.files import write_whole
from paddlex_triton.network_choice import NetworkChoice
from paddlex_triton.pipelines import ChoiceError
from paddlex_triton.version import __version__

QUICK = Plan(repeats=2, callers=(1, 8), least_pages=5, pages_a_caller=1, perf_analyzer=False)
_QUICK_SEALS, _SEALS = 6, 130


def write_report(report: Report, folder: Path) -> None:
    """Write report.md, report.json and the plots into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    plots: dict[str, str] = {}
    for pipeline in report.pipelines:
        plots |= draw_plots(pipeline)
    for name, content in {**plots, "report.md": render(report, list(plots))}.items():
        write_whole(folder / name, lambda file, text=content: file.write_text(text, encoding="utf-8"))
    write_json(asdict(report), folder / "report.json")


def _split(text: str | None) -> list[str] | None:
    return [part.strip() for part in text.split(",") if part.strip()] if text is not None else None


def _pipelines(text: str) -> list[str]:
    chosen = _split(text) or []
    if unknown := [name for name in chosen if name not in PIPELINES]:
        raise ChoiceError(f"unknown pipeline {', '.join(unknown)}; compared are {', '.join(PIPELINES)}")
    return chosen


def _images(given: list[str], pipelines: list[str]) -> dict[str, tuple[Path, ...]]:
    """Read PATH, for all pipelines, and PIPELINE=PATH."""
    found: dict[str, tuple[Path, ...]] = dict.fromkeys(pipelines, ())
    for text in given:
        name, _, path = text.partition("=")
        if name in PIPELINES and path:
            found[name] = (*found.get(name, ()), Path(path))
        else:
            found = {pipeline: (*paths, Path(text)) for pipeline, paths in found.items()}
    return found


def main(
    out: Annotated[Path, typer.Option(help="Folder for the report, and for pictures and logs.")] = Path("comparison"),
    pipelines: Annotated[str, typer.Option(help="Pipelines, with commas between them.")] = ",".join(PIPELINES),
    contestants: Annotated[str | None, typer.Option(help="Contestants, with commas between them; all if none.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Rounds, whose medians are the result. 7 if none.", min=1)] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            help="Folder or picture of your own, read besides; PIPELINE=PATH for one pipeline. May be repeated."
        ),
    ] = None,
    own_alone: Annotated[bool, typer.Option("--own-alone", help="Read nothing but the pictures of --images.")] = False,
    networks: Annotated[list[Path] | None, typer.Option(help="Folder with exported networks; may be repeated.")] = None,
    weights: Annotated[
        list[Path] | None,
        typer.Option(help="Folder with own weights that networks were exported from, <network>/model.onnx."),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="step=network, in the place of the usual one; may be repeated.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few minutes: two rounds, little load.")] = False,
    busy: Annotated[bool, typer.Option("--busy", help="Run on a machine that does other work, too.")] = False,
) -> None:
    """Compare this package with PaddleX, PaddleX's server and RapidOCR."""
    console = Console(stderr=True)
    with short_errors(BusyMachine):
        machine = look_at_machine()
        require_idle(machine, busy)
        chosen = _pipelines(pipelines)
        wanted = {name: contestants_for(name, _split(contestants)) for name in chosen}
        plan = QUICK if quick else Plan()
        if repeats is not None:
            plan = replace(plan, repeats=repeats)
        inputs = Inputs(
            tuple(networks or ()),
            tuple(weights or ()),
            NetworkChoice.parse(model or []),
            _images(images or [], chosen),
            _QUICK_SEALS if quick else _SEALS,
            own_alone,
        )
        runner = Runner(inputs, plan, out / "work", machine.cores, lambda text: console.print(text, markup=False))
        report = Report(
            date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            command=shlex.join(["python", "-m", "paddlex_triton.bench.compare", *sys.argv[1:]]),
            version=__version__,
            machine=machine,
            busy=busy,
            load_after=0.0,
            repeats=plan.repeats,
        )
        for name in chosen:
            report.pipelines.append(runner.compare(name, wanted[name]))
            report.load_after = round(os.getloadavg()[0], 2)
            # After each: what was measured is not lost with what comes later.
            write_report(report, out)
    Console().print(f"report in {out / 'report.md'}", markup=False)


if __name__ == "__main__":
    typer.run(main)
