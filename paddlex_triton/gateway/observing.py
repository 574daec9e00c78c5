"""Metrics and log lines of the gateway."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

logger = logging.getLogger("paddlex_triton.gateway")

# Seconds: from a picture of one person on a GPU to a document on a small CPU.
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_LOGGERS = {"paddlex_triton": logging.INFO, "uvicorn": logging.WARNING, "py.warnings": logging.WARNING}
# Attribute of a log record with what the line says besides.
_FIELDS = "paddlex_fields"


class GatewayMetrics:
    """The gateway's own counters; Triton and its modules have theirs, on Triton's port."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self._registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self._registry}
        self.requests = Counter(
            "paddlex_gateway_requests", "Requests that were answered", ["pipeline", "status"], **own
        )
        self.seconds = Histogram(
            "paddlex_gateway_request_seconds",
            "From a request's first byte to its answer",
            ["pipeline"],
            buckets=_BUCKETS,
            **own,
        )
        self.stages = Histogram(
            "paddlex_gateway_stage_seconds",
            "What a request spent in a stage, over all its pages",
            ["pipeline", "stage"],
            buckets=_BUCKETS,
            **own,
        )
        self.pages = Counter("paddlex_gateway_pages", "Pages that were answered", ["pipeline"], **own)
        self.refused = Counter(
            "paddlex_gateway_refused", "Requests that were refused, by reason", ["pipeline", "reason"], **own
        )
        self.hung_up = Counter(
            "paddlex_gateway_hung_up", "Callers that went away before the answer", ["pipeline"], **own
        )
        self.in_flight = Gauge("paddlex_gateway_in_flight", "Requests that are worked on", **own)
        self.in_flight_limit = Gauge(
            "paddlex_gateway_in_flight_limit", "Requests that are worked on at once; more are turned away", **own
        )
        # Memory, processor time and open files, where the system tells.
        ProcessCollector(**own)

    def text(self) -> bytes:
        """Return all of them as Prometheus reads them."""
        return generate_latest(self._registry)


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log(level: int, message: str, fields: Mapping[str, Any], *, error: BaseException | None = None) -> None:
    """Write a line about a request."""
    logger.log(level, message, extra={_FIELDS: dict(fields)}, exc_info=error)


def log_as_json() -> None:
    """Write this package's and uvicorn's log lines to the standard error, as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.captureWarnings(True)
    for name, level in _LOGGERS.items():
        chosen = logging.getLogger(name)
        chosen.handlers, chosen.propagate = [handler], False
        chosen.setLevel(level)
