"""Commands `assemble` and `serve`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from paddlex_triton.admin_api import KEY_HEADER, RESTRICTED_APIS, read_admin_key
from paddlex_triton.export_hints import export_command_for
from paddlex_triton.flavours import FLAVOURS, OPENVINO, flavours_for
from paddlex_triton.keys import KeyFileError, read_keys
from paddlex_triton.network_choice import NetworkChoice
from paddlex_triton.pipeline_file import PipelineFile
from paddlex_triton.pipelines import PIPELINES, ChoiceError
from paddlex_triton.server.backends.common.turns import TURNS_FILE
from paddlex_triton.server.host.assemble import Assembly, assemble
from paddlex_triton.server.host.container import ContainerSettings
from paddlex_triton.server.host.errors import AssemblyError, HostError, ServerEndedError
from paddlex_triton.server.host.network_selection import pipelines_of, presets_of
from paddlex_triton.server.host.pytriton_runtime import backend_folder
from paddlex_triton.server.host.supervise import run_watched
from paddlex_triton.server.host.tritonserver_arguments import memory_environment, tracing_arguments
from paddlex_triton.trace_url import TRACE_URL_HELP

if TYPE_CHECKING:
    from paddlex_triton.gateway.running import Gateway

_START_ANEW = "Triton starts no process again: `serve` ends, for what runs it to start it anew"
_NO_GATEWAY = ": pip install 'paddlex-triton[gateway]'"
_PIPELINE_HELP = (
    f"Pipeline to load, or one of PaddleX's pipeline files, FILE.yaml; may be repeated. Known: {', '.join(PIPELINES)}. "
    "Without, all whose networks are exported."
)
_PRESET_HELP = "One of PaddleX's presets, such as nopp-lightweight, or PIPELINE=PRESET; may be repeated."
_MODEL_HELP = (
    "A network in a step's place, STEP=NETWORK, such as layout_detection=PP-DocLayout-S; STEP= leaves an optional "
    "step off. Of several, STEP=A,B, a request chooses one by STEP_model_name, and A is the default. May be repeated."
)
_DEVICE_HELP = "Where networks run, as PaddleX writes it: cpu, gpu, gpu:0 or gpu:0,1. Wins over pipeline files."
_FLAVOUR_HELP = (
    f"Configuration flavour: {', '.join(FLAVOURS)}. Without, the one for the device; on CPUs, for each network the one "
    "that was measured to be the fastest."
)
_INSTANCES_HELP = "Processes of each network on the CPU, which share the cores. Without, one for every 4 cores."
_MEGAPIXELS_HELP = (
    "Most megapixels of a page, if less than 178.9. Memory that modules keep grows with the largest page they had."
)
_NETWORKS_HELP = "Folder to look for exported networks in, before the default one; may be repeated."

_REST_HELP = "Port for PaddleX's REST API, if the extra `gateway` is installed; 0 for a free one."
_NO_REST_HELP = "No REST API. `paddlex-triton gateway` starts one apart, with more options."
_REST_ADDRESS_HELP = "Address for the REST API to listen on, if not --address; beyond this machine with --api-key-file."
_API_KEYS_HELP = "File with API keys, one a line; a request to the REST API must carry one of them."
_ADMIN_KEY_HELP = (
    f"File with the key that Triton's own {', '.join(RESTRICTED_APIS)} ask for, header {KEY_HEADER}. Without, a random "
    "one, which nobody knows."
)
_PUBLISH_HELP = "Listen beyond this machine although Triton's ports ask for no key."

Pipelines = Annotated[list[str] | None, typer.Option("--pipeline", help=_PIPELINE_HELP)]
Presets = Annotated[list[str] | None, typer.Option("--preset", help=_PRESET_HELP, metavar="PRESET")]
Models = Annotated[list[str] | None, typer.Option("--model", help=_MODEL_HELP, metavar="STEP=NETWORK[,NETWORK]")]
Networks = Annotated[list[Path] | None, typer.Option("--networks", help=_NETWORKS_HELP, exists=True, file_okay=False)]
FlavourOption = Annotated[str | None, typer.Option("--flavour", help=_FLAVOUR_HELP)]
Instances = Annotated[int | None, typer.Option("--instances", help=_INSTANCES_HELP)]
Megapixels = Annotated[float | None, typer.Option("--max-megapixels", help=_MEGAPIXELS_HELP)]
DeviceOption = Annotated[str | None, typer.Option("--device", help=_DEVICE_HELP)]


def register(app: typer.Typer) -> None:
    """Add this package's commands."""
    app.command("assemble")(assemble_command)
    app.command("serve")(serve_command)
    # Every argument is tritonserver's, --help too.
    pass_on = {"ignore_unknown_options": True}
    app.command("serve-container", hidden=True, add_help_option=False, context_settings=pass_on)(container_command)


