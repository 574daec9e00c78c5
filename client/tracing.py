"""The caller's trace, passed on to the server, where OpenTelemetry is in use."""

from __future__ import annotations

import sys


def trace_headers() -> dict[str, str]:
    """Return the context of the span that the caller is in, as headers (W3C `traceparent` and what else is propagated).

    Nothing is imported for it: who has a span has imported OpenTelemetry, and without one there are no headers.
    """
    if "opentelemetry.trace" not in sys.modules:
        return {}
    from opentelemetry import propagate

    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers
