"""Choosing the model file that a network is served from: its ONNX file, or the TensorRT plan that fits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from paddlex_triton.checksums import sha256_of_file
from paddlex_triton.export_hints import export_command_for
from paddlex_triton.flavours import Flavour
from paddlex_triton.network import FILE_NAME, NetworkInfo
from paddlex_triton.server.host.errors import AssemblyError
from paddlex_triton.server.host.model_config import parse_config
from paddlex_triton.tensorrt_plans import Plan, PlanError, limited_by_plan

ONNX_FILE = "1/model.onnx"


@dataclass(frozen=True)
class ModelFiles:
    """A network as it is served.

    Attributes:
        description: its network.json: the file, or the text where a run takes less than the network.
        files: what lies in its version folder 1, name -> file; None for that folder as it is.
    """

    description: Path | str
    files: dict[str, Path] | None = None


def choose_model_files(folder: Path, info: NetworkInfo, flavour: Flavour, config: str) -> ModelFiles:
    """Choose what a network is served from.

    Args:
        folder: the exported network's.
        info: its network.json.
        flavour: how it is run.
        config: the text of its configuration in that flavour.

    Raises:
        AssemblyError: the configuration cannot be read, or is for a plan and none fits; the file is missing or damaged.
    """
    if flavour.find_plan is None:
        _require_whole(folder / ONNX_FILE, info.sha256, export_command_for(info.name))
        return ModelFiles(_description(folder, info, flavour))
    parsed = parse_config(config, folder / flavour.config_file)
    if parsed.backend != flavour.backend:
        _require_whole(folder / ONNX_FILE, info.sha256, export_command_for(info.name))
        return ModelFiles(folder / FILE_NAME)
    try:
        plan = flavour.find_plan(folder, info)
    except PlanError as error:
        raise AssemblyError(str(error)) from None
    _require_whole(plan.file, plan.info.plan_sha256, f"paddlex-triton export --tensorrt {info.name}")
    _require_agreeing(plan, parsed.max_batch_size, [list(group.profile) for group in parsed.instance_group])
    return ModelFiles(
        limited_by_plan(info, plan.info).model_dump_json(indent=1) + "\n", {flavour.model_file: plan.file}
    )


def _description(folder: Path, info: NetworkInfo, flavour: Flavour) -> Path | str:
    """Return what modules are told of a network that is served whole."""
    if info.family != "ctc_recognition" or flavour.max_run_columns is None:
        return folder / FILE_NAME
    limited = info.model_copy(update={"geometry": {**info.geometry, "max_columns": flavour.max_run_columns}})
    return limited.model_dump_json(indent=1) + "\n"


def fault_of_file(file: Path, sha256: str) -> str | None:
    """Say what is wrong with a model file: one that is not as it was made may load, and answer something else.

    Args:
        file: the file.
        sha256: its SHA-256 when it was exported.
    """
    try:
        return None if sha256_of_file(file) == sha256 else f"{file} is damaged: it is not the file that was exported"
    except FileNotFoundError:
        return f"{file} is missing"
    except OSError as error:
        return f"{file} cannot be read: {error.strerror}"


def _require_whole(file: Path, sha256: str, command: str) -> None:
    if fault := fault_of_file(file, sha256):
        raise AssemblyError(f"{fault}. Run: {command}")


def _require_agreeing(plan: Plan, rows: int, profiles: list[list[str]]) -> None:
    """Refuse a configuration by another version of the exporter: it may ask for what the plan does not have.

    Args:
        plan: the plan.
        rows: the configuration's `max_batch_size`.
        profiles: the profiles that each of its groups of instances lists.
    """
    count = len(plan.info.profiles)
    # One profile needs no list.
    wanted = [str(number) for number in range(count)] if count > 1 else []
    if rows != plan.info.max_batch_size or profiles != [wanted]:
        raise AssemblyError(
            f"{plan.info.name}: its TensorRT plan was made for another configuration. "
            f"Run: paddlex-triton export --tensorrt {plan.info.name}"
        )
