"""The training loop: as many iterations as fit a budget of time, on any machine. Needs torch."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from training.batches import Augmentation, Batch, draw_batch
from training.checkpoints import Checkpoint, Progress, save_checkpoint
from training.loss import batch_loss
from training.network import LayoutNetwork
from training.scenes import Pages

LOG_NAME = "training.jsonl"
LEARNING_RATE = 2e-3
_BETAS = (0.9, 0.98)
_WEIGHT_DECAY = 0.02
_GRADIENT_CLIP = 5.0
_WARM_UP = 100
# The learning rate ends at this part of itself.
_LAST_RATE = 0.01
_AVERAGE_DECAY = 0.998
_CHECKPOINT_EVERY = 150
_LOG_EVERY = 25


@dataclass
class Report:
    """The loop's progress while it runs: how far it is, and means since the last report."""

    progress: Progress
    loss: float
    parts: dict[str, float]


def learning_rate_at(done: float, iteration: int) -> float:
    """Return the part of the greatest learning rate: a cosine over the budget, after a warm-up of 100 iterations.

    Args:
        done: part of the budget that is used up, 0 to 1.
        iteration: of this schedule, from 0.
    """
    cosine = _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * min(max(done, 0.0), 1.0))) / 2
    return cosine * min(1.0, (iteration + 1) / _WARM_UP)


class Training:
    """A network, its average, and the optimizer."""

    def __init__(
        self,
        model: LayoutNetwork,
        read_pages: Callable[[], Pages],
        progress: Progress,
        folder: Path,
        augmentation: Augmentation | None = None,
    ) -> None:
        """Start anew; `restore` goes on instead.

        Args:
            model: to be trained, in place.
            read_pages: gives the pages that there are by now; asked again at every checkpoint.
            progress: schedule, seed; is kept up to date.
            folder: gets the checkpoint and the log.
            augmentation: how pages are changed.
        """
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.progress, self.folder = progress, folder
        self.optimizer = torch.optim.AdamW(_groups(model), lr=LEARNING_RATE, betas=_BETAS)
        self._read_pages, self._augmentation = read_pages, augmentation or Augmentation()
        self._pages = read_pages()

    def restore(self, checkpoint: Checkpoint, *, schedule: bool = True) -> None:
        """Go on from a checkpoint.

        Args:
            checkpoint: of the same network.
            schedule: on its schedule; else one of the budget and rate given begins, with its weights and optimizer.
        """
        self.model.load_state_dict(checkpoint.model)
        self.average.load_state_dict(checkpoint.average)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        given, there = self.progress, checkpoint.progress
        self.progress = copy.copy(there)
        if not schedule:
            self.progress.budget, self.progress.elapsed, self.progress.rate = given.budget, 0.0, given.rate
            self.progress.first_iteration = there.iteration

    def save(self) -> None:
        """Write the checkpoint."""
        state = Checkpoint(
            self.progress, self.model.state_dict(), self.average.state_dict(), self.optimizer.state_dict()
        )
        save_checkpoint(self.folder, state)

    def run(self, tell: Callable[[Report], object] | None = None, stop: Callable[[], bool] = lambda: False) -> bool:
        """Train until the budget is used up or `stop` says so, and write the checkpoint.

        Args:
            tell: called every 25 iterations.
            stop: asked before each iteration.

        Returns:
            Whether the budget is used up.

        Raises:
            FloatingPointError: the loss is no longer a number; the last checkpoint stays.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model.train()
        before, start, sums = self.progress.elapsed, time.monotonic(), Sums()
        # A batch is drawn while the one before is learnt.
        with ThreadPoolExecutor(1) as ahead:
            drawn = ahead.submit(self._draw, self.progress.iteration)
            while self.progress.elapsed < self.progress.budget and not stop():
                batch = drawn.result()
                drawn = ahead.submit(self._draw, self.progress.iteration + 1)
                self._step(batch, sums)
                self.progress.elapsed = before + time.monotonic() - start
                if self.progress.iteration % _LOG_EVERY == 0:
                    self._report(sums, tell)
                    sums = Sums()
                if self.progress.iteration % _CHECKPOINT_EVERY == 0:
                    self.save()
                    self._pages = self._read_pages()
        self.save()
        return self.progress.elapsed >= self.progress.budget

    def _draw(self, iteration: int) -> Batch:
        rng = np.random.default_rng((self.progress.seed, iteration))
        return draw_batch(self._pages, rng, self._augmentation, self.progress.elapsed / self.progress.budget)

    def _step(self, batch: Batch, sums: Sums) -> None:
        progress = self.progress
        done = progress.elapsed / progress.budget
        rate = progress.rate * learning_rate_at(done, progress.iteration - progress.first_iteration)
        for group in self.optimizer.param_groups:
            group["lr"] = LEARNING_RATE * rate
        loss, parts = batch_loss(self.model, batch)
        if not math.isfinite(float(loss.detach())):
            raise FloatingPointError(f"the loss is {float(loss.detach())} at iteration {progress.iteration}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), _GRADIENT_CLIP)
        self.optimizer.step()
        progress.iteration += 1
        progress.images += len(batch.images)
        average(self.average, self.model, progress.iteration)
        sums.add(float(loss.detach()), parts)

    def _report(self, sums: Sums, tell: Callable[[Report], object] | None) -> None:
        loss, parts = sums.means()
        progress = self.progress
        line = {
            "iteration": progress.iteration,
            "images": progress.images,
            "seconds": round(progress.elapsed, 1),
            "learning_rate": float(self.optimizer.param_groups[0]["lr"]),
            "loss": round(loss, 5),
            **{name: round(value, 5) for name, value in parts.items()},
        }
        with (self.folder / LOG_NAME).open("a") as log:
            log.write(json.dumps(line) + "\n")
        if tell is not None:
            tell(Report(progress, loss, parts))


class Sums:
    """Losses since the last report."""

    def __init__(self) -> None:
        self._count, self._loss = 0, 0.0
        self._parts: dict[str, float] = {}

    def add(self, loss: float, parts: dict[str, float]) -> None:
        """Count an iteration's."""
        self._count += 1
        self._loss += loss
        for name, value in parts.items():
            self._parts[name] = self._parts.get(name, 0.0) + value

    def means(self) -> tuple[float, dict[str, float]]:
        """Return the means of the loss and its parts; at least one iteration was counted."""
        return self._loss / self._count, {name: value / self._count for name, value in self._parts.items()}


@torch.no_grad()
def average(averaged: nn.Module, model: nn.Module, iteration: int) -> None:
    """Move the averaged network's weights and statistics towards the network's; faster in the first iterations."""
    step = 1 - min(_AVERAGE_DECAY, (1 + iteration) / (10 + iteration))
    sources, targets = model.state_dict(), averaged.state_dict()
    names = [name for name, value in targets.items() if value.is_floating_point()]
    torch._foreach_lerp_(  # type: ignore[attr-defined]
        [targets[name] for name in names], [sources[name] for name in names], step
    )


def _groups(model: nn.Module) -> list[dict[str, Any]]:
    """Group the weights: those of convolutions decay; those of normalisations, biases and scales do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": _WEIGHT_DECAY},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