def assemble_command(
    directory: Annotated[Path, typer.Argument(help="Directory to write; replaced if it was assembled before.")],
    pipeline: Pipelines = None,
    preset: Presets = None,
    model: Models = None,
    device: DeviceOption = None,
    flavour: FlavourOption = None,
    instances: Instances = None,
    max_megapixels: Megapixels = None,
    networks: Networks = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy code and weights instead of linking them.")] = False,
) -> None:
    """Put together the directory that Triton serves."""
    with _refusals():
        names, files = pipelines_of(pipeline or [])
        assembly = assemble(
            directory,
            pipelines=names,
            presets=presets_of([*names, *(file.spec.name for file in files)], preset or []),
            models=NetworkChoice.parse(model or []),
            files=files,
            device=device,
            flavour=flavour,
            instances=instances,
            max_megapixels=max_megapixels,
            networks=networks or [],
            copy=copy,
        )
    console = Console()
    console.print(f"Assembled [bold]{escape(str(directory))}[/bold]: {_summary(assembly)}", soft_wrap=True)
    _say_all(console, assembly)
    if OPENVINO.name in assembly.flavours.values():
        _say(console, f"  Triton needs the backend {OPENVINO.backend}: {backend_folder(OPENVINO.backend)}")


def serve_command(
    pipeline: Pipelines = None,
    preset: Presets = None,
    model: Models = None,
    http_port: Annotated[int, typer.Option(help="Port for HTTP.")] = 8000,
    grpc_port: Annotated[int, typer.Option(help="Port for gRPC.")] = 8001,
    metrics_port: Annotated[int, typer.Option(help="Port for Prometheus metrics.")] = 8002,
    rest_port: Annotated[int, typer.Option(help=_REST_HELP, min=0, max=65535)] = 8080,
    no_rest: Annotated[bool, typer.Option("--no-rest", help=_NO_REST_HELP)] = False,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    rest_address: Annotated[str | None, typer.Option(help=_REST_ADDRESS_HELP)] = None,
    publish: Annotated[bool, typer.Option("--publish", help=_PUBLISH_HELP)] = False,
    api_key_file: Annotated[Path | None, typer.Option(help=_API_KEYS_HELP)] = None,
    admin_key_file: Annotated[Path | None, typer.Option(help=_ADMIN_KEY_HELP)] = None,
    device: DeviceOption = None,
    flavour: FlavourOption = None,
    instances: Instances = None,
    max_megapixels: Megapixels = None,
    networks: Networks = None,
    directory: Annotated[Path | None, typer.Option(help="An assembled directory to serve as it is.")] = None,
    log_file: Annotated[Path | None, typer.Option(help="File for Triton's log instead of the terminal.")] = None,
    trace_url: Annotated[str | None, typer.Option(help=TRACE_URL_HELP)] = None,
) -> None:
    """Serve pipelines with the embedded Triton until Ctrl-C, PaddleX's REST API beside it."""
    from paddlex_triton.server.host.launcher import EmbeddedServer

    console = Console()
    with _refusals(), ExitStack() as running:
        names, files = pipelines_of(pipeline or [])
        server = EmbeddedServer(
            names,
            presets=presets_of([*names, *(file.spec.name for file in files)], preset or []),
            models=NetworkChoice.parse(model or []),
            files=files,
            directory=directory,
            networks=networks or [],
            device=device,
            flavour=flavour,
            instances=instances,
            max_megapixels=max_megapixels,
            address=address,
            publish=publish,
            http_port=http_port,
            grpc_port=grpc_port,
            metrics_port=metrics_port,
            admin_key=read_admin_key(admin_key_file) if admin_key_file else None,
            log_file=log_file,
            extra_arguments=tracing_arguments(trace_url),
        )
        keys = read_keys(api_key_file) if api_key_file else frozenset()
        rest = Listening(address if rest_address is None else rest_address, rest_port, keys, publish, trace_url)
        gateway = None if no_rest else rest_in_front(f"{address}:{grpc_port}", files, rest)
        signal.signal(signal.SIGTERM, _interrupt)
        running.callback(server.stop)
        try:
            server.start()
            if gateway is not None:
                _start_rest(gateway)
                # Before Triton: what is in flight is answered.
                running.callback(gateway.stop)
            what = _summary(server.assembly) if server.assembly else str(directory)
            console.print(f"[bold green]Ready[/bold green]: {what}", soft_wrap=True)
            if server.assembly:
                _say_all(console, server.assembly)
            console.print(
                f"  HTTP {server.http_url}   gRPC {server.grpc_url}   metrics {server.metrics_url}", soft_wrap=True
            )
            _say(console, f"  REST {gateway.url}" if gateway else "  no REST API" + ("" if no_rest else _NO_GATEWAY))
            console.print("  Ctrl-C stops the server.")
            server.wait()
        except ServerEndedError as error:
            # Before REST: that would wait for answers which do not come.
            server.stop()
            raise ServerEndedError(f"{error}. {_START_ANEW}", error.status) from None
        except KeyboardInterrupt:
            console.print("Stopping …")


