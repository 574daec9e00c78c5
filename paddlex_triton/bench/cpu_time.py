"""CPU time of a page, by process: client, Triton, modules, networks.

    python -m paddlex_triton.bench.cpu_time IMAGE --params '{"text_det_limit_side_len": 736}'

One page at a time, through the client, on a server of its own; what the processes take while nothing is asked of them
is deducted. CPU time hardly depends on what else the machine does, unlike time on a clock.

A network's process takes and hands over tensors between its runs. For OCR that is measured on a second server, whose
networks are hollow: there everything is measured but runs, and with warm caches, so that modules take less than beside
real networks.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from paddlex_triton.bench.console import short_errors, show
from paddlex_triton.bench.hollow import can_be_hollow, make_hollow
from paddlex_triton.bench.make_inputs import read_pages
from paddlex_triton.client import create_pipeline
from paddlex_triton.network import FILE_NAME, NetworkInfo
from paddlex_triton.ops.image import decode_image
from paddlex_triton.ops.text_detection import resize_for_detection
from paddlex_triton.params import OCRParams, parse_params
from paddlex_triton.server.host.launcher import EmbeddedServer

CLIENT, TRITON = "client", "tritonserver"
_SETTLE_S = 2.0
_IDLE_S = 3.0
# A stub's command line names its instance: `text_detection_0_1`.
_INSTANCE = re.compile(r"(.+)_\d+_\d+")


@dataclass(frozen=True)
class CpuTime:
    """CPU time of a page, milliseconds.

    Attributes:
        pages: so many were measured.
        processes: "client", "tritonserver", and each module and network, its instances together; runs included.
        networks: which of the processes are networks.
        hollow: the same with hollow networks; None where there are none.
    """

    pages: int
    processes: dict[str, float]
    networks: list[str]
    hollow: dict[str, float] | None = None

    @property
    def host_ms(self) -> float:
        """Modules and Triton, as they are beside real networks."""
        return sum(ms for name, ms in self.processes.items() if name not in (CLIENT, *self.networks))

    @property
    def outside_runs_ms(self) -> float | None:
        """The networks' processes between their runs; None if that was not measured."""
        return sum(self.hollow[name] for name in self.networks) if self.hollow else None


def process_cpu_ms(pid: int) -> float:
    """Read the CPU time of a process, all its threads, those that ended included.

    Raises:
        OSError: there is no such process.
    """
    # What clock_getcpuclockid(3) returns on Linux; Python has it for threads alone.
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e6


def model_of(command: Collection[str], models: Collection[str]) -> str | None:
    """Return the model that a child process of Triton serves, by its command line; None for other processes."""
    found = (_INSTANCE.fullmatch(argument) for argument in command)
    return next((match[1] for match in found if match and match[1] in models), None)


