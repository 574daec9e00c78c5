"""What the two networks are trained on. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from paddlex_triton.export.training import layout_batches, seal_batches
from paddlex_triton.export.training.blocks import to_input
from paddlex_triton.export.training.layout_batches import LayoutAugmentation, LayoutBatch
from paddlex_triton.export.training.layout_loss import layout_loss
from paddlex_triton.export.training.layout_network import LayoutNetwork, places
from paddlex_triton.export.training.layout_targets import assign
from paddlex_triton.export.training.scenes import PageScene, SealScene
from paddlex_triton.export.training.seal_batches import SealAugmentation, SealBatch
from paddlex_triton.export.training.seal_loss import seal_loss
from paddlex_triton.export.training.seal_network import SealTextNetwork


class SealTask:
    """Seal text detection."""

    name: str = "seals"
    learning_rate: float = 2.5e-3
    network: ClassVar[type[nn.Module]] = SealTextNetwork

    def __init__(self, read: Callable[[], Sequence[SealScene]], augmentation: SealAugmentation | None = None) -> None:
        """Make the task.

        Args:
            read: gives the scenes that there are by now.
            augmentation: how they are changed.
        """
        self._read, self._augmentation = read, augmentation or SealAugmentation()
        self._scenes = read()

    def refresh(self) -> None:
        """Look for new scenes."""
        self._scenes = self._read()

    def batch(self, rng: np.random.Generator, done: float) -> SealBatch:
        """Crops and labels."""
        return seal_batches.draw_batch(self._scenes, rng, self._augmentation, done)

    def loss(self, model: nn.Module, batch: SealBatch) -> tuple[Tensor, dict[str, float]]:
        """See `seal_loss`."""
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(to_input(torch.from_numpy(batch.images)))
        labels = (torch.from_numpy(array) for array in (batch.text, batch.ignored, batch.gap))
        return seal_loss(logits, *labels)


class LayoutTask:
    """Layout detection."""

    name: str = "layout"
    learning_rate: float = 2e-3
    network: ClassVar[type[nn.Module]] = LayoutNetwork

    def __init__(self, read: Callable[[], Sequence[PageScene]], augmentation: LayoutAugmentation | None = None) -> None:
        """Make the task; see `SealTask`."""
        self._read, self._augmentation = read, augmentation or LayoutAugmentation()
        self._pages = read()

    def refresh(self) -> None:
        """Look for new pages."""
        self._pages = self._read()

    def batch(self, rng: np.random.Generator, done: float) -> LayoutBatch:
        """Pages and boxes."""
        return layout_batches.draw_batch(self._pages, rng, self._augmentation, done)

    def loss(self, model: nn.Module, batch: LayoutBatch) -> tuple[Tensor, dict[str, float]]:
        """See `layout_loss`."""
        with torch.autocast("cpu", torch.bfloat16):
            logits, exponents = model(to_input(torch.from_numpy(batch.images)))
        centres, strides = _places(*batch.images.shape[1:3])
        where = centres.numpy(), strides.numpy()
        targets = [assign(boxes, classes, *where) for boxes, classes in zip(batch.boxes, batch.classes, strict=True)]
        return layout_loss(logits, exponents, targets, centres, strides)


_places = lru_cache(maxsize=None)(places)
