"""Timing networks in the engines for CPUs: what an export keeps of it, and doing it again on another machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from paddlex_triton.export.engines import EngineError, engines_here, measure
from paddlex_triton.export.errors import VerificationError
from paddlex_triton.export.install import replace_file
from paddlex_triton.export.installed import MODEL_PATH, as_json, read_content, read_info, read_report
from paddlex_triton.flavours import CPU, flavours_for
from paddlex_triton.network import FILE_NAME, NetworkInfo


def time_network(info: NetworkInfo, files: Mapping[str, bytes], refused: Mapping[str, str]) -> NetworkInfo:
    """Return a network's description with how long the flavours for CPUs take here.

    Args:
        info: its description.
        files: its others, path -> content.
        refused: flavour -> why it does not serve the network.

    Raises:
        VerificationError: it does not run as it is served.
    """
    configs = {flavour.name: files[flavour.config_file].decode() for flavour in flavours_for("cpu")}
    try:
        return info.model_copy(update={"on_cpu": measure(info, files[MODEL_PATH], configs, refused)})
    except EngineError as error:
        raise VerificationError(f"the network does not run as it is served: {error}. Not installed") from error


def measure_network(repository: Path, name: str) -> NetworkInfo:
    """Time an exported network in the engines for CPUs that are here, and keep that in its description.

    Args:
        repository: the folder of Triton models that it is in.
        name: the network's.

    Returns:
        Its description.

    Raises:
        VerificationError: it was exported by another version or without this engine, or it does not run.
        InstallError: its description cannot be written.
    """
    folder = repository / name
    info, report = read_info(folder), read_report(folder)
    again = f"Run: paddlex-triton export --force {name}"
    if info is None or report is None or report.sha256 != info.sha256:
        raise VerificationError(f"{name} was exported by another version. {again}")
    unproved = [flavour.name for flavour in engines_here() if flavour is not CPU and not report.proves(flavour.name)]
    if unproved:
        raise VerificationError(f"{name} was exported where {', '.join(unproved)} was not installed. {again}")
    configs = {flavour.name: read_content(folder / flavour.config_file).decode() for flavour in flavours_for("cpu")}
    try:
        content = read_content(folder / MODEL_PATH)
        measured = measure(info, content, configs, report.verification.refused_engines())
    except EngineError as error:
        raise VerificationError(f"{name} does not run as it is served: {error}. {again}") from error
    info = info.model_copy(update={"on_cpu": measured})
    replace_file(repository, name, FILE_NAME, as_json(info.model_dump_json(indent=1)))
    return info
