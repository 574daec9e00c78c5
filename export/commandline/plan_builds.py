"""`paddlex-triton export --tensorrt`: the part of the command that makes plans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from paddlex_triton.export.commandline.export_run import ExportRun, print_error
from paddlex_triton.export.errors import ExportError

if TYPE_CHECKING:
    from paddlex_triton.export.api import Options
    from paddlex_triton.export.tensorrt.build import PlanOptions, PlanOutcome
    from paddlex_triton.export.tensorrt.trtexec import Trtexec


def export_with_plans(run: ExportRun, options: Options, trtexec: Trtexec) -> None:
    """Export what was asked for, then make its plans.

    Args:
        run: what was asked for.
        options: of the export.
        trtexec: of this machine.

    Raises:
        ExportError: a network could not be exported, or a plan not be made. Where all of the zoo was asked for, neither
            stops the others.
    """
    from paddlex_triton.export.tensorrt.build import PlanOptions

    failure: ExportError | None = None
    try:
        run.run(options)
    except ExportError as error:
        if not run.request.everything:
            raise
        failure = error
    plans = PlanOptions(options.repository, options.force, options.images)
    failed = _make_plans(run.console, dict.fromkeys(run.done), trtexec, plans)
    if failed:
        raise ExportError(f"no TensorRT plan of {', '.join(failed)}{f'; {failure}' if failure else ''}")
    if failure is not None:
        raise failure


def print_plan_dry_run(run: ExportRun) -> None:
    """Print what `--dry-run` says of plans."""
    names = [*(own.name or own.folder.name for own in run.own), *(entry.name for entry in run.wanted)]
    text = f"would then make TensorRT plans, unless they are up to date or run on ONNX Runtime: {', '.join(names)}"
    run.console.print(escape(text), soft_wrap=True)


def _make_plans(console: Console, names: Iterable[str], trtexec: Trtexec, options: PlanOptions) -> list[str]:
    """Make plans one after the other; a failure stops no other.

    Returns:
        The networks whose plan could not be made.
    """
    from paddlex_triton.export.tensorrt.build import make_plan

    failed: list[str] = []
    for name in names:
        try:
            with console.status(escape(f"{name}: TensorRT plan")) as status:
                telling = replace(options, progress=lambda message, status=status: status.update(escape(message)))
                outcome = make_plan(name, trtexec, telling)
        except ExportError as error:
            failed.append(name)
            print_error(f"{name}: {error}")
            continue
        console.print(escape(describe(outcome)), soft_wrap=True)
    return failed


def describe(outcome: PlanOutcome) -> str:
    """Return what became of one network, in one line."""
    if outcome.plan is None:
        return f"{outcome.name}: runs on ONNX Runtime in the flavour tensorrt too; no plan is made"
    info = outcome.plan.info
    if not outcome.made:
        return f"{outcome.name}: TensorRT plan there already and up to date, {outcome.plan.folder}"
    gate, precision = info.gate, info.precision.upper()
    if gate is not None and gate.passed:
        precision += f" ({gate.worst:.2g} from FP32, {gate.bound:g} is allowed: {gate.measure})"
    elif gate is not None:
        precision += f", as FP16 did not pass ({gate.why})"
    return (
        f"{outcome.name}: TensorRT plan for {info.target} in {precision}, {info.seconds:.0f} s, {outcome.plan.folder}"
    )
