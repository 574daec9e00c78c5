"""The loss: varifocal scores and generalised overlap of boxes. Needs torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.batches import Batch
from training.network import LayoutNetwork, boxes_of, places, to_input
from training.targets import Targets, assign

_NEGATIVE_WEIGHT = 0.75
_BOX_WEIGHT = 2.0


def batch_loss(network: LayoutNetwork, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """Return the loss of a network's answers for a batch, which are bfloat16, and the loss's parts."""
    with torch.autocast("cpu", torch.bfloat16):
        logits, exponents = network(to_input(torch.from_numpy(batch.images)))
    centres, strides = places(*batch.images.shape[1:3])
    targets = [
        assign(boxes, classes, centres.numpy(), strides.numpy())
        for boxes, classes in zip(batch.boxes, batch.classes, strict=True)
    ]
    return _loss_of_answers(logits.float(), exponents.float(), targets, centres, strides)


def _loss_of_answers(
    logits: Tensor, exponents: Tensor, targets: Sequence[Targets], centres: Tensor, strides: Tensor
) -> tuple[Tensor, dict[str, float]]:
    page = torch.from_numpy(np.repeat(np.arange(len(targets)), [len(target.places) for target in targets]))
    place = torch.from_numpy(np.concatenate([target.places for target in targets]))
    of_class = torch.from_numpy(np.concatenate([target.classes for target in targets]))
    expected = torch.from_numpy(np.concatenate([target.boxes for target in targets]))
    found = boxes_of(exponents[page, place, of_class][:, None], centres[place], strides[place])[:, 0]
    overlap, generalized = overlaps(found, expected)
    quality = torch.zeros_like(logits)
    # The root: a small seal that is found is off by a third of itself, and is to score as found all the same.
    quality[page, place, of_class] = overlap.detach().clamp(min=0.01).sqrt()
    positives = max(len(page), 1)
    scores = varifocal_loss(logits, quality) / positives
    boxes = (1 - generalized).sum() / positives
    return scores + _BOX_WEIGHT * boxes, {"scores": float(scores.detach()), "boxes": float(boxes.detach())}


def varifocal_loss(logits: Tensor, quality: Tensor) -> Tensor:
    """Sum cross entropies with the quality of the box, where it is above 0; others weigh 0.75 p^2.

    Args:
        logits: float, of any shape.
        quality: of the same shape, 0 to 1.
    """
    probability = torch.sigmoid(logits.detach())
    weight = torch.where(quality > 0, quality, _NEGATIVE_WEIGHT * probability**2)
    return functional.binary_cross_entropy_with_logits(logits, quality, weight=weight, reduction="sum")


def overlaps(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return the intersection over union, and the generalised one, of pairs of boxes float [P, 4]; float [P] each."""
    sides = (torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])).clamp(min=0)
    common = sides.prod(dim=1)
    whole = (first[:, 2:] - first[:, :2]).prod(dim=1) + (second[:, 2:] - second[:, :2]).prod(dim=1) - common
    hull = (torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])).prod(dim=1)
    overlap = common / whole.clamp(min=1e-6)
    return overlap, overlap - (hull - whole) / hull.clamp(min=1e-6)
