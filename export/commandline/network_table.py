"""The table of `paddlex-triton models`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import get_args

from rich import box
from rich.markup import escape
from rich.table import Table

from paddlex_triton.flavours import Flavour, fastest_on_cpu, flavours_for
from paddlex_triton.network import Family, NetworkInfo, OnCpu
from paddlex_triton.processors import describe
from paddlex_triton.zoo import ZooEntry


@dataclass(frozen=True)
class Row:
    """One network, in the zoo or exported from own weights."""

    name: str
    family: Family
    metric: str
    accuracy: str
    size: str
    source: str
    exported: bool


def rows(zoo: Mapping[str, ZooEntry], exported: Mapping[str, NetworkInfo]) -> list[Row]:
    """Return all networks by family, those of the zoo in its order, then those made from own weights."""
    listed = [_row(entry, name in exported) for name, entry in zoo.items()]
    own = [
        Row(name, info.family, "", "", "", info.provenance.source, True)
        for name, info in exported.items()
        if name not in zoo
    ]
    families = get_args(Family)
    return sorted([*listed, *own], key=lambda row: families.index(row.family))


def tables(listed: list[Row], loaded: Callable[[str], bool] | None = None) -> Iterator[Table]:
    """Yield a table for each family and way its accuracy was measured: 80 columns are enough for all of them.

    Args:
        listed: the networks, by family.
        loaded: tells whether a running server has a network; None where none was asked.
    """
    for family, members in groupby(listed, key=lambda row: row.family):
        found = list(members)
        metrics = list(dict.fromkeys(row.metric for row in found if row.metric)) or [""]
        for metric in metrics:
            # What was not measured stands with what was measured first.
            shown = [row for row in found if (row.metric or metrics[0]) == metric]
            yield _table(family, metric, shown, loaded)


def on_cpu(exported: Mapping[str, NetworkInfo]) -> Table | None:
    """Return a table of how long the engines for CPUs take for exported networks; None where none was measured."""
    measured = {name: (info, info.on_cpu) for name, info in exported.items() if info.on_cpu is not None}
    if not measured:
        return None
    here = describe()
    elsewhere = [name for name, (_, on) in measured.items() if on.processor != here]
    title = f"ms a usual run on {here}"
    if elsewhere:
        title += f"; measured on another processor: {', '.join(elsewhere)}, `paddlex-triton measure` does it here"
    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column("name", min_width=31, overflow="fold")
    for flavour in flavours_for("cpu"):
        table.add_column(flavour.title, justify="right", no_wrap=True)
    table.add_column("served in", min_width=14, overflow="fold")
    for name, (info, on) in measured.items():
        times = [_time_of(on, flavour) for flavour in flavours_for("cpu")]
        table.add_row(escape(name), *times, fastest_on_cpu(info).title)
    return table


def _time_of(measured: OnCpu, flavour: Flavour) -> str:
    if flavour.name in measured.refused:
        return "other answers"
    time = measured.milliseconds.get(flavour.name)
    return "-" if time is None else f"{time:.1f}"


def _table(family: str, metric: str, shown: list[Row], loaded: Callable[[str], bool] | None) -> Table:
    title = f"{family}: {metric}" if metric else family
    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column("name", min_width=31, overflow="fold")
    table.add_column("accuracy", justify="right", no_wrap=True)
    table.add_column("MB", justify="right", no_wrap=True, min_width=5)
    table.add_column("source", min_width=15, overflow="fold")
    table.add_column("exported", no_wrap=True)
    if loaded is not None:
        table.add_column("loaded", no_wrap=True)
    for row in shown:
        state = [_yes(row.exported)] + ([_yes(loaded(row.name))] if loaded is not None else [])
        table.add_row(escape(row.name), row.accuracy, row.size, escape(row.source), *state)
    return table


def _row(entry: ZooEntry, is_exported: bool) -> Row:
    measured = entry.accuracy
    return Row(
        name=entry.name,
        family=entry.family,
        metric=measured.metric if measured else "",
        accuracy=_measured(measured.value) if measured else "",
        size=_megabytes(entry.size_mb),
        source=", ".join(dict.fromkeys(source.kind for source in entry.sources)),
        exported=is_exported,
    )


def _measured(value: float) -> str:
    return f"{value:.2f}" if value >= 1 else f"{value:g}"


def _megabytes(size: float | None) -> str:
    if size is None:
        return ""
    return f"{size:.0f}" if size >= 100 else f"{size:.1f}"


def _yes(value: bool) -> str:
    return "yes" if value else "-"
