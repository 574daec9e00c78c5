"""Trains the seal networks and writes their ONNX files. Needs the extra `[train]`.

`python -m paddlex_triton.export.training.train train seals SHARDS RUN --minutes 120`
"""

from __future__ import annotations

import os
import signal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from paddlex_triton.export.errors import ExportError, MissingDependency, UsageError

if TYPE_CHECKING:
    from torch import nn

    from paddlex_triton.export.training.loop import Report, Training

app = typer.Typer(help="Train the seal networks on synthetic scenes.", no_args_is_help=True)


class Which(str, Enum):
    """The networks."""

    seals = "seals"
    layout = "layout"


_Which = Annotated[Which, typer.Argument(help="seals: the text detector; layout: the layout detector.")]
_Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of this training: its checkpoint, log and network.")]
_Sharpness = Annotated[float, typer.Option(min=0.1, help="k of the text detector's calibration sigmoid(k (z - b)).")]
_Offset = Annotated[float, typer.Option(help="Its b.")]


@app.command()
def train(
    network: _Which,
    shards: Annotated[Path, typer.Argument(help="Folder of generated scenes; shards that appear later are used too.")],
    run: _Run,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Budget of time. With --resume: of a new schedule from here on.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's checkpoint.")] = False,
    weights: Annotated[
        Path | None, typer.Option(help="Start from the weights in an ONNX file written here, or in an .npz.")
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="Part of the usual learning rate to begin a schedule with.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of weights and batches.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Of torch; two trainings side by side want one each.")] = 1,
) -> None:
    """Train a network for some time, and write it as an ONNX file."""
    console, errors = Console(), Console(stderr=True)
    try:
        _prepare_torch(threads)
        training = _training(network, shards, run, minutes, resume, weights, seed, rate)
        if _run_shown(training, console):
            _say_written(console, _write(network, training.average, run, 1.0, 0.0))
        else:
            console.print(f"stopped; go on with --resume {escape(str(run))}", soft_wrap=True)
    except (ExportError, FloatingPointError) as error:
        errors.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)
        raise typer.Exit(getattr(error, "exit_code", 1)) from None


@app.command()
def export(network: _Which, run: _Run, sharpness: _Sharpness = 1.0, offset: _Offset = 0.0) -> None:
    """Write the averaged network of a training's checkpoint as an ONNX file."""
    console, errors = Console(), Console(stderr=True)
    try:
        _prepare_torch(1)
        from paddlex_triton.export.training.checkpoints import load_checkpoint

        model = _new_network(network)
        model.load_state_dict(load_checkpoint(run, network.value).average)
        _say_written(console, _write(network, model, run, sharpness, offset))
    except ExportError as error:
        errors.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)
        raise typer.Exit(error.exit_code) from None


def _prepare_torch(threads: int) -> None:
    """Import torch so that its threads sleep while they wait: spinning ones starve the training next to this one."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    try:
        import onnx  # noqa: F401
        import torch
    except ImportError as error:
        raise MissingDependency(
            f"training needs the package {error.name}: pip install 'paddlex-triton[train]'"
        ) from error
    import cv2

    torch.set_num_threads(threads)
    cv2.setNumThreads(1)


def _new_network(which: Which) -> nn.Module:
    from paddlex_triton.export.training.tasks import LayoutTask, SealTask

    return SealTask.network() if which is Which.seals else LayoutTask.network()


def _training(
    which: Which,
    shards: Path,
    run: Path,
    minutes: float | None,
    resume: bool,
    weights: Path | None,
    seed: int,
    rate: float,
) -> Training:
    import torch

    from paddlex_triton.export.training.checkpoints import FILE_NAME, Progress, load_checkpoint
    from paddlex_triton.export.training.loop import Training
    from paddlex_triton.export.training.onnx_files import load_weights
    from paddlex_triton.export.training.scenes.shards import PageShards, SealShards
    from paddlex_triton.export.training.tasks import LayoutTask, SealTask

    if resume and weights is not None:
        raise UsageError("--resume and --weights exclude each other")
    if not resume and minutes is None:
        raise UsageError("--minutes is missing: how long to train")
    if not resume and (run / FILE_NAME).exists():
        raise UsageError(f"{run} holds a checkpoint: go on from it with --resume, or take another folder")
    torch.manual_seed(seed)
    model = _new_network(which)
    if weights is not None:
        load_weights(model, weights)
    if which is Which.seals:
        task: SealTask | LayoutTask = SealTask(lambda: SealShards(shards))  # type: ignore[arg-type, return-value]
    else:
        task = LayoutTask(lambda: PageShards(shards))  # type: ignore[arg-type, return-value]
    training = Training(model, task, Progress(which.value, seed, (minutes or 0) * 60, rate=rate), run)
    if resume:
        training.restore(load_checkpoint(run, which.value), schedule=minutes is None)
    return training


def _run_shown(training: Training, console: Console) -> bool:
    stopped = False

    def stop(*_: Any) -> None:
        nonlocal stopped
        stopped = True

    handlers = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    try:
        with Bar(*columns, console=console) as bar:
            shown = bar.add_task(training.task.name, total=training.progress.budget)
            bar.update(shown, completed=training.progress.elapsed)

            def tell(report: Report) -> None:
                progress = report.progress
                parts = ", ".join(f"{name} {value:.3f}" for name, value in report.parts.items())
                text = f"iteration {progress.iteration}, {progress.images} images, loss {report.loss:.3f} ({parts})"
                bar.update(shown, completed=progress.elapsed, description=text)

            return training.run(tell, lambda: stopped)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _write(which: Which, model: nn.Module, run: Path, sharpness: float, offset: float) -> Path:
    from paddlex_triton.export.training import onnx_files
    from paddlex_triton.export.training.layout_network import LayoutNetwork
    from paddlex_triton.export.training.seal_network import SealTextNetwork

    if isinstance(model, SealTextNetwork):
        folder = run / onnx_files.SEAL_DET_NAME
        return onnx_files.export_seal_detector(model, folder, sharpness=sharpness, offset=offset)
    assert isinstance(model, LayoutNetwork)
    if (sharpness, offset) != (1.0, 0.0):
        raise UsageError("--sharpness and --offset are the text detector's")
    return onnx_files.export_layout_detector(model, run / onnx_files.SEAL_LAYOUT_NAME)


def _say_written(console: Console, file: Path) -> None:
    console.print(f"{escape(str(file))}: {file.stat().st_size / 1e6:.1f} MB", soft_wrap=True)


if __name__ == "__main__":
    app()
