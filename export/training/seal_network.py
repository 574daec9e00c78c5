"""The seal text detector: a small residual network, a feature pyramid, a head at half resolution. Needs torch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from paddlex_triton.export.training.blocks import ConvNormReLU, ResidualBlock, enlarge_twice, initialize

# The input's sides are multiples of this, pixels.
STRIDE = 32
# One in so many pixels is text at the start of a training.
_PRIOR = 0.08


class SealTextNetwork(nn.Module):
    """Text or not, for each 2x2 pixels of a picture; 0.82 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNormReLU(3, 16, stride=2), ConvNormReLU(16, 32, stride=2))
        self.stage1 = ResidualBlock(32, 32)
        self.stage2 = nn.Sequential(ResidualBlock(32, 48, stride=2), ResidualBlock(48, 48))
        self.stage3 = nn.Sequential(ResidualBlock(48, 80, stride=2), ResidualBlock(80, 80))
        self.stage4 = nn.Sequential(ResidualBlock(80, 112, stride=2), ResidualBlock(112, 112, dilation=2))
        self.lateral = nn.ModuleList(nn.Conv2d(channels, 48, 1) for channels in (32, 48, 80, 112))
        self.smooth = nn.ModuleList(ConvNormReLU(48, 20) for _ in range(4))
        self.head = nn.Sequential(
            ConvNormReLU(80, 32), nn.Conv2d(32, 16, 1), nn.PixelShuffle(2), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1)
        )
        initialize(self)
        last = self.head[4]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.normal_(last.weight, std=0.05)
        nn.init.constant_(last.bias, math.log(_PRIOR / (1 - _PRIOR)))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of text.

        Args:
            x: float [N, 3, H, W], BGR, ImageNet's constants; H and W multiples of 32.

        Returns:
            Float [N, 1, H / 2, W / 2].
        """
        features = [self.stage1(self.stem(x))]
        for stage in (self.stage2, self.stage3, self.stage4):
            features.append(stage(features[-1]))
        merged: list[Tensor] = []
        for level in (3, 2, 1, 0):
            side = self.lateral[level](features[level])
            merged.append(side if not merged else side + enlarge_twice(merged[-1]))
        levels = [
            functional.interpolate(self.smooth[level](merged[3 - level]), scale_factor=float(2**level), mode="nearest")
            if level
            else self.smooth[0](merged[3])
            for level in range(4)
        ]
        return self.head(torch.cat(levels, dim=1))


class ServedSealTextNetwork(nn.Module):
    """The network as it is served: logits calibrated, brought to the input's size, made probabilities."""

    def __init__(self, network: SealTextNetwork, sharpness: float = 1.0, offset: float = 0.0) -> None:
        """Wrap a network.

        Args:
            network: is not copied.
            sharpness: k of the calibration sigmoid(k (z - b)) of the logits z.
            offset: its b.
        """
        super().__init__()
        self.network = network
        self.sharpness, self.offset = sharpness, offset

    def forward(self, x: Tensor) -> Tensor:
        """Probability of text, float [N, 1, H, W], of float [N, 3, H, W]."""
        logits = self.network(x)
        if (self.sharpness, self.offset) != (1.0, 0.0):
            logits = (logits - self.offset) * self.sharpness
        return torch.sigmoid(functional.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False))
