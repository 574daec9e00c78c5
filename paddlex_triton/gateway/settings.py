"""What a gateway is started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from paddlex_triton.client.pipeline import DEFAULT_TIMEOUT_S
from paddlex_triton.client.transports import Url
from paddlex_triton.gateway.errors import GatewayError
from paddlex_triton.keys import MIN_KEY_CHARACTERS
from paddlex_triton.pipeline_file import PipelineFile, Serving
from paddlex_triton.processors import usable_cores

DEFAULT_PORT = 8080
# Bytes of a request's body: the largest image that servers take, 64 MiB, is 86 MiB in base64; a document may have more.
MAX_BODY_BYTES = 128 * 1024 * 1024
# Seconds in which a body must have come: a page on a slow line, and no connection that is kept open for nothing.
MAX_UPLOAD_S = 60.0
# Requests that are worked on at once, for every core: enough to keep networks busy while others are drawn or sent.
_IN_FLIGHT_A_CORE = 4
_LEAST_IN_FLIGHT = 8


def default_in_flight() -> int:
    """Return how many requests are worked on at once unless told otherwise."""
    return max(_LEAST_IN_FLIGHT, _IN_FLIGHT_A_CORE * usable_cores())


@dataclass(frozen=True)
class GatewaySettings:
    """What a gateway is started with.

    Attributes:
        url: of Triton, or of several, as `create_pipeline` takes them.
        files: pipeline files by PaddleX's names of their pipelines: defaults of parameters, and `Serving`.
        timeout_s: for a request, from its last byte to the answer; Triton is told, page by page.
        max_in_flight: requests that are worked on at once; more are turned away.
        max_body_bytes: of a request.
        max_upload_s: seconds in which a request's headers, and then its body, must have come.
        allow_urls: whether `file` and `image` may be URLs, which the gateway fetches.
        api_keys: one of which a request must carry; none for everybody.
        cors_origins: of web pages elsewhere that may call.
        open_metrics: whether the gateway's numbers are told without a key.
        trace_url: of a collector of OpenTelemetry, for spans; None for no collector.
    """

    url: Url
    files: Mapping[str, PipelineFile] = field(default_factory=dict)
    timeout_s: float = DEFAULT_TIMEOUT_S
    max_in_flight: int = field(default_factory=default_in_flight)
    max_body_bytes: int = MAX_BODY_BYTES
    max_upload_s: float = MAX_UPLOAD_S
    allow_urls: bool = False
    api_keys: frozenset[str] = frozenset()
    cors_origins: tuple[str, ...] = ()
    open_metrics: bool = False
    trace_url: str | None = None

    def __post_init__(self) -> None:
        """Check what has bounds.

        Raises:
            GatewayError: a file wants URLs returned, a bound is below 1, or a key is short.
        """
        for file in self.files.values():
            if file.serving.return_urls:
                raise GatewayError(
                    f"{file.origin}: Serving.return_urls is true, but pictures come in the answer here: "
                    "there is no storage that URLs could name. Set it to false"
                )
        for name in ("max_in_flight", "max_body_bytes"):
            if getattr(self, name) < 1:
                raise GatewayError(f"{name} is {getattr(self, name)}; at least 1 is needed")
        if short := [key for key in self.api_keys if len(key) < MIN_KEY_CHARACTERS]:
            raise GatewayError(f"an API key has {len(short[0])} characters; at least {MIN_KEY_CHARACTERS} are needed")

    def serving(self, pipeline: str) -> Serving:
        """Return the `Serving` section that counts for a pipeline."""
        file = self.files.get(pipeline)
        return file.serving if file is not None else Serving()


def cpu_threads() -> int:
    """Return how many threads prepare and draw pictures."""
    return max(2, min(8, usable_cores()))
