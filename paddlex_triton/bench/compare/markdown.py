"""The report to read: Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from paddlex_triton.bench.compare.contestants import BASE
from paddlex_triton.bench.compare.results import (
    ContestantNumbers,
    PipelineNumbers,
    Report,
    TextDifference,
    compare_lines,
    percentile,
)

_NONE = "-"
_GB = 1e9


def render(report: Report, plots: Sequence[str] = ()) -> str:
    """Write the report; `plots` are pictures beside it."""
    parts = [_head(report)]
    for pipeline in report.pipelines:
        parts.append(f"## {pipeline.name}")
        parts.append(_settings(pipeline))
        if pipeline.contestants:
            parts += [_latency(pipeline), _networks(pipeline), _memory(pipeline), _throughput(pipeline)]
        parts.append(_skipped(pipeline))
        parts += [f"![{name}]({name})" for name in plots if name.startswith(f"{pipeline.name}_")]
    parts.append(_versions(report))
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(report: Report) -> str:
    machine = report.machine
    rows = [
        ("date", report.date),
        ("command", f"`{report.command}`"),
        ("paddlex-triton", report.version),
        ("CPU", f"{machine.cpu}, {machine.cores} cores for this process"),
        ("instructions", ", ".join(machine.flags) or "none of those looked for"),
        ("memory", f"{machine.memory_gb:g} GB"),
        ("load", f"{machine.load:g} before, {report.load_after:g} after"),
        ("system", f"{machine.system}, Python {machine.python}"),
        ("rounds", str(report.repeats)),
    ]
    lines = ["# Comparison", "", _table(("", ""), rows)]
    if report.busy:
        lines += [
            "",
            "**Run with --busy: whether the machine did other work was not looked at. Its times say nothing.**",
        ]
    return "\n".join(lines)


def _settings(pipeline: PipelineNumbers) -> str:
    params = ", ".join(f"{name}={value}" for name, value in pipeline.params.items())
    files = ", ".join(name if count == 1 else f"{name} ({count} files)" for name, count in pipeline.files.items())
    return f"Pages: {files}.\n\nParameters: {params or 'none'}."


def _latency(pipeline: PipelineNumbers) -> str:
    """One caller: times, their ratio to the base, CPU, what was read."""
    columns = (
        "page",
        "contestant",
        "n",
        "p50 ms",
        "p95",
        "p99",
        "mean",
        "ratio",
        "CPU s",
        "lines",
        "texts",
        "bare ms",
        "efficiency",
    )
    base = pipeline.find(BASE)
    rows = []
    for case in pipeline.files:
        for each in pipeline.contestants:
            numbers = each.cases[case]
            if not numbers.ms:
                continue
            of_base = base.cases[case] if base is not None else None
            ratio = numbers.median_ms / of_base.median_ms if of_base is not None and of_base.ms else None
            difference = compare_lines(numbers.lines, of_base.lines) if of_base is not None else None
            rows.append(
                (
                    case,
                    each.label,
                    str(len(numbers.ms)),
                    *(f"{percentile(numbers.ms, share):.0f}" for share in (0.5, 0.95, 0.99)),
                    f"{fmean(numbers.ms):.0f}",
                    _number(ratio, ".2f"),
                    f"{numbers.mean_cpu_s:.2f}",
                    str(sum(map(len, numbers.lines.values()))),
                    _NONE if each is base else _texts(difference),
                    _number(percentile(numbers.bare_ms, 0.5) if numbers.bare_ms else None, ".0f"),
                    _number(numbers.efficiency, ".2f"),
                )
            )
    return f"### Latency, one caller\n\n{_table(columns, rows)}"


def _texts(difference: TextDifference | None) -> str:
    if difference is None:
        return _NONE
    if not difference.different:
        return "identical"
    return f"{difference.different} of {difference.lines} differ"


def _networks(pipeline: PipelineNumbers) -> str:
    """Runs of networks at one caller: how many, how large, how much padding."""
    rows = []
    for case in pipeline.files:
        for each in pipeline.contestants:
            numbers = each.cases[case]
            for network, mean in numbers.rows_a_run.items():
                # Of all networks only the text recogniser pads.
                padding = numbers.padding if network == each.networks.get("text_recognition") else None
                rows.append(
                    (case, each.label, network, f"{numbers.runs[network]:.1f}", f"{mean:.1f}", _number(padding, ".0%"))
                )
    columns = ("page", "contestant", "network", "runs a page", "rows a run", "padding")
    return f"### Runs of networks, one caller\n\n{_table(columns, rows)}" if rows else ""


def _memory(pipeline: PipelineNumbers) -> str:
    rows = [
        (
            each.label,
            *(
                f"{size / _GB:.2f}"
                for size in (each.loaded_bytes, each.peak_bytes, each.after_bytes, each.shared_bytes)
            ),
        )
        for each in pipeline.contestants
    ]
    columns = ("contestant", "loaded GB", "peak", "after", "of it in /dev/shm")
    return f"### Memory\n\n{_table(columns, rows)}"


def _throughput(pipeline: PipelineNumbers) -> str:
    base = pipeline.find(BASE)
    best = max((each.pages_a_second for each in base.throughputs), default=None) if base is not None else None
    rows = [
        (
            each.label,
            some.tool,
            str(some.processes),
            str(some.callers),
            f"{some.pages_a_second:.2f}",
            _number(some.pages_a_second / best if best else None, ".2f"),
            ", ".join(f"{name} {mean:.1f}" for name, mean in some.rows_a_run.items() if mean) or _NONE,
        )
        for each in pipeline.contestants
        for some in each.throughputs
    ]
    columns = ("contestant", "sent by", "processes", "callers", "pages/s", "ratio", "rows a run")
    return f"### Throughput\n\n{_table(columns, rows)}" if rows else ""


def _skipped(pipeline: PipelineNumbers) -> str:
    lines = [f"- Without {label}: {_flat(reason)}" for label, reason in pipeline.skipped.items()]
    lines += [f"- {each.label}: {_flat(note)}" for each in pipeline.contestants for note in each.notes]
    return "\n".join(lines)


def _versions(report: Report) -> str:
    seen: dict[str, ContestantNumbers] = {}
    for pipeline in report.pipelines:
        for each in pipeline.contestants:
            seen.setdefault(each.label, each)
    rows = [
        (
            each.label,
            ", ".join(f"{name} {version}" for name, version in each.versions.items()),
            ", ".join(each.networks.values()),
        )
        for each in seen.values()
    ]
    return f"## Versions\n\n{_table(('contestant', 'packages', 'networks'), rows)}" if rows else ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else format(value, form)


def _flat(text: str) -> str:
    return " ".join(text.split())
