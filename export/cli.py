"""The commands `paddlex-triton export` and `paddlex-triton models`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from paddlex_triton import paths
from paddlex_triton.export.commandline import network_table
from paddlex_triton.export.commandline.export_run import ExportRun, exported_in, print_error
from paddlex_triton.export.commandline.plan_builds import export_with_plans, print_plan_dry_run
from paddlex_triton.export.commandline.request import FAMILY_NAMES, ExportRequest
from paddlex_triton.export.errors import ExportError, MissingDependency, UsageError
from paddlex_triton.export.tensorrt.trtexec import Trtexec, find_trtexec
from paddlex_triton.failed_exports import read_failures
from paddlex_triton.zoo import load_zoo

if TYPE_CHECKING:
    import numpy as np


def register(app: typer.Typer) -> None:
    """Add the commands to the product's command line. Imports nothing heavy."""
    app.command("export")(export)
    app.command("models")(models)
    app.command("measure")(measure)


def export(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Networks of the zoo, by their official names.")
    ] = None,
    pipeline: Annotated[str | None, typer.Option(help="Export all networks of a pipeline, e.g. OCR.")] = None,
    preset: Annotated[str | None, typer.Option(help="With --pipeline: which set of networks.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Export all networks of the zoo that can be had; a failure stops no other.")
    ] = False,
    from_dir: Annotated[
        Path | None, typer.Option(help="Export own weights: a folder with a model and PaddleX's inference.yml.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Export what one of PaddleX's pipeline files names, and the weights it has a folder of.",
        ),
    ] = None,
    family: Annotated[
        str | None, typer.Option(help=f"With --from-dir, where inference.yml does not tell: {FAMILY_NAMES}.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="With --from-dir: the network's name.")] = None,
    into: Annotated[Path | None, typer.Option(help="The Triton model repository to write to.")] = None,
    check_image: Annotated[
        list[Path] | None, typer.Option(help="A picture to verify the network on besides the built-in ones.")
    ] = None,
    tensorrt: Annotated[
        bool,
        typer.Option("--tensorrt", help="Then make TensorRT plans for this machine's GPU, with NVIDIA's trtexec."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Export again, and replace a network made from another source.")
    ] = False,
) -> None:
    """Turn official or own weights into verified Triton networks."""
    request = ExportRequest(names or (), pipeline, preset, everything, from_dir, family, name, config)
    try:
        request.check()
        repository = into if into is not None else paths.networks_repository()
        trtexec = _ask_trtexec(repository) if tensorrt and not dry_run else None
        run = ExportRun(request, repository, force)
        if dry_run:
            run.print_dry_run()
            if tensorrt:
                print_plan_dry_run(run)
            return
        run.require_available()
        _require_extra()
        from paddlex_triton.export.api import Options

        options = Options(repository, force, _read_images(check_image or []), hubs=run.availability.hubs)
        if trtexec is None:
            run.run(options)
        else:
            export_with_plans(run, options, trtexec)
    except ExportError as error:
        _fail(error)


def models(
    into: Annotated[Path | None, typer.Option(help="The Triton model repository to look in.")] = None,
    url: Annotated[str | None, typer.Option(help="Ask a running server which are loaded: host:port.")] = None,
) -> None:
    """List the networks that are known by name, and those that are exported."""
    repository = into if into is not None else paths.networks_repository()
    console = Console()
    exported = exported_in(repository)
    listed = network_table.rows(load_zoo().networks, exported)
    try:
        with _loaded(url) as loaded:
            for table in network_table.tables(listed, loaded):
                console.print(table)
                console.print()
    except ExportError as error:
        _fail(error)
    if (table := network_table.on_cpu(exported)) is not None:
        console.print(table)
        console.print()
    for name, reason in read_failures(repository).items():
        again = " (it is there from before)" if name in exported else ""
        console.print(escape(f"{name}{again}: its export failed: {reason}"), soft_wrap=True, highlight=False)
    console.print(f"exported: in {escape(str(repository))}", soft_wrap=True, highlight=False)


def measure(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Exported networks; all if none is named.")
    ] = None,
    into: Annotated[Path | None, typer.Option(help="The Triton model repository that they are in.")] = None,
) -> None:
    """Time exported networks in every engine for CPUs, on this machine; the fastest serves them."""
    repository = into if into is not None else paths.networks_repository()
    console = Console()
    try:
        exported = exported_in(repository)
        if missing := [name for name in names or () if name not in exported]:
            raise UsageError(f"not exported: {', '.join(missing)}; in {repository} are {', '.join(exported) or 'none'}")
        _require_extra()
        from paddlex_triton.export.measure import measure_network

        for name in names or exported:
            with console.status(escape(name)):
                exported[name] = measure_network(repository, name)
    except ExportError as error:
        _fail(error)
    if (table := network_table.on_cpu({name: exported[name] for name in names or exported})) is not None:
        console.print(table)


@contextmanager
def _loaded(url: str | None) -> Iterator[Callable[[str], bool] | None]:
    """Give a function that tells whether a running server has a network; None without a server."""
    if url is None:
        yield None
        return
    from paddlex_triton.client.exceptions import PaddleXTritonError
    from paddlex_triton.client.transports import open_transport
    from paddlex_triton.client.transports.endpoint import Endpoint

    try:
        transport = open_transport(Endpoint.parse(url))
    except PaddleXTritonError as error:
        raise UsageError(str(error)) from error
    try:
        transport.metadata()
        yield transport.model_ready
    except PaddleXTritonError as error:
        raise ExportError(str(error)) from error
    finally:
        transport.close()


def _read_images(files: Sequence[Path]) -> list[np.ndarray]:
    import cv2
    import numpy as np

    images = []
    for file in files:
        image = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR) if file.is_file() else None
        if image is None:
            raise UsageError(f"{file} is not a picture that can be read")
        images.append(np.asarray(image))
    return images


def _ask_trtexec(repository: Path) -> Trtexec:
    """Find trtexec and show that it is asked: the first start of a container fetches gigabytes."""
    with Console().status("asking trtexec for its version"):
        return find_trtexec(repository)


def _require_extra() -> None:
    try:
        import filelock  # noqa: F401
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            f"export needs the package {error.name}: pip install 'paddlex-triton[export]'"
        ) from error


def _fail(error: ExportError) -> NoReturn:
    print_error(str(error))
    raise typer.Exit(error.exit_code)
