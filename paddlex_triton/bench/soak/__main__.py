"""A server under mixed requests, hostile ones among them, for a long time.

    paddlex-triton serve & python -m paddlex_triton.bench.soak --pid $! --requests 10000 --minutes 30

Callers send small pages and hostile requests over REST, gRPC and HTTP. Every page must always have the same answer, and
nothing may fail but with a refusal or for want of room. In the end the server must have the processes that it had, no
more open files, and memory that was level in the second half.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import cv2
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from paddlex_triton.bench.console import short_errors, write_json
from paddlex_triton.bench.make_inputs import SAMPLE
from paddlex_triton.bench.soak.callers import Caller, ClientCaller, Ledger, RestCaller
from paddlex_triton.bench.soak.requests import Mixture, make_pages
from paddlex_triton.bench.soak.watch import Sample, growth, lasting_changes, watch
from paddlex_triton.client.transports.endpoint import Endpoint
from paddlex_triton.client.transports.http import HttpTransport
from paddlex_triton.pipelines import find_pipeline

_SAMPLES = {"OCR": SAMPLE, "seal_recognition": SAMPLE.with_name("contract.png")}
_WARM_UP_REQUESTS = 50
_MEGABYTE = 1e6


@dataclass
class SoakReport:
    """What came of a run.

    Attributes:
        seconds: it took.
        outcomes: way -> outcome -> how often.
        failures: what must not have happened.
        samples: looks at the server, from the end of the warming up on.
    """

    seconds: float = 0.0
    outcomes: dict[str, dict[str, int]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)


def soak(
    callers: Sequence[Caller],
    pages: Mapping[str, Sequence[bytes]],
    pid: int,
    *,
    requests: int,
    seconds: float = 0.0,
    concurrency: int = 16,
    hostile_share: float = 0.1,
    look_every_s: float = 5.0,
) -> SoakReport:
    """Send requests.

    Args:
        callers: the ways to go, in equal parts.
        pages: of each pipeline, by PaddleX's name.
        pid: of the server's first process.
        requests: to send at least.
        seconds: to send them for at least.
        concurrency: requests at once.
        hostile_share: of hostile ones, from 0 to 1.
        look_every_s: seconds between looks at the server.
    """
    mixture, ledger = Mixture(pages, hostile_share), Ledger()

    def send_until(total: int, end: float) -> None:
        def send(seed: int) -> None:
            dice = random.Random(seed + ledger.total)
            while ledger.total < total or time.monotonic() < end:
                dice.choice(callers).send(mixture.draw(dice), ledger)

        with ThreadPoolExecutor(concurrency) as threads:
            list(threads.map(send, range(concurrency)))

    began = time.monotonic()
    # Processes and connections that are made with the first requests belong to the server.
    send_until(min(_WARM_UP_REQUESTS, requests), 0.0)
    with watch(pid, look_every_s) as samples:
        send_until(requests, began + seconds)
    report = SoakReport(time.monotonic() - began, samples=samples)
    for (way, outcome), count in sorted(ledger.outcomes.items()):
        report.outcomes.setdefault(way, {})[outcome] = count
    report.failures = [*ledger.wrong, *lasting_changes(samples)]
    if ledger.wrong_count > len(ledger.wrong):
        report.failures.append(f"{ledger.wrong_count} wrong outcomes in all")
    return report


def print_report(report: SoakReport, console: Console) -> None:
    """Print what came of a run."""
    table = Table("way", "outcome", "requests", title=f"{report.seconds / 60:.1f} minutes")
    for way, outcomes in report.outcomes.items():
        for outcome, count in outcomes.items():
            table.add_row(way, escape(outcome[:100]), str(count))
    console.print(table)
    table = Table("minute", "processes", "open files", "memory, MB", "/dev/shm, MB")
    for sample in report.samples[:: max(1, len(report.samples) // 12)]:
        numbers = f"{sample.memory / _MEGABYTE:.0f}", f"{sample.shared / _MEGABYTE:.0f}"
        table.add_row(f"{sample.seconds / 60:.1f}", str(len(sample.processes)), str(sample.files), *numbers)
    console.print(table)
    for failure in report.failures:
        console.print(f"[bold red]Failed:[/bold red] {escape(failure)}", soft_wrap=True)


def main(
    pid: Annotated[int, typer.Option(help="Of the server's first process, of `paddlex-triton serve`.")],
    pipeline: Annotated[list[str] | None, typer.Option(help="That it serves; may be repeated. Without: OCR.")] = None,
    image: Annotated[list[str] | None, typer.Option(help="PIPELINE=FILE to cut pages from; may be repeated.")] = None,
    grpc_url: Annotated[str, typer.Option(help="Triton, for gRPC.")] = "127.0.0.1:8001",
    http_url: Annotated[str, typer.Option(help="Triton, for HTTP.")] = "http://127.0.0.1:8000",
    rest_url: Annotated[str, typer.Option(help="The gateway; empty for none.")] = "http://127.0.0.1:8080",
    requests: Annotated[int, typer.Option(help="To send at least.", min=1)] = 10_000,
    minutes: Annotated[float, typer.Option(help="To send them for at least.", min=0.0)] = 30.0,
    concurrency: Annotated[int, typer.Option(help="Requests at once.", min=1)] = 16,
    seed: Annotated[int, typer.Option(help="Of the pages.")] = 0,
    output: Annotated[Path | None, typer.Option(help="JSON file for the numbers.")] = None,
) -> None:
    """Send mixed requests for a long time; the exit status is 1 if anything failed."""
    with short_errors(), ExitStack() as stack:
        if not HttpTransport(Endpoint.parse(http_url)).server_ready():
            raise ValueError(f"no server is ready at {http_url}")
        names = [find_pipeline(name).name for name in pipeline or ["OCR"]]
        files = {**_SAMPLES, **{name: Path(file) for name, _, file in (each.partition("=") for each in image or [])}}
        pages = {name: make_pages(_read(files.get(name, SAMPLE)), seed) for name in names}
        ways: list[Caller] = [
            ClientCaller("grpc", grpc_url, http_url, names),
            ClientCaller("http", http_url, http_url, names),
        ]
        ways += [RestCaller(rest_url)] if rest_url else []
        for way in ways:
            stack.enter_context(closing(way))
        report = soak(ways, pages, pid, requests=requests, seconds=minutes * 60, concurrency=concurrency)
        report.failures += growth(report.samples)
    print_report(report, Console())
    if output:
        samples = [{**asdict(each), "processes": len(each.processes)} for each in report.samples]
        write_json({**asdict(report), "samples": samples}, output)
    if report.failures:
        raise typer.Exit(1)


def _read(path: Path) -> cv2.typing.MatLike:
    image = cv2.imread(str(path))
    if image is None:
        raise ValueError(f"{path} cannot be read")
    return image


if __name__ == "__main__":
    typer.run(main)
