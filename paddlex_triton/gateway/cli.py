"""Command `gateway`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from paddlex_triton.client.urls import split_urls
from paddlex_triton.gateway.errors import GatewayError
from paddlex_triton.gateway.settings import (
    DEFAULT_PORT,
    MAX_BODY_BYTES,
    GatewaySettings,
    default_in_flight,
)
from paddlex_triton.keys import KeyFileError, read_keys
from paddlex_triton.pipeline_file import PipelineFile, PipelineFileError, read_pipeline_file
from paddlex_triton.trace_url import TRACE_URL_HELP

_MEGABYTE = 1024 * 1024
_VARIABLE = "PADDLEX_TRITON_GATEWAY_"
# More are sent by nobody, and memory is held for each.
_MAX_BODY_MEGABYTES = 2048

UrlOption = Annotated[
    list[str],
    typer.Option(
        help="Triton: host:port, grpc://... or http://...; may be repeated for several that serve the same. Several in "
        "the variable are apart by spaces or commas.",
        envvar=f"{_VARIABLE}URL",
    ),
]
Address = Annotated[str, typer.Option(help="Address to listen on.", envvar=f"{_VARIABLE}ADDRESS")]
Port = Annotated[int, typer.Option(help="Port; 0 for a free one.", min=0, max=65535, envvar=f"{_VARIABLE}PORT")]
Configs = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        help="One of PaddleX's pipeline files: defaults of the pipeline's parameters, and its section Serving. May be "
        "repeated.",
        metavar="FILE.yaml",
        envvar=f"{_VARIABLE}CONFIGS",
    ),
]
Timeout = Annotated[float, typer.Option(help="Seconds for a request.", min=0.001, envvar=f"{_VARIABLE}TIMEOUT")]
InFlight = Annotated[
    int | None,
    typer.Option(
        help=f"Requests that are worked on at once; more are answered 503. Here {default_in_flight()} if none.",
        min=1,
        envvar=f"{_VARIABLE}MAX_IN_FLIGHT",
    ),
]
BodyMegabytes = Annotated[
    int,
    typer.Option(
        help="Most MiB of a request's body, base64 included.",
        min=1,
        max=_MAX_BODY_MEGABYTES,
        envvar=f"{_VARIABLE}MAX_BODY_MEGABYTES",
    ),
]
AllowUrls = Annotated[
    bool,
    typer.Option(
        "--allow-urls",
        help="Fetch files that requests name by URL, from public addresses alone.",
        envvar=f"{_VARIABLE}ALLOW_URLS",
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        help="File with API keys, one a line; a request must carry one of them.", envvar=f"{_VARIABLE}API_KEY_FILE"
    ),
]
Origins = Annotated[
    list[str] | None,
    typer.Option(
        "--cors-origin",
        help="Origin of web pages elsewhere that may call, such as https://example.com. May be repeated.",
        envvar=f"{_VARIABLE}CORS_ORIGINS",
    ),
]
TraceUrl = Annotated[str | None, typer.Option(help=TRACE_URL_HELP, envvar=f"{_VARIABLE}TRACE_URL")]
Publish = Annotated[
    bool,
    typer.Option(
        "--publish",
        help="Listen beyond this machine without API keys.",
        envvar=f"{_VARIABLE}PUBLISH",
        show_default=False,
    ),
]
OpenMetrics = Annotated[
    bool,
    typer.Option(
        "--open-metrics",
        help="/metrics needs no key, where the other paths do.",
        envvar=f"{_VARIABLE}OPEN_METRICS",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add this package's commands."""
    app.command("gateway")(gateway_command)


def gateway_command(
    url: UrlOption = ["127.0.0.1:8001"],  # noqa: B006
    address: Address = "127.0.0.1",
    port: Port = DEFAULT_PORT,
    config: Configs = None,
    timeout: Timeout = 300.0,
    max_in_flight: InFlight = None,
    max_body_megabytes: BodyMegabytes = MAX_BODY_BYTES // _MEGABYTE,
    allow_urls: AllowUrls = False,
    api_key_file: KeyFile = None,
    cors_origin: Origins = None,
    publish: Publish = False,
    open_metrics: OpenMetrics = False,
    trace_url: TraceUrl = None,
) -> None:
    """Answer PaddleX's REST API in front of a Triton, until Ctrl-C."""
    from paddlex_triton.client.exceptions import PaddleXTritonError

    console = Console()
    urls = split_urls(url)
    try:
        # Needs packages of its own.
        from paddlex_triton.gateway.observing import log_as_json
        from paddlex_triton.gateway.running import Gateway
    except ImportError as error:
        _refuse(f"the gateway is not installed ({error}): pip install 'paddlex-triton[gateway]'")
    try:
        settings = GatewaySettings(
            urls,
            files=files_by_pipeline(read_pipeline_file(path) for path in config or ()),
            timeout_s=timeout,
            max_in_flight=max_in_flight or default_in_flight(),
            max_body_bytes=max_body_megabytes * _MEGABYTE,
            allow_urls=allow_urls,
            api_keys=read_keys(api_key_file) if api_key_file else frozenset(),
            cors_origins=tuple(cors_origin or ()),
            open_metrics=open_metrics,
            trace_url=trace_url or None,
        )
        gateway = Gateway(settings, address, port, publish=publish)
    except (GatewayError, PaddleXTritonError, PipelineFileError, KeyFileError, OSError, UnicodeDecodeError) as error:
        _refuse(str(error))
    console.print(
        f"[bold green]REST[/bold green] {gateway.url}   in front of {escape(', '.join(urls))}", soft_wrap=True
    )
    log_as_json()
    gateway.run()


def files_by_pipeline(files: Iterable[PipelineFile]) -> dict[str, PipelineFile]:
    """Return pipeline files by the names of their pipelines.

    Raises:
        GatewayError: two are of one pipeline.
    """
    found: dict[str, PipelineFile] = {}
    for file in files:
        if file.spec.name in found:
            raise GatewayError(f"{found[file.spec.name].origin} and {file.origin} are both of {file.spec.name}")
        found[file.spec.name] = file
    return found


def _refuse(message: str) -> NoReturn:
    Console(stderr=True).print(f"[bold red]Error:[/bold red] {escape(message)}", soft_wrap=True)
    raise typer.Exit(1)
