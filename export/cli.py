"""The commands `paddlex-triton export` and `paddlex-triton models`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from paddlex_triton import paths
from paddlex_triton.export import listing
from paddlex_triton.export.errors import ExportError, MissingDependency, Unreachable, UsageError
from paddlex_triton.export.plan import (
    FAMILY_NAMES,
    Reach,
    Request,
    choices_made,
    networks_instead,
    plan_of,
    reason_to_keep,
    wanted_networks,
)
from paddlex_triton.export.sources.hubs import Hubs
from paddlex_triton.export.zoo import ZooEntry, load_zoo
from paddlex_triton.network import FILE_NAME, Family, NetworkInfo

if TYPE_CHECKING:
    import numpy as np

    from paddlex_triton.export.api import Options, Outcome


def register(app: typer.Typer) -> None:
    """Add the commands to the product's command line. Imports nothing heavy."""
    app.command("export")(export)
    app.command("models")(models)


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
    family: Annotated[
        str | None, typer.Option(help=f"With --from-dir, where inference.yml does not tell: {FAMILY_NAMES}.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="With --from-dir: the network's name.")] = None,
    into: Annotated[Path | None, typer.Option(help="The Triton model repository to write to.")] = None,
    check_image: Annotated[
        list[Path] | None, typer.Option(help="A picture to verify the network on besides the built-in ones.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Export again, and replace a network made from another source.")
    ] = False,
) -> None:
    """Turn official or own weights into verified Triton networks."""
    request = Request(names or (), pipeline, preset, everything, from_dir, family, name)
    try:
        request.check()
        repository = into if into is not None else paths.networks_repository()
        work = _Work(request, repository, force)
        if dry_run:
            work.say_plan()
            return
        work.require()
        _require_extra()
        from paddlex_triton.export.api import Options

        options = Options(repository, force, _read_images(check_image or []), hubs=work.reach.hubs)
        if from_dir is not None:
            _export_folder(work.console, from_dir, name, family, options)
        work.run(options)
    except ExportError as error:
        _fail(error)


def models(
    into: Annotated[Path | None, typer.Option(help="The Triton model repository to look in.")] = None,
    url: Annotated[str | None, typer.Option(help="Ask a running server which are loaded: host:port.")] = None,
) -> None:
    """List the networks that are known by name, and those that are exported."""
    repository = into if into is not None else paths.networks_repository()
    console = Console()
    listed = listing.rows(load_zoo().networks, _exported(repository))
    try:
        with _loaded(url) as loaded:
            for table in listing.tables(listed, loaded):
                console.print(table)
                console.print()
    except ExportError as error:
        _fail(error)
    console.print(f"exported: in {escape(str(repository))}", soft_wrap=True, highlight=False)


@contextmanager
def _loaded(url: str | None) -> Iterator[Callable[[str], bool] | None]:
    """What tells whether a running server has a network; None without a server."""
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


class _Work:
    """What was asked for, against what is there and what can be had. Tells about the choices that follow from it."""

    def __init__(self, request: Request, repository: Path, force: bool) -> None:
        self.request, self.repository = request, repository
        self.console, self.reach = Console(), Reach(Hubs())
        self.exported = _exported(repository)
        self.wanted = wanted_networks(request, self.exported, self.reach)
        self.kept = {
            entry.name: reason_to_keep(entry, self.exported.get(entry.name), request, self.reach, force=force)
            for entry in self.wanted
        }
        self.to_do = [entry for entry in self.wanted if self.kept[entry.name] is None]
        for line in choices_made(request, self.wanted, self.exported, self.reach):
            self._say(line)

    def say_plan(self) -> None:
        """Say what would be done."""
        for entry in self.wanted:
            present = self.exported.get(entry.name)
            self._say(self.kept[entry.name] or plan_of(entry, present, self.reach, self.repository))
        if self.request.from_dir is not None:
            self._say(f"would export the weights in {self.request.from_dir} into {self.repository}")

    def require(self) -> None:
        """Refuse networks that cannot be had, before anything is done.

        Raises:
            Unreachable: there are some, and not all of the zoo was asked for.
        """
        if not self.request.everything:
            self.reach.require(self.to_do)

    def run(self, options: Options) -> None:
        """Export.

        Raises:
            ExportError: a network could not be exported.
        """
        for line in filter(None, self.kept.values()):
            self._say(line)
        if self.request.everything:
            self._run_all(options)
            return
        try:
            for entry in self.to_do:
                _export_entry(self.console, entry, options)
        except Unreachable as error:
            instead = networks_instead(self.request, self.exported)
            if not instead:
                raise
            self._say(f"{error}. Taking {', '.join(entry.name for entry in instead)} instead")
            for entry in instead:
                _export_entry(self.console, entry, options)

    def _run_all(self, options: Options) -> None:
        """Export what can be had, one network after the other.

        Raises:
            ExportError: some could not be exported; the message says which.
        """
        there = [entry for entry in self.to_do if self.reach.can_fetch(entry)]
        failed: list[str] = []
        for entry in there:
            try:
                _export_entry(self.console, entry, options)
            except ExportError as error:
                failed.append(entry.name)
                _print_error(f"{entry.name}: {error}")
        missing = len(self.to_do) - len(there) + len(failed)
        summary = f"{len(self.wanted) - missing} of {len(self.wanted)} networks are exported"
        if failed:
            summary += f"; failed: {', '.join(failed)}"
        try:
            self.reach.require(self.to_do)
        except Unreachable as error:
            raise ExportError(f"{summary}; {error}") from error
        if failed:
            raise ExportError(summary)
        self._say(summary)

    def _say(self, text: str) -> None:
        self.console.print(escape(text), soft_wrap=True)


def _export_entry(console: Console, entry: ZooEntry, options: Options) -> None:
    from paddlex_triton.export.api import run_export_network

    with console.status(entry.name) as status:
        outcome = run_export_network(
            entry.name, replace(options, progress=lambda message: status.update(escape(message)))
        )
    _say_outcome(console, outcome)


def _export_folder(console: Console, folder: Path, name: str | None, family: str | None, options: Options) -> None:
    from paddlex_triton.export.api import run_export_directory

    chosen: Family | None = family  # type: ignore[assignment]  # checked against the known ones before
    with console.status(escape(str(folder))) as status:
        telling = replace(options, progress=lambda message: status.update(escape(message)))
        outcome = run_export_directory(folder, telling, name=name, family=chosen)
    _say_outcome(console, outcome)


def _say_outcome(console: Console, outcome: Outcome) -> None:
    report = outcome.report
    if not outcome.installed:
        console.print(escape(f"{report.name}: there already and up to date, {outcome.path}"), soft_wrap=True)
        return
    proof = report.verification
    text = (
        f"{report.name}: exported to {outcome.path} in {report.seconds:.1f} s; {len(proof.cases)} inputs verified, "
        f"largest difference from the source {proof.max_edit_difference:.1e}, once optimised "
        f"{proof.max_runtime_difference:.1e}, between batches "
        f"{proof.max_row_difference:.1e}"
    )
    console.print(escape(text), soft_wrap=True)


def _exported(repository: Path) -> dict[str, NetworkInfo]:
    found: dict[str, NetworkInfo] = {}
    for path in sorted(repository.glob(f"*/{FILE_NAME}")):
        try:
            found[path.parent.name] = NetworkInfo.load(path)
        except (OSError, ValueError):
            # Not written by this version of the exporter: shown as not exported.
            continue
    return found


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


def _require_extra() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            f"export needs the package {error.name}: pip install 'paddlex-triton[export]'"
        ) from error


def _print_error(text: str) -> None:
    Console(stderr=True).print(f"[red]error:[/red] {escape(text)}", soft_wrap=True, highlight=False)


def _fail(error: ExportError) -> NoReturn:
    _print_error(str(error))
    raise typer.Exit(error.exit_code)
