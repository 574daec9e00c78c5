"""Triton's own statistics: what a model did between two moments.

Of the counters that Triton keeps per model, `inference_stats` adds the time of a batch once for every request in
it, `batch_stats` once for every execution. Only the second is time on a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_NS_PER_MS = 1e6


@dataclass(frozen=True)
class ModelStatistics:
    """Cumulative counters of one model, all versions together. Times are milliseconds.

    Attributes:
        requests: requests that succeeded.
        request_ms: from arrival to answer, summed over these.
        queue_ms: waiting in front of the model, summed over these.
        inferences: rows computed.
        executions: runs of the model; rows over runs is the mean batch.
        input_ms: collecting inputs, summed over executions.
        infer_ms: running, summed over executions. Runs of one instance follow each other, so with one instance
            this is time on a clock.
        output_ms: handing outputs out, summed over executions.
    """

    requests: int = 0
    request_ms: float = 0.0
    queue_ms: float = 0.0
    inferences: int = 0
    executions: int = 0
    input_ms: float = 0.0
    infer_ms: float = 0.0
    output_ms: float = 0.0

    @classmethod
    def from_response(cls, response: dict[str, Any]) -> ModelStatistics:
        """Read the answer to `GET /v2/models/<name>/stats`.

        Args:
            response: the JSON document; counters that are 0 may be missing, and numbers may be strings.
        """
        total = cls()
        for version in response.get("model_stats", []):
            total = total + cls._from_version(version)
        return total

    @classmethod
    def _from_version(cls, version: dict[str, Any]) -> ModelStatistics:
        inference, batches = version.get("inference_stats", {}), version.get("batch_stats", [])
        return cls(
            requests=_count(inference, "success"),
            request_ms=_ms(inference, "success"),
            queue_ms=_ms(inference, "queue"),
            inferences=int(version.get("inference_count", 0)),
            executions=int(version.get("execution_count", 0)),
            input_ms=sum(_ms(batch, "compute_input") for batch in batches),
            infer_ms=sum(_ms(batch, "compute_infer") for batch in batches),
            output_ms=sum(_ms(batch, "compute_output") for batch in batches),
        )

    @property
    def mean_batch(self) -> float:
        """Rows per execution; 0 if there was none."""
        return self.inferences / self.executions if self.executions else 0.0

    def __add__(self, other: ModelStatistics) -> ModelStatistics:
        return ModelStatistics(*(ours + theirs for ours, theirs in zip(_values(self), _values(other), strict=True)))

    def __sub__(self, earlier: ModelStatistics) -> ModelStatistics:
        """Return what happened since an earlier reading."""
        return ModelStatistics(*(now - then for now, then in zip(_values(self), _values(earlier), strict=True)))


def _values(statistics: ModelStatistics) -> tuple[Any, ...]:
    return tuple(vars(statistics).values())


def _ms(counters: dict[str, Any], name: str) -> float:
    return int(counters.get(name, {}).get("ns", 0)) / _NS_PER_MS


def _count(counters: dict[str, Any], name: str) -> int:
    return int(counters.get(name, {}).get("count", 0))