def container_command(
    arguments: Annotated[list[str] | None, typer.Argument(help="Added to tritonserver's command line.")] = None,
) -> None:
    """Assemble what the environment of a container asks for, then become tritonserver, or run and watch it."""
    settings = ContainerSettings(os.environ)
    with _refusals():
        options = settings.assemble_options()
        for folder in options["networks"]:
            if not folder.is_dir():
                raise AssemblyError(f"PADDLEX_TRITON_NETWORKS: {folder} is no folder")
        # Ends the container, with the export command to run, if a network is missing.
        assemble_command(settings.models, **options)
        command = [*settings.tritonserver_command(), *(arguments or [])]
        environment = {**memory_environment(), TURNS_FILE: str(settings.models.with_name("turns"))} | os.environ
        # Python ignores these, and what it becomes would ignore them too.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if watching := settings.watching():
            raise typer.Exit(run_watched(command, environment, watching))
        os.execvpe(command[0], command, environment)


@dataclass(frozen=True)
class Listening:
    """Where a gateway listens, and to whom.

    Attributes:
        address, port: to listen on.
        api_keys: one of which a request must carry; none for everybody.
        publish: whether other machines may reach it without.
        trace_url: of a collector of OpenTelemetry.
    """

    address: str
    port: int
    api_keys: frozenset[str] = frozenset()
    publish: bool = False
    trace_url: str | None = None


def rest_in_front(url: str, files: Sequence[PipelineFile], rest: Listening) -> Gateway | None:
    """Return a gateway to a server that is to be started, None where it is not installed.

    Args:
        url: of the server, gRPC.
        files: pipeline files that it serves.
        rest: where it listens.

    Raises:
        HostError: it cannot listen there, or a file wants what it cannot do.
    """
    try:
        from paddlex_triton.gateway.running import Gateway
    except ImportError:
        return None
    from paddlex_triton.gateway.errors import GatewayError
    from paddlex_triton.gateway.settings import GatewaySettings

    try:
        settings = GatewaySettings(
            url, {file.spec.name: file for file in files}, api_keys=rest.api_keys, trace_url=rest.trace_url
        )
        return Gateway(settings, rest.address, rest.port, publish=rest.publish)
    except GatewayError as error:
        raise HostError(f"REST API: {error}. --rest-port chooses another port, --no-rest leaves it out") from None


def _start_rest(gateway: Gateway) -> None:
    from paddlex_triton.gateway.errors import GatewayError
    from paddlex_triton.gateway.observing import log_as_json

    log_as_json()
    try:
        gateway.start()
    except GatewayError as error:
        raise HostError(f"REST API: {error}") from None


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def _summary(assembly: Assembly) -> str:
    networks = ", ".join(assembly.networks)
    return f"{', '.join(assembly.pipelines)} ({assembly.flavour}) as {', '.join(assembly.ensembles)}, with {networks}"


def _say_all(console: Console, assembly: Assembly) -> None:
    _say_engines(console, assembly)
    _say_where(console, assembly)
    _say_what_is_on(console, assembly)
    _say_what_is_missing(console, assembly)
    for remark in assembly.remarks:
        _say(console, f"  {remark}")


def _say_engines(console: Console, assembly: Assembly) -> None:
    """Say what runs the networks on the CPU, where it is not all ONNX Runtime, which every Triton has."""
    if OPENVINO.name not in assembly.flavours.values():
        return
    for flavour in flavours_for("cpu"):
        if names := [name for name, used in assembly.flavours.items() if used == flavour.name]:
            _say(console, f"  in {flavour.title}: {', '.join(names)}")


def _say_where(console: Console, assembly: Assembly) -> None:
    """Say the devices that were asked for, and the networks on each."""
    for device in dict.fromkeys(assembly.devices.values()):
        names = [name for name, place in assembly.devices.items() if place == device]
        _say(console, f"  on {device}: {', '.join(names)}")


def _say_what_is_on(console: Console, assembly: Assembly) -> None:
    """Say the steps that a request can switch, and what happens to them if it does not."""
    for pipeline, switches in assembly.switches.items():
        on = [f"{switch} ({', '.join(networks)})" for switch, networks in switches.items() if networks]
        off = [switch for switch, networks in switches.items() if not networks]
        parts = {"on by default": on, "no network for": off}
        if told := "; ".join(f"{what}: {', '.join(names)}" for what, names in parts.items() if names):
            _say(console, f"  {pipeline}: {told}")


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)


def _say_what_is_missing(console: Console, assembly: Assembly) -> None:
    for pipeline, of_steps in assembly.stand_ins.items():
        for step, stand_in in of_steps.items():
            _say(
                console,
                f"  {pipeline}: {step} runs on {stand_in.name} instead of {stand_in.instead_of}: {stand_in.reason}",
            )
    for pipeline, missing in assembly.left_out.items():
        _say(
            console,
            f"  {pipeline} is left out: not exported are {', '.join(missing)}. Run: {export_command_for(*missing)}",
        )


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what this package refuses, or an end of the server, into one message and an exit status."""
    try:
        yield
    except (HostError, ChoiceError, KeyFileError, OSError) as error:
        Console(stderr=True).print(f"[bold red]Error:[/bold red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(getattr(error, "status", 1)) from None
