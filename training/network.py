"""The layout network: small and residual, a two-way pyramid to 1/64, one dense head. Needs torch."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

from training.blocks import ConvNormReLU, ResidualBlock, enlarge_twice, initialize
from training.inputs import MEAN, STD
from training.scenes import CLASS_NAMES

CLASS_COUNT = len(CLASS_NAMES)
STRIDES = (8, 16, 32, 64)
_WIDTH = 48
# Score of every class at the start of a training.
_PRIOR = 0.01
# A distance's exponent is kept below this: e^6 strides is more than any page.
_LARGEST_EXPONENT = 6.0


class LayoutNetwork(nn.Module):
    """Boxes of images, tables and seals; a box for each class at each place. 1.5 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNormReLU(3, 16, stride=2), ConvNormReLU(16, 32, stride=2))
        self.stage1 = nn.Sequential(ResidualBlock(32, 48, stride=2), ResidualBlock(48, 48))
        self.stage2 = nn.Sequential(ResidualBlock(48, 96, stride=2), ResidualBlock(96, 96))
        self.stage3 = nn.Sequential(
            ResidualBlock(96, 128, stride=2), ResidualBlock(128, 128, dilation=2), ResidualBlock(128, 128, dilation=4)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(channels, _WIDTH, 1) for channels in (48, 96, 128))
        self.smooth = nn.ModuleList(ConvNormReLU(_WIDTH, _WIDTH) for _ in range(3))
        self.down = nn.ModuleList(ConvNormReLU(_WIDTH, _WIDTH, stride=2) for _ in range(2))
        self.stage4 = nn.Sequential(
            ConvNormReLU(_WIDTH, _WIDTH, stride=2), *(ResidualBlock(_WIDTH, _WIDTH) for _ in range(3))
        )
        # One head for all levels; only its normalisation is each level's own, since their statistics differ.
        self.class_conv = nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, bias=False)
        self.box_conv = nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, bias=False)
        self.class_norms = nn.ModuleList(nn.BatchNorm2d(_WIDTH) for _ in STRIDES)
        self.box_norms = nn.ModuleList(nn.BatchNorm2d(_WIDTH) for _ in STRIDES)
        self.classes = nn.Conv2d(_WIDTH, CLASS_COUNT, 1)
        self.distances = nn.Conv2d(_WIDTH, 4 * CLASS_COUNT, 1)
        self.scales = nn.Parameter(torch.ones(len(STRIDES)))
        initialize(self)
        assert self.classes.bias is not None and self.distances.bias is not None
        nn.init.normal_(self.classes.weight, std=0.01)
        nn.init.constant_(self.classes.bias, math.log(_PRIOR / (1 - _PRIOR)))
        nn.init.normal_(self.distances.weight, std=0.01)
        nn.init.constant_(self.distances.bias, 1.0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores and boxes at every place of every level, finest level first, row by row.

        Args:
            x: float [N, 3, H, W], ImageNet's constants; H and W multiples of 32.

        Returns:
            Logits float [N, A, 3], and exponents float [N, A, 3, 4]: the distances from the place to the box's left,
            top, right and lower edge, for each class, are e to the power of these, in strides.
        """
        features = self._levels(x)
        logits, exponents = [], []
        for level, feature in enumerate(features):
            seen = torch.relu(self.class_norms[level](self.class_conv(feature)))
            logits.append(self.classes(seen).permute(0, 2, 3, 1).flatten(1, 2))
            seen = torch.relu(self.box_norms[level](self.box_conv(feature)))
            scaled = self.distances(seen) * self.scales[level]
            exponents.append(scaled.permute(0, 2, 3, 1).flatten(1, 2))
        flat = torch.cat(exponents, dim=1).clamp(max=_LARGEST_EXPONENT)
        return torch.cat(logits, dim=1), flat.unflatten(2, (CLASS_COUNT, 4))

    def _levels(self, x: Tensor) -> list[Tensor]:
        fine = self.stage1(self.stem(x))
        middle = self.stage2(fine)
        coarse = self.stage3(middle)
        third = self.lateral[2](coarse)
        second = self.lateral[1](middle) + enlarge_twice(third)
        first = self.smooth[0](self.lateral[0](fine) + enlarge_twice(second))
        second = self.smooth[1](second) + self.down[0](first)
        third = self.smooth[2](third) + self.down[1](second)
        return [first, second, third, self.stage4(third)]


def to_input(images: Tensor) -> Tensor:
    """Normalise pictures as PaddleX does, in the order of channels that they have.

    Args:
        images: uint8 [N, H, W, 3].

    Returns:
        Float [N, 3, H, W], channels last in memory.
    """
    mean, std = (torch.tensor(constants).reshape(1, 3, 1, 1) for constants in (MEAN, STD))
    scaled = images.permute(0, 3, 1, 2).float()
    return (scaled * (1 / (255 * std)) - mean / std).contiguous(memory_format=torch.channels_last)


@lru_cache(maxsize=8)
def places(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return where the network's answers belong for an input of this size.

    Returns:
        Centres float [A, 2], x, y in pixels of the input, and strides float [A]: the same tensors each time.
    """
    centres, strides = [], []
    for stride in STRIDES:
        rows, columns = math.ceil(height / stride), math.ceil(width / stride)
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        centres.append((torch.stack((x, y), dim=-1).reshape(-1, 2) + 0.5) * stride)
        strides.append(torch.full((rows * columns,), float(stride)))
    return torch.cat(centres).float(), torch.cat(strides)


def boxes_of(exponents: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """Return boxes x1, y1, x2, y2, pixels of the input, from exponents [..., A, 3, 4] and `places` (or chosen ones)."""
    distances = exponents.exp() * strides[:, None, None]
    middle = centres[:, None, :]
    return torch.cat((middle - distances[..., :2], middle + distances[..., 2:]), dim=-1)
