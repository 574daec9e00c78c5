"""Trains the layout network and writes its ONNX file. Needs the extra `[train]`.

`python -m training.train train SHARDS RUN --minutes 120`
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from paddlex_triton.export.errors import MissingDependency, UsageError
from training.console import errors_said

if TYPE_CHECKING:
    from training.loop import Report, Training
    from training.network import LayoutNetwork

app = typer.Typer(help="Train the layout network on synthetic pages.", no_args_is_help=True)

_Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of this training: its checkpoint, log and network.")]


@app.command()
def train(
    shards: Annotated[Path, typer.Argument(help="Folder of generated pages; shards that appear later are used too.")],
    run: _Run,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Budget of time. With --resume: of a new schedule from here on.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's checkpoint.")] = False,
    weights: Annotated[Path | None, typer.Option(help="Start from the weights in an ONNX file written here.")] = None,
    rate: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="Part of the usual learning rate to begin a schedule with.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of weights and batches.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Of torch.")] = 1,
) -> None:
    """Train the network for some time, and write it as an ONNX file."""
    console = Console()
    with errors_said(FloatingPointError):
        _prepare_torch(threads)
        training = _training(shards, run, minutes, resume, weights, seed, rate)
        if _run_shown(training, console):
            _write(console, training.average, run)
        else:
            console.print(
                f"stopped; go on with train {escape(str(shards))} {escape(str(run))} --resume", soft_wrap=True
            )


@app.command()
def export(run: _Run) -> None:
    """Write the averaged network of a training's checkpoint as an ONNX file."""
    with errors_said():
        _prepare_torch(1)
        from training.checkpoints import load_checkpoint
        from training.network import LayoutNetwork

        network = LayoutNetwork()
        network.load_state_dict(load_checkpoint(run).average)
        _write(Console(), network, run)


def _prepare_torch(threads: int) -> None:
    """Import torch so that its threads sleep while they wait: spinning ones starve what runs beside the training."""
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


def _training(
    shards: Path, run: Path, minutes: float | None, resume: bool, weights: Path | None, seed: int, rate: float
) -> Training:
    import torch

    from training.checkpoints import FILE_NAME, Progress, load_checkpoint
    from training.loop import Training
    from training.network import LayoutNetwork
    from training.onnx_files import load_weights
    from training.scenes.shards import PageShards

    if resume and weights is not None:
        raise UsageError("--resume and --weights exclude each other")
    if not resume and minutes is None:
        raise UsageError("--minutes is missing: how long to train")
    if not resume and (run / FILE_NAME).exists():
        raise UsageError(f"{run} holds a checkpoint: go on from it with --resume, or take another folder")
    torch.manual_seed(seed)
    network = LayoutNetwork()
    if weights is not None:
        load_weights(network, weights)
    progress = Progress(seed, (minutes or 0) * 60, rate=rate)
    training = Training(network, lambda: PageShards(shards), progress, run)
    if resume:
        training.restore(load_checkpoint(run), schedule=minutes is None)
    return training


def _run_shown(training: Training, console: Console) -> bool:
    """Train, with a bar; whether the budget is used up. SIGINT and SIGTERM stop after the iteration under way."""
    stopped = False

    def stop(*_: Any) -> None:
        nonlocal stopped
        stopped = True

    handlers = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    try:
        with Bar(*columns, console=console) as bar:
            shown = bar.add_task("training", total=training.progress.budget)
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


def _write(console: Console, network: LayoutNetwork, run: Path) -> None:
    from training.onnx_files import NAME, export_network

    file = export_network(network, run / NAME)
    console.print(f"{escape(str(file))}: {file.stat().st_size / 1e6:.1f} MB", soft_wrap=True)


if __name__ == "__main__":
    app()
