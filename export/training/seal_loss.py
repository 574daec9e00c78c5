"""The seal text detector's loss: cross entropy of hard negatives, and a dice loss that wants sharp answers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_ENTROPY_WEIGHT = 2.0
# Background between two bands weighs this much more: a bridge there costs both lines.
_GAP_WEIGHT = 4.0
# Background pixels that count, per pixel of text.
_NEGATIVES = 3
# They are this many pixels per picture at least, so that pictures without text teach too.
_MIN_NEGATIVES = 200
# The dice loss looks at probabilities of logits times this.
_SHARPNESS = 2.0


def seal_loss(logits: Tensor, text: Tensor, ignored: Tensor, gap: Tensor) -> tuple[Tensor, dict[str, float]]:
    """The loss and its parts.

    Args:
        logits: float [N, 1, h, w].
        text, ignored, gap: uint8 [N, h, w], see `SealTargets`.
    """
    z = logits[:, 0].float()
    counted = (ignored == 0).float()
    target = text.float() * counted
    entropy = balanced_entropy(z, target, counted, gap)
    dice = dice_loss(torch.sigmoid(_SHARPNESS * z), target, counted)
    return _ENTROPY_WEIGHT * entropy + dice, {"entropy": float(entropy.detach()), "dice": float(dice.detach())}


def balanced_entropy(z: Tensor, target: Tensor, counted: Tensor, gap: Tensor) -> Tensor:
    """Binary cross entropy over text and three times as much background, that with the largest loss.

    Args:
        z: logits, float [N, h, w].
        target: 1 for text, else 0.
        counted: 0 where nothing is learnt, else 1.
        gap: background that weighs more where it is 1.
    """
    loss = functional.binary_cross_entropy_with_logits(z, target, reduction="none")
    loss = loss * counted * (1 + (_GAP_WEIGHT - 1) * gap.float())
    positive = (loss * target).sum()
    positives = target.sum()
    negative = (loss * (1 - target)).flatten()
    wanted = max(int(_NEGATIVES * positives), _MIN_NEGATIVES * len(z))
    available = int(((1 - target) * counted).sum())
    count = min(wanted, available)
    if count < available:
        # Those above the k-th largest, which is found without a gradient, from bits that order as the values do.
        hardest = negative.detach()
        threshold = torch.kthvalue(hardest, len(hardest) - count + 1).values
        negative = negative[hardest >= threshold]
        count = len(negative)
    return (positive + negative.sum()) / (positives + count).clamp(min=1)


def dice_loss(probability: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    """One less the overlap of text as answered and as it is, over the whole batch; all float [N, h, w]."""
    common = (probability * target).sum()
    whole = (probability * counted).sum() + target.sum()
    return 1 - (2 * common + 1) / (whole + 1)
