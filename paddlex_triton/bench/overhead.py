"""The cost of a request beside the networks: decoding, resizing, post-processing, the server's hops and the wire.

    python -m paddlex_triton.bench.overhead IMAGE --params '{"text_det_limit_side_len": 736}'

One request at a time. Its overhead is the time measured at the client, less the time that Triton counted for runs
of the networks (`compute_infer` per execution, the sum of all executions). Copying a network's inputs and outputs
and waiting for it counts as overhead. With one instance per network its runs follow each other, so that their sum is
time on a clock; the report warns where a network has more.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from paddlex_triton.bench.console import AdminKeyFile, short_errors, show
from paddlex_triton.bench.make_inputs import read_pages
from paddlex_triton.bench.statistics import ModelStatistics
from paddlex_triton.bench.target import Stages, Target, open_target


@dataclass(frozen=True)
class RequestCost:
    """One request. Times are milliseconds.

    Attributes:
        request_ms: at the client, from sending to having all outputs.
        models: what Triton counted for it, per module and network.
    """

    request_ms: float
    models: dict[str, ModelStatistics]

    def overhead_ms(self, stages: Stages) -> float:
        """Return the time of the request without the runs of the networks."""
        return self.request_ms - sum(self.models[name].infer_ms for name in stages.all_networks())

    def own_ms(self, module: str, stages: Stages) -> float:
        """Return the time of a module's request, waiting included, without the runs of its networks."""
        return self.models[module].request_ms - sum(self.models[name].infer_ms for name in stages.networks[module])

    def outside_ms(self, stages: Stages) -> float:
        """Return what no module accounts for: the wire, the client's packing and the ensemble's steps."""
        return self.request_ms - sum(self.models[module].request_ms for module in stages.networks)


@dataclass(frozen=True)
class Overhead:
    """Medians over the requests of each run, and of those over the runs. Times are milliseconds."""

    requests: int
    runs: list[float]
    overhead_ms: float
    request_ms: float
    networks: dict[str, dict[str, float]]
    stages: dict[str, float]
    several_instances: list[str]


def measure_request(target: Target, stages: Stages, image: bytes, params: bytes) -> RequestCost:
    """Send one request between two readings of the statistics. Nobody else may use the server meanwhile."""
    before = {name: target.statistics(name) for name in stages.models()}
    start = time.perf_counter()
    target.infer(image, params)
    elapsed_ms = (time.perf_counter() - start) * 1000
    return RequestCost(elapsed_ms, {name: target.statistics(name) - before[name] for name in before})


def measure_overhead(
    target: Target, image: bytes, params: bytes, *, requests: int = 20, runs: int = 3, warmup: int = 5
) -> Overhead:
    """Measure at concurrency 1.

    Args:
        target: the server.
        image: the encoded file.
        params: UTF-8 JSON.
        requests: per run.
        runs: how many; the median of their medians is the result.
        warmup: requests before the first run that are not counted.
    """
    if requests < 1 or runs < 1:
        raise ValueError(f"requests and runs must be at least 1, got {requests} and {runs}")
    stages = target.stages()
    for _ in range(warmup):
        target.infer(image, params)
    costs = [[measure_request(target, stages, image, params) for _ in range(requests)] for _ in range(runs)]
    several = [name for name in stages.all_networks() if _instances(target.configuration(name)) > 1]
    return summarise(costs, stages, several)


def summarise(costs: list[list[RequestCost]], stages: Stages, several_instances: list[str]) -> Overhead:
    """Return the medians of what was measured, run by run."""
    run_medians = [statistics.median(cost.overhead_ms(stages) for cost in run) for run in costs]
    every = [cost for run in costs for cost in run]
    median = statistics.median
    parts = {module: median(cost.own_ms(module, stages) for cost in every) for module in stages.networks}
    parts["wire, client and ensemble"] = median(cost.outside_ms(stages) for cost in every)
    networks = {
        name: {
            "infer_ms": median(cost.models[name].infer_ms for cost in every),
            "executions": median(cost.models[name].executions for cost in every),
            "rows": median(cost.models[name].inferences for cost in every),
            "input_output_ms": median(cost.models[name].input_ms + cost.models[name].output_ms for cost in every),
        }
        for name in stages.all_networks()
    }
    return Overhead(
        requests=len(every),
        runs=run_medians,
        overhead_ms=median(run_medians),
        request_ms=median(cost.request_ms for cost in every),
        networks=networks,
        stages=parts,
        several_instances=several_instances,
    )


def _instances(configuration: dict[str, Any]) -> int:
    return sum(int(group.get("count", 1)) for group in configuration.get("instance_group", []))


def print_report(report: Overhead, console: Console) -> None:
    """Print the report as a table."""
    table = Table(title=f"{report.requests} requests, one at a time; medians", show_edge=False)
    table.add_column("part")
    table.add_column("ms", justify="right")
    table.add_column("")
    table.add_row("request", f"{report.request_ms:.1f}", "measured at the client")
    for name, numbers in report.networks.items():
        runs = f"{numbers['rows']:.0f} rows in {numbers['executions']:.0f} runs"
        table.add_row(f"network {name}", f"{numbers['infer_ms']:.1f}", runs)
    table.add_section()
    for name, value in report.stages.items():
        table.add_row(name, f"{value:.1f}", "without its networks" if name in report.stages else "")
    table.add_section()
    runs = "median of runs: " + ", ".join(f"{value:.1f}" for value in report.runs)
    table.add_row("[bold]overhead[/bold]", f"[bold]{report.overhead_ms:.1f}[/bold]", runs)
    console.print(table)
    if report.several_instances:
        names = ", ".join(report.several_instances)
        console.print(f"[yellow]{names}: several instances may run at once, the overhead is a lower bound[/yellow]")


def main(
    image: Annotated[Path | None, typer.Argument(help="Image; the sample page if none is given.")] = None,
    pipeline: Annotated[str, typer.Option(help="Pipeline to measure.")] = "OCR",
    params: Annotated[str, typer.Option(help="JSON object with the pipeline's parameters.")] = "{}",
    http_url: Annotated[str | None, typer.Option(help="Running server; an embedded one if none is given.")] = None,
    grpc_url: Annotated[str | None, typer.Option(help="host:port of the running server's gRPC.")] = None,
    admin_key_file: AdminKeyFile = None,
    requests: Annotated[int, typer.Option(help="Requests per run.", min=1)] = 20,
    runs: Annotated[int, typer.Option(help="Runs; their median is the result.", min=1)] = 3,
    output: Annotated[Path | None, typer.Option(help="JSON file for the numbers.")] = None,
) -> None:
    """Measure what a request costs beside the networks."""
    with short_errors():
        page = read_pages([image] if image else [])[0]
        with open_target(pipeline, http_url, grpc_url, admin_key_file) as target:
            report = measure_overhead(target, page, params.encode(), requests=requests, runs=runs)
    show(report, print_report, output)


if __name__ == "__main__":
    typer.run(main)
