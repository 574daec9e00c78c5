"""A REST server under more callers than it can serve: ours, or PaddleX's own.

    python -m paddlex_triton.bench.rest page.png --url http://127.0.0.1:8080 --path /ocr --callers 64 --seconds 60

Each caller asks again as soon as it has an answer; one that was turned away waits as long as `Retry-After` says. With
`--pid` of the server, the CPU time of a request and the memory of its processes are told too.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import httpx
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from paddlex_triton.bench.compare.process_tree import cpu_seconds, memory_of
from paddlex_triton.bench.console import short_errors, show
from paddlex_triton.bench.make_inputs import SAMPLE

_TIMEOUT_S = 120.0
_GIGABYTE = 1e9


@dataclass
class RestLoad:
    """What callers met.

    Attributes:
        callers: at once.
        seconds: that they asked.
        statuses: HTTP status -> how often; 0 for no answer.
        a_second: accepted requests.
        p50_ms, p99_ms, most_ms: of accepted requests, at a caller.
        cpu_ms: CPU time of the server's processes for an accepted request, 0 if nobody said which they are.
        memory_gb: their memory half way, and in the end.
    """

    callers: int
    seconds: float
    statuses: dict[int, int] = field(default_factory=dict)
    a_second: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    most_ms: float = 0.0
    cpu_ms: float = 0.0
    memory_gb: list[float] = field(default_factory=list)


async def load(url: str, body: bytes, callers: int, seconds: float, pid: int | None = None) -> RestLoad:
    """Ask a server for some time.

    Args:
        url: of the path.
        body: of every request.
        callers: at once.
        seconds: to ask.
        pid: of the server's first process.
    """
    report, statuses, times = RestLoad(callers, seconds), Counter[int](), list[float]()
    cpu = cpu_seconds(pid) if pid else 0.0
    end = time.monotonic() + seconds

    async def call(client: httpx.AsyncClient) -> None:
        while time.monotonic() < end:
            began = time.monotonic()
            try:
                response = await client.post(url, content=body, headers={"Content-Type": "application/json"})
            except httpx.TransportError:
                statuses[0] += 1
                continue
            statuses[response.status_code] += 1
            if response.status_code == httpx.codes.OK:
                times.append(time.monotonic() - began)
            elif "retry-after" in response.headers:
                await asyncio.sleep(float(response.headers["retry-after"]))

    async def look() -> None:
        for _ in range(2):
            await asyncio.sleep(seconds / 2)
            report.memory_gb += [round(memory_of(pid).proportional / _GIGABYTE, 3)] if pid else []

    limits = httpx.Limits(max_connections=callers, max_keepalive_connections=callers)
    async with httpx.AsyncClient(timeout=_TIMEOUT_S, limits=limits, trust_env=False) as client:
        began = time.monotonic()
        await asyncio.gather(look(), *(call(client) for _ in range(callers)))
        took = time.monotonic() - began
    report.statuses = dict(sorted(statuses.items()))
    if times:
        report.a_second = len(times) / took
        p50, p99, most = np.percentile(times, [50, 99, 100]) * 1000
        report.p50_ms, report.p99_ms, report.most_ms = float(p50), float(p99), float(most)
        report.cpu_ms = (cpu_seconds(pid) - cpu) * 1000 / len(times) if pid else 0.0
    return report


def print_load(report: RestLoad, console: Console) -> None:
    """Print what callers met."""
    table = Table("", f"{report.callers} callers", title="Requests to a REST server")
    table.add_row("answers", ", ".join(f"{status or 'none'}: {count}" for status, count in report.statuses.items()))
    table.add_row("accepted a second", f"{report.a_second:.2f}")
    table.add_row("p50, p99, longest, ms", f"{report.p50_ms:.0f}, {report.p99_ms:.0f}, {report.most_ms:.0f}")
    if report.memory_gb:
        table.add_row("CPU of the server, ms each", f"{report.cpu_ms:.0f}")
        table.add_row("its memory half way, in the end, GB", ", ".join(f"{each:.2f}" for each in report.memory_gb))
    console.print(table)


def main(
    image: Annotated[Path, typer.Argument(help="Image; the sample page if none is given.")] = SAMPLE,
    url: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8080",
    path: Annotated[str, typer.Option(help="Of the pipeline.")] = "/ocr",
    body: Annotated[str, typer.Option(help="JSON object with further fields of the body.")] = '{"visualize": false}',
    callers: Annotated[int, typer.Option(help="At once.", min=1)] = 64,
    seconds: Annotated[float, typer.Option(help="To ask.", min=0.1)] = 60.0,
    pid: Annotated[int | None, typer.Option(help="Of the server's first process.")] = None,
    output: Annotated[Path | None, typer.Option(help="JSON file for the numbers.")] = None,
) -> None:
    """Ask a REST server from many callers at once."""
    with short_errors():
        source = "image" if path == "/human-keypoint-detection" else "file"
        sent = {source: base64.b64encode(image.read_bytes()).decode(), **json.loads(body)}
        if source == "file":
            sent.setdefault("fileType", 1)
        report = asyncio.run(load(url + path, json.dumps(sent).encode(), callers, seconds, pid))
    show(report, print_load, output)


if __name__ == "__main__":
    typer.run(main)
