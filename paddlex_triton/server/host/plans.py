"""What takes a network's model file in an assembled directory: its ONNX file, or the TensorRT plan that fits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from paddlex_triton.network import FILE_NAME, NetworkInfo
from paddlex_triton.server.host.errors import AssemblyError
from paddlex_triton.tensorrt_plans import PLAN_NAME, Plan, PlanError, find_plan, limited_by_plan

# As `export` writes it into the configuration of a network that a plan is made of.
_NEEDS_PLAN = 'backend: "tensorrt"'


@dataclass(frozen=True)
class Served:
    """A network as it is served.

    Attributes:
        description: its network.json: the file, or the text where a plan takes less than the network.
        files: what lies in its version folder 1, name -> file; None for that folder as it is.
    """

    description: Path | str
    files: dict[str, Path] | None = None


def serve_network(folder: Path, config: str) -> Served:
    """Choose what a network is served with.

    Args:
        folder: the exported network's.
        config: the text of its configuration in the flavour that is served.

    Raises:
        AssemblyError: the configuration is for a plan, and none fits.
    """
    if _NEEDS_PLAN not in config.splitlines():
        return Served(folder / FILE_NAME)
    try:
        info = NetworkInfo.load(folder / FILE_NAME)
        plan: Plan = find_plan(folder, info)
    except (OSError, ValueError) as error:
        raise AssemblyError(f"{folder / FILE_NAME}: {error}") from None
    except PlanError as error:
        raise AssemblyError(str(error)) from None
    _require_agreeing(plan, config)
    return Served(limited_by_plan(info, plan.info).model_dump_json(indent=1) + "\n", {PLAN_NAME: plan.file})


def _require_agreeing(plan: Plan, config: str) -> None:
    """A configuration of another version of the exporter may ask for rows or profiles that the plan does not have."""
    rows = f"max_batch_size: {plan.info.max_batch_size}"
    last = f'"{len(plan.info.profiles) - 1}" ]'
    one = len(plan.info.profiles) == 1
    if rows not in config.splitlines() or ("profile: [" in config) == one or not (one or last in config):
        raise AssemblyError(
            f"{plan.info.name}: its TensorRT plan was made for another configuration. "
            f"Run: paddlex-triton export --tensorrt {plan.info.name}"
        )
