"""Custom metrics of the modules, beside Triton's own on the metrics port.

| metric | labels | counts |
|---|---|---|
| `paddlex_pages_total` | stage | pages answered |
| `paddlex_items_total` | stage, kind | what was found on them: lines, crops, ... |
| `paddlex_network_calls_total` | stage, network | calls to a network |
| `paddlex_network_rows_total` | stage, network | rows in those calls |
| `paddlex_network_slots_total` | stage, network | room for rows in those calls; rows / slots: how full they leave |
| `paddlex_errors_total` | stage, code | failed requests. Triton counts them as successes |
| `paddlex_shm_used_bytes` | | of `/dev/shm`, as the first module of a pipeline saw it after its last page |
| `paddlex_shm_bytes` | | size of `/dev/shm` |
"""

from __future__ import annotations

import os

import triton_python_backend_utils as pb_utils

from paddlex_triton.errors import ErrorCode

# A counter: the metric's name, its labels.
_Key = tuple[str, tuple[tuple[str, str], ...]]


class StageMetrics:
    """The counters of one stage; the processes of a stage's instances share them."""

    def __init__(self, stage: str, *, tells_memory: bool = False) -> None:
        """Begin at nothing.

        Args:
            stage: a module's name.
            tells_memory: whether to tell of shared memory, too; one module of a pipeline is enough.
        """
        self._stage = stage
        self._memory = _SharedMemory() if tells_memory else None
        self._families = {
            name: pb_utils.MetricFamily(name=name, description=description, kind=pb_utils.MetricFamily.COUNTER)
            for name, description in (
                ("paddlex_pages_total", "Pages answered by a stage"),
                ("paddlex_items_total", "What a stage found on its pages"),
                ("paddlex_network_calls_total", "Calls of a stage to a network"),
                ("paddlex_network_rows_total", "Rows in the calls of a stage to a network"),
                (
                    "paddlex_network_slots_total",
                    "Rows that the calls of a stage to a network had room for, before Triton joined calls",
                ),
                ("paddlex_errors_total", "Requests that a stage refused or failed"),
            )
        }
        self._counters: dict[_Key, pb_utils.Metric] = {}
        self._unpublished: dict[_Key, int] = {}
        # From the start, so that an alert on a rate sees the first error.
        for code in ErrorCode:
            self._add("paddlex_errors_total", 0, code=code.value)
        self.publish()

    def page(self, **found: int) -> None:
        """Count a page and what was found on it."""
        self._add("paddlex_pages_total", 1)
        for kind, count in found.items():
            self._add("paddlex_items_total", count, kind=kind)

    def call(self, network: str, rows: int, slots: int) -> None:
        """Count one call to a network."""
        self._add("paddlex_network_calls_total", 1, network=network)
        self._add("paddlex_network_rows_total", rows, network=network)
        self._add("paddlex_network_slots_total", slots, network=network)

    def error(self, code: ErrorCode) -> None:
        """Count a failed request."""
        self._add("paddlex_errors_total", 1, code=code.value)

    def publish(self) -> None:
        """Tell Triton what was counted since the last time: each counter is a message to its process."""
        for key, value in self._unpublished.items():
            counter = self._counters.get(key)
            if counter is None:
                name, labels = key
                counter = self._families[name].Metric(labels={"stage": self._stage, **dict(labels)})
                self._counters[key] = counter
            counter.increment(value)
        self._unpublished.clear()
        if self._memory is not None:
            self._memory.publish()

    def _add(self, name: str, value: int, **labels: str) -> None:
        key = (name, tuple(sorted(labels.items())))
        self._unpublished[key] = self._unpublished.get(key, 0) + value


class _SharedMemory:
    """How full the machine's shared memory is, through which pages travel. Triton only ever takes more of it."""

    def __init__(self) -> None:
        # Metrics do not outlive their families.
        self._families = [
            pb_utils.MetricFamily(name=name, description=description, kind=pb_utils.MetricFamily.GAUGE)
            for name, description in (
                ("paddlex_shm_used_bytes", "Bytes of /dev/shm in use"),
                ("paddlex_shm_bytes", "Bytes of /dev/shm"),
            )
        ]
        self._gauges = [family.Metric(labels={}) for family in self._families]
        self._told: tuple[int, int] | None = None

    def publish(self) -> None:
        """Tell Triton if it is not as it was the last time."""
        place = os.statvfs("/dev/shm")
        sizes = ((place.f_blocks - place.f_bfree) * place.f_frsize, place.f_blocks * place.f_frsize)
        if sizes != self._told:
            self._told = sizes
            for gauge, size in zip(self._gauges, sizes, strict=True):
                gauge.set(size)
