"""Where traces are sent: a collector of OpenTelemetry."""

from __future__ import annotations

from urllib.parse import urlsplit

TRACE_URL_HELP = "Collector of OpenTelemetry to send traces to, over HTTP, such as http://127.0.0.1:4318."
_PATH = "/v1/traces"


def spans_url(url: str) -> str:
    """Return the URL that spans are posted to.

    Args:
        url: of a collector, with that path or without.

    Raises:
        ValueError: it is none of http or https with a host.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"the collector of traces is {url!r}; a URL such as http://127.0.0.1:4318 is expected")
    return url if url.endswith(_PATH) else url.rstrip("/") + _PATH