def server_processes(pid: int, models: Collection[str]) -> dict[int, str]:
    """Find the processes of a server: Triton's own and those of its models, by process id."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    pids = [int(child) for file in children for child in file.read_text().split()]
    commands = {child: Path(f"/proc/{child}/cmdline").read_text().split("\0") for child in pids}
    served = {child: model_of(command, models) for child, command in commands.items()}
    return {pid: TRITON, **{child: model for child, model in served.items() if model}}


def measure(server: EmbeddedServer, pipeline: str, page: bytes, params: Mapping[str, Any], pages: int) -> CpuTime:
    """Measure what a running server and the client take for a page.

    Args:
        server: nobody else may use it meanwhile.
        pipeline: PaddleX's name.
        page: the encoded file.
        params: of `predict`.
        pages: how many times the page is sent.
    """
    assert server.pid is not None
    assert server.assembly is not None
    networks = list(server.assembly.networks)
    processes = server_processes(server.pid, {*server.assembly.modules, *networks})
    processes[os.getpid()] = CLIENT

    def read() -> dict[str, float]:
        total: defaultdict[str, float] = defaultdict(float)
        for pid, name in processes.items():
            total[name] += process_cpu_ms(pid)
        return total

    with create_pipeline(pipeline, url=server.grpc_url, max_in_flight=1) as client:

        def send(count: int) -> float:
            start = time.perf_counter()
            for _ in range(count):
                list(client.predict(page, **params))
            return time.perf_counter() - start

        send(max(4, pages // 10))
        # Engines may be preparing themselves for what came, which is no part of the baseline.
        time.sleep(_SETTLE_S)
        before = read()
        time.sleep(_IDLE_S)
        idle = {name: (ms - before[name]) / _IDLE_S for name, ms in read().items()}
        before = read()
        elapsed_s = send(pages)
        used = {name: ms - before[name] - idle[name] * elapsed_s for name, ms in read().items()}
    return CpuTime(pages, {name: ms / pages for name, ms in used.items()}, networks)


def measure_cpu(
    pipeline: str, page: bytes, params: Mapping[str, Any], *, pages: int, preset: str | None, networks: list[Path]
) -> CpuTime:
    """Measure on a server of its own, and for OCR on one with hollow networks too.

    Args:
        pipeline: PaddleX's name.
        page: the encoded file.
        params: of `predict`.
        pages: how many times the page is sent to each.
        preset: of the pipeline; None for its default.
        networks: folders to look for networks in, besides the default one.
    """
    presets = {pipeline: preset} if preset else {}
    with TemporaryDirectory() as temporary:
        log, copies = Path(temporary) / "triton.log", Path(temporary) / "networks"
        with EmbeddedServer([pipeline], presets=presets, networks=networks, log_file=log) as server:
            real = measure(server, pipeline, page, params, pages)
            assert server.assembly is not None
            served = [server.assembly.directory / name for name in real.networks]
            # Their folders are links into the repositories.
            folders = [(folder / "1").resolve().parent for folder in served]
        if pipeline != "OCR" or not all(can_be_hollow(NetworkInfo.load(folder / FILE_NAME)) for folder in folders):
            return real
        resized = _detector_input(page, params)
        for folder in folders:
            make_hollow(folder, copies, resized)
        with EmbeddedServer([pipeline], presets=presets, networks=[copies], log_file=log) as server:
            hollow = measure(server, pipeline, page, params, pages)
    return CpuTime(pages, real.processes, real.networks, hollow.processes)


def _detector_input(page: bytes, params: Mapping[str, Any]) -> Any:
    parsed = parse_params(json.dumps(params), OCRParams)
    return resize_for_detection(
        decode_image(page),
        limit_side_len=parsed.text_det_limit_side_len,
        limit_type=parsed.text_det_limit_type,
        max_side_limit=parsed.text_det_max_side_limit,
    )


def print_report(report: CpuTime, console: Console) -> None:
    """Print the report as a table."""
    table = Table(title=f"CPU time of a page, ms; mean of {report.pages}", show_edge=False)
    table.add_column("process")
    table.add_column("all", justify="right")
    table.add_column("with hollow networks", justify="right")
    for name, ms in report.processes.items():
        table.add_row(name, f"{ms:.2f}", f"{report.hollow[name]:.2f}" if report.hollow else "")
    table.add_section()
    table.add_row("[bold]modules and tritonserver[/bold]", f"[bold]{report.host_ms:.2f}[/bold]", "")
    if report.outside_runs_ms is not None:
        table.add_row("networks' processes between runs", "", f"{report.outside_runs_ms:.2f}")
    console.print(table)


def main(
    image: Annotated[Path | None, typer.Argument(help="Image; the sample page if none is given.")] = None,
    pipeline: Annotated[str, typer.Option(help="Pipeline to measure.")] = "OCR",
    params: Annotated[str, typer.Option(help="JSON object with the pipeline's parameters.")] = "{}",
    preset: Annotated[str | None, typer.Option(help="Preset of the pipeline.")] = None,
    networks: Annotated[list[Path] | None, typer.Option(help="Folder with exported networks.")] = None,
    pages: Annotated[int, typer.Option(help="How many times the page is sent.", min=1)] = 50,
    output: Annotated[Path | None, typer.Option(help="JSON file for the numbers.")] = None,
) -> None:
    """Measure the CPU time of a page, by process."""
    with short_errors():
        page = read_pages([image] if image else [])[0]
        report = measure_cpu(pipeline, page, json.loads(params), pages=pages, preset=preset, networks=networks or [])
    show(report, print_report, output)


if __name__ == "__main__":
    typer.run(main)
