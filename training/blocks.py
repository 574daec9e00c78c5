"""The network's building blocks: dense 3x3 convolutions, the fastest in bf16 on CPUs. Needs torch."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ConvNormReLU(nn.Sequential):
    """Convolution, batch normalisation, and ReLU unless `activate` is False; same size at stride 1."""

    def __init__(
        self,
        channels_in: int,
        channels: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
        activate: bool = True,
    ) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(
            nn.Conv2d(channels_in, channels, kernel, stride, padding, dilation, bias=False), nn.BatchNorm2d(channels)
        )
        if activate:
            self.append(nn.ReLU(inplace=True))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is averaged 2x2 (stride 2) and mapped 1x1 where shapes differ."""

    def __init__(self, channels_in: int, channels: int, *, stride: int = 1, dilation: int = 1) -> None:
        """Make the block.

        Args:
            channels_in: of its input.
            channels: of its output.
            stride: 1 or 2.
            dilation: of its second convolution.
        """
        super().__init__()
        self.first = ConvNormReLU(channels_in, channels, stride=stride)
        self.second = ConvNormReLU(channels, channels, dilation=dilation, activate=False)
        self.shortcut = nn.Sequential()
        if stride == 2:
            self.shortcut.append(nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False))
        if channels != channels_in:
            self.shortcut.append(ConvNormReLU(channels_in, channels, kernel=1, activate=False))

    def forward(self, x: Tensor) -> Tensor:
        """Turn float [N, C, H, W] into float [N, channels, H / stride, W / stride], rounded up."""
        return functional.relu(self.second(self.first(x)) + self.shortcut(x), inplace=True)


def initialize(model: nn.Module) -> None:
    """Initialise as He does; a block's second normalisation starts at 0, and the block as its shortcut."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, ResidualBlock):
            norm = module.second[1]
            assert isinstance(norm, nn.BatchNorm2d)
            nn.init.zeros_(norm.weight)


def enlarge_twice(x: Tensor) -> Tensor:
    """Upsample float [N, C, H, W] by 2, to the nearest."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
