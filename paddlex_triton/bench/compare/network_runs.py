"""The runs of networks that a page takes, read off Triton's trace: what each was sent, how much of it padding.

Triton writes tensors with their data into its trace, 8 bit numbers as bare bytes, so that the file is not always JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

# Read as bytes: what stands in `data` can be anything.
_MODEL = re.compile(rb'\{"id":(\d+),"model_name":"([^"]+)"')
_INPUT = re.compile(rb'\{"id":(\d+),"activity":"TENSOR_QUEUE_INPUT","tensor":\{"name":"([^"]+)","data":"')
_REST = re.compile(rb'","shape":"([\d,]*)","dtype":"(\w+)"\}')
# What the inputs of a text recogniser are called: lines side by side in one array, and where each of them ends.
_LINES, _WIDTHS = "x", "widths"


@dataclass(frozen=True)
class SentTensor:
    """An input of a run.

    Attributes:
        name: of the input.
        shape: batch first.
        dtype: KServe's, such as "UINT8".
        values: in C order; None for 8 bit numbers, which no network's time depends on.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    values: tuple[float, ...] | None = None


@dataclass(frozen=True)
class NetworkRun:
    """One run of a network."""

    network: str
    inputs: tuple[SentTensor, ...]

    @property
    def rows(self) -> int:
        """Rows of the batch."""
        return self.inputs[0].shape[0]

    def columns(self) -> tuple[int, int]:
        """Columns that a text recogniser computed, and those of them that lines are on; zeros for other networks."""
        sent = {tensor.name: tensor for tensor in self.inputs}
        if _LINES not in sent or _WIDTHS not in sent or sent[_WIDTHS].values is None:
            return 0, 0
        rows, _, width, _ = sent[_LINES].shape
        return rows * width, int(sum(min(value, width) for value in sent[_WIDTHS].values or ()))


@dataclass(frozen=True)
class RunTotals:
    """What runs come to.

    Attributes:
        rows_a_run: network -> rows of its runs, on average.
        runs: network -> how many.
        padding: share of the text recogniser's columns that no line is on; None without one.
    """

    rows_a_run: dict[str, float]
    runs: dict[str, int]
    padding: float | None


def read_trace(content: bytes, networks: Iterable[str]) -> list[NetworkRun]:
    """Read the runs of some networks out of Triton's trace of one request, level TENSORS.

    Args:
        content: of the file.
        networks: names of models; others are left out.

    Raises:
        ValueError: the trace has no run of any of them.
    """
    wanted = set(networks)
    models = {number: name.decode() for number, name in _MODEL.findall(content)}
    inputs: dict[bytes, list[SentTensor]] = {}
    for found in _INPUT.finditer(content):
        if models.get(found[1]) in wanted:
            rest = _REST.search(content, found.end())
            if rest is None:
                raise ValueError(f"the trace ends within tensor {found[2].decode()}")
            inputs.setdefault(found[1], []).append(_tensor(found[2], rest, content[found.end() : rest.start()]))
    # Triton numbers requests as they come.
    runs = [NetworkRun(models[number], tuple(inputs[number])) for number in sorted(inputs, key=int)]
    if not runs:
        raise ValueError(f"the trace has no run of {', '.join(sorted(wanted))}")
    return runs


def _tensor(name: bytes, rest: re.Match[bytes], data: bytes) -> SentTensor:
    shape, dtype = tuple(int(size) for size in rest[1].split(b",")), rest[2].decode()
    values = None
    if dtype not in ("UINT8", "INT8"):
        values = tuple(float(value) for value in data.split(b","))
        if len(values) != prod(shape):
            raise ValueError(f"the trace has {len(values)} numbers of tensor {name.decode()}, whose shape is {shape}")
    return SentTensor(name.decode(), shape, dtype, values)


def total_runs(runs: Sequence[NetworkRun]) -> RunTotals:
    """Add runs up."""
    by_network: dict[str, list[int]] = {}
    for run in runs:
        by_network.setdefault(run.network, []).append(run.rows)
    columns = [run.columns() for run in runs]
    computed, filled = (sum(pair[part] for pair in columns) for part in (0, 1))
    return RunTotals(
        rows_a_run={name: sum(rows) / len(rows) for name, rows in by_network.items()},
        runs={name: len(rows) for name, rows in by_network.items()},
        padding=1 - filled / computed if computed else None,
    )


def run_from_json(document: dict[str, Any]) -> NetworkRun:
    """Make a run of what `dataclasses.asdict` made of it, and JSON of that."""
    tensors = (
        SentTensor(each["name"], tuple(each["shape"]), each["dtype"], _values(each["values"]))
        for each in document["inputs"]
    )
    return NetworkRun(document["network"], tuple(tensors))


def _values(given: list[float] | None) -> tuple[float, ...] | None:
    return None if given is None else tuple(given)
