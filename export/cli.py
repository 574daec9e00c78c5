"""The commands `paddlex-triton export` and `paddlex-triton models`."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, get_args

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from paddlex_triton import paths
from paddlex_triton.export.commands import export_command_for
from paddlex_triton.export.errors import ExportError, MissingDependency, UsageError
from paddlex_triton.export.zoo import (
    ZooEntry,
    find_network,
    load_zoo,
    networks_of,
    require_sources,
    steps_without_network,
)
from paddlex_triton.network import FILE_NAME, Family, NetworkInfo
from paddlex_triton.pipelines import find_pipeline, find_preset

if TYPE_CHECKING:
    import numpy as np

    from paddlex_triton.export.api import Options, Outcome

_FAMILY_NAMES = ", ".join(get_args(Family))


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
    from_dir: Annotated[
        Path | None, typer.Option(help="Export own weights: a folder with an ONNX file and PaddleX's inference.yml.")
    ] = None,
    family: Annotated[
        str | None, typer.Option(help=f"With --from-dir, where inference.yml does not tell: {_FAMILY_NAMES}.")
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
    console, errors = Console(), Console(stderr=True)
    try:
        repository = into if into is not None else paths.networks_repository()
        exported = _exported(repository)
        wanted = _wanted(names or [], pipeline, preset, from_dir, family, name, exported)
        if pipeline is not None and preset is None:
            _say_fallback(console, pipeline, wanted)
            _say_steps_off(console, pipeline, exported)
        if dry_run:
            _say_plan(console, wanted, from_dir, repository, exported)
            return
        require_sources(entry for entry in wanted if entry.name not in exported)
        _require_extra()
        from paddlex_triton.export.api import Options

        options = Options(into=repository, force=force, images=_read_images(check_image or []))
        if from_dir is not None:
            _export_folder(console, from_dir, name, family, options)
        for entry in wanted:
            if entry.sources:
                _export_entry(console, entry, options)
            else:
                console.print(escape(_kept(entry, exported[entry.name])), soft_wrap=True)
    except ExportError as error:
        _fail(errors, error)


def models(
    into: Annotated[Path | None, typer.Option(help="The Triton model repository to look in.")] = None,
) -> None:
    """List the networks that are known by name, and those that are exported."""
    repository = into if into is not None else paths.networks_repository()
    exported = _exported(repository)
    table = Table(title=f"networks in {escape(str(repository))}")
    table.add_column("name", no_wrap=True)
    for column in ("family", "source", "exported"):
        table.add_column(column, overflow="fold")
    for name, entry in load_zoo().networks.items():
        info = exported.pop(name, None)
        sources = "\n".join(source.label for source in entry.sources) or "own weights, --from-dir"
        table.add_row(name, entry.family, escape(sources), _state(info))
    for name, info in exported.items():
        table.add_row(escape(name), info.family, escape(info.provenance.source), _state(info))
    Console().print(table)


def _wanted(
    names: Sequence[str],
    pipeline: str | None,
    preset: str | None,
    from_dir: Path | None,
    family: str | None,
    name: str | None,
    exported: Container[str],
) -> list[ZooEntry]:
    """The networks of the zoo that were asked for; none with --from-dir.

    Raises:
        UsageError: not exactly one of names, --pipeline and --from-dir, or an option that belongs to another.
    """
    if sum((bool(names), pipeline is not None, from_dir is not None)) != 1:
        raise UsageError("give network names, or --pipeline NAME, or --from-dir DIR: one of the three")
    if preset is not None and pipeline is None:
        raise UsageError("--preset belongs to --pipeline")
    if from_dir is None and (family is not None or name is not None):
        raise UsageError("--family and --name belong to --from-dir")
    if family is not None and family not in get_args(Family):
        raise UsageError(f"no family {family!r}; known: {_FAMILY_NAMES}")
    chosen = networks_of(pipeline, preset, exported) if pipeline is not None else names
    return [find_network(each) for each in dict.fromkeys(chosen)]


def _say_fallback(console: Console, pipeline: str, wanted: Sequence[ZooEntry]) -> None:
    """Say so where a pipeline's own networks cannot be had and others take their places."""
    spec = find_pipeline(pipeline)
    official = find_preset(spec).values()
    if not set(official) - {entry.name for entry in wanted}:
        return
    text = (
        f"{spec.name}: this version has no source for {', '.join(official)}; taking preset {spec.fallback_preset}. "
        "Official weights are exported with --from-dir"
    )
    console.print(escape(text), soft_wrap=True)


def _say_steps_off(console: Console, pipeline: str, exported: Container[str]) -> None:
    """Say which optional steps stay off, as the pipeline runs without them."""
    steps = steps_without_network(pipeline, exported)
    if not steps:
        return
    networks = ", ".join(" or ".join(names) for names in steps.values())
    text = (
        f"{find_pipeline(pipeline).name}: {', '.join(steps)} {'stays' if len(steps) == 1 else 'stay'} off, as this "
        f"version has no source for {networks}. Official weights are exported with --from-dir"
    )
    console.print(escape(text), soft_wrap=True)


def _say_plan(
    console: Console,
    wanted: Sequence[ZooEntry],
    from_dir: Path | None,
    repository: Path,
    exported: Mapping[str, NetworkInfo],
) -> None:
    for entry in wanted:
        console.print(escape(_plan_of(entry, exported.get(entry.name), repository)), soft_wrap=True)
    if from_dir is not None:
        console.print(escape(f"would export the weights in {from_dir} into {repository}"), soft_wrap=True)


def _plan_of(entry: ZooEntry, present: NetworkInfo | None, repository: Path) -> str:
    if entry.sources:
        state = "there already" if present is not None else "new"
        return f"would export {entry.name} ({entry.family}) from {entry.sources[0].label} into {repository}: {state}"
    if present is not None:
        return _kept(entry, present)
    weights = f"unpack {entry.official_onnx}, or " if entry.official_onnx else ""
    return (
        f"cannot fetch {entry.name} ({entry.family}): {weights}convert the weights in {entry.official} to ONNX first, "
        f"then {export_command_for(entry.name)}"
    )


def _kept(entry: ZooEntry, present: NetworkInfo) -> str:
    """What becomes of a network that cannot be fetched and is there."""
    return f"{entry.name}: there already, made from {present.provenance.source}; it has no source to fetch it anew from"


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


def _state(info: NetworkInfo | None) -> str:
    return f"yes, {info.sha256[:12]}" if info is not None else "no"


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


def _fail(console: Console, error: ExportError) -> NoReturn:
    console.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)
    raise typer.Exit(error.exit_code)
