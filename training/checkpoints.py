"""State of a training on disk, whole or not at all. Needs torch."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from paddlex_triton.export.errors import SourceError
from training.files import write_whole

FILE_NAME = "checkpoint.pt"


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        seed: of its batches.
        budget: seconds of the schedule it is on.
        elapsed: seconds of it that are used up.
        iteration: of all schedules together.
        first_iteration: with which this schedule began.
        images: seen so far.
        rate: part of the greatest learning rate that this schedule begins with.
    """

    seed: int
    budget: float
    elapsed: float = 0.0
    iteration: int = 0
    first_iteration: int = 0
    images: int = 0
    rate: float = 1.0


@dataclass
class Checkpoint:
    """All that a training goes on from.

    Attributes:
        progress: how far it is.
        model: the state of the network that is trained.
        average: the state of the averaged network, which is the one to use.
        optimizer: the optimizer's state.
    """

    progress: Progress
    model: dict[str, Any] = field(repr=False)
    average: dict[str, Any] = field(repr=False)
    optimizer: dict[str, Any] = field(repr=False)


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a folder's checkpoint in place of the one before."""
    buffer = io.BytesIO()
    content = {"progress": asdict(checkpoint.progress)}
    for part in ("model", "average", "optimizer"):
        content[part] = getattr(checkpoint, part)
    torch.save(content, buffer)
    write_whole(folder / FILE_NAME, buffer.getvalue())


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a folder's checkpoint.

    Raises:
        SourceError: there is none, or it cannot be read.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        raise SourceError(f"there is no checkpoint in {folder}")
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
        return Checkpoint(Progress(**content.pop("progress")), **content)
    except Exception as error:  # a damaged file fails in many ways
        raise SourceError(f"{file} cannot be read ({type(error).__name__}: {error})") from error
