"""Builds small PaddlePaddle networks of every family with random weights; run inside the converter's environment.

`python build_paddle_networks.py FOLDER [NAME...]` writes one folder of weights per network, less its inference.yml:
`inference.json` and `inference.pdiparams`, or `inference.pdmodel` with FLAGS_enable_pir_api=0 in the environment.
"""
# PaddlePaddle is not in the product's environment.
# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from pathlib import Path

import paddle
from paddle import nn
from paddle.nn import functional as F  # noqa: N812
from paddle.static import InputSpec

CLASSES = 10
LABELS = 3
HEIGHT, WIDTH = 64, 96


class Normed(nn.Sequential):
    """A convolution whose answers keep their spread, whatever the weights."""

    def __init__(self, before: int, after: int, stride: int = 1, kernel: int = 3) -> None:
        convolution = nn.Conv2D(
            before,
            after,
            kernel,
            stride,
            kernel // 2,
            weight_attr=paddle.ParamAttr(initializer=nn.initializer.KaimingNormal()),
        )
        super().__init__(convolution, nn.BatchNorm2D(after), nn.Hardswish())


class DB(nn.Layer):
    """Two scales, joined, and brought back to the page's size: nearest, and with transposed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = Normed(3, 8, stride=4)
        self.coarse = Normed(8, 8, stride=2)
        self.up = nn.Conv2DTranspose(16, 8, 2, 2)
        self.last = nn.Conv2DTranspose(8, 1, 2, 2)

    def forward(self, x):
        fine = self.fine(x)
        coarse = F.interpolate(self.coarse(fine), scale_factor=2, mode="nearest", align_mode=1)
        return F.sigmoid(4 * self.last(F.relu(self.up(paddle.concat([fine, coarse], 1)))))


class CTC(nn.Layer):
    """Columns of a line, mixed by attention over all of them, to classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Normed(3, 16, stride=2), Normed(16, 32, stride=2))
        self.attention = nn.MultiHeadAttention(32, 4)
        self.norm = nn.LayerNorm(32)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x):
        columns = F.avg_pool2d(self.stem(x), [12, 2]).squeeze(2).transpose([0, 2, 1])
        mixed = self.norm(columns + self.attention(columns, columns, columns))
        return F.softmax(8 * self.head(mixed), axis=2)


class Dense(nn.Layer):
    """PicoDet in small: two levels, distances as distributions over 8 bins, and its own NMS."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Normed(3, 16, stride=8)
        self.down = Normed(16, 16, stride=2)
        self.score = nn.Conv2D(16, LABELS, 1)
        self.side = nn.Conv2D(16, 4 * 8, 1)
        self.register_buffer("bins", paddle.arange(8, dtype="float32"), persistable=True)

    def forward(self, image, scale_factor):
        fine = self.stem(image)
        boxes, scores = [], []
        for stride, features in ((8, fine), (16, self.down(fine))):
            rows, columns = HEIGHT // stride, WIDTH // stride
            y, x = paddle.meshgrid(paddle.arange(rows, dtype="float32"), paddle.arange(columns, dtype="float32"))
            centres = (paddle.stack([x, y], -1).reshape([-1, 2]) + 0.5) * stride
            distances = self.side(features).transpose([0, 2, 3, 1]).reshape([-1, rows * columns, 4, 8])
            sides = paddle.matmul(F.softmax(distances, axis=-1), self.bins) * stride
            boxes.append(paddle.concat([centres - sides[:, :, :2], centres + sides[:, :, 2:]], -1))
            scores.append(F.sigmoid(2 * self.score(features)).reshape([-1, LABELS, rows * columns]))
        scales = paddle.concat([scale_factor[:, 1:], scale_factor[:, :1]] * 2, -1).unsqueeze(1)
        rows, _, count = paddle._C_ops.multiclass_nms3(
            paddle.concat(boxes, 1) / scales, paddle.concat(scores, 2), None, 0.3, 1000, 100, 0.5, True, 1.0, -1
        )
        return rows, count


class Heatmaps(nn.Layer):
    """Two resolutions, a map per joint, and the places of the maxima."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = Normed(3, 16, stride=4)
        self.coarse = Normed(16, 16, stride=2)
        self.head = nn.Conv2D(16, 17, 1)

    def forward(self, image):
        fine = self.fine(image)
        maps = self.head(fine + F.interpolate(self.coarse(fine), scale_factor=2, mode="nearest"))
        return maps, paddle.argmax(maps.flatten(2), axis=2)


class Classifier(nn.Layer):
    """Convolutions, a mean of every channel, classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Normed(3, 16, stride=4), Normed(16, 32, stride=2))
        self.head = nn.Linear(32, LABELS)

    def forward(self, x):
        pooled = F.adaptive_avg_pool2d(self.stem(x), 1).flatten(1)
        return F.softmax(4 * self.head(pooled), axis=1)


class Unwarping(nn.Layer):
    """UVDoc in small: where the points of a small page were moved to, at the page's own size, and its pixels there."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Normed(3, 8, stride=2), Normed(8, 8, stride=2))
        self.move = nn.Conv2D(8, 2, 3, 1, 1)
        y, x = paddle.meshgrid(paddle.linspace(-1, 1, 20), paddle.linspace(-1, 1, 14))
        self.register_buffer("still", paddle.stack([x, y]).unsqueeze(0), persistable=True)

    def forward(self, image):
        height, width = image.shape[2], image.shape[3]
        small = F.interpolate(image, [80, 56], mode="bilinear", align_corners=True)
        points = self.still + 0.1 * F.tanh(self.move(self.stem(small)))
        spread = F.interpolate(points, [height, width], mode="bilinear", align_corners=True)
        return F.grid_sample(image, spread.transpose([0, 2, 3, 1]), align_corners=True)


class Unconvertible(nn.Layer):
    """A mean over all axes aborts Paddle2ONNX."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2D(3, 1, 1)

    def forward(self, x):
        return self.head(x) * paddle.mean(x)


def _image(*size: int | None) -> InputSpec:
    return InputSpec(list(size), "float32", "image")


NETWORKS = {
    "db_detection": (DB, [InputSpec([None, 3, None, None], "float32", "x")]),
    "ctc_recognition": (CTC, [InputSpec([None, 3, 48, None], "float32", "x")]),
    "dense_detection": (
        Dense,
        [_image(None, 3, HEIGHT, WIDTH), InputSpec([None, 2], "float32", "scale_factor")],
    ),
    "heatmap_keypoints": (Heatmaps, [_image(None, 3, 64, 48)]),
    "image_classification": (Classifier, [InputSpec([None, 3, 224, 224], "float32", "x")]),
    "image_unwarping": (Unwarping, [_image(None, 3, None, None)]),
    "unconvertible": (Unconvertible, [InputSpec([None, 3, None, None], "float32", "x")]),
}


def settle(network: nn.Layer, specs: list[InputSpec]) -> None:
    """Let the normalising layers see noise, so that answers are spread as those of a trained network."""
    network.train()
    sizes = [[4 if index == 0 else size if size > 0 else 64 for index, size in enumerate(spec.shape)] for spec in specs]
    for _ in range(20):
        with paddle.no_grad():
            network(*(paddle.randn(size).abs() + 0.5 if len(size) == 2 else paddle.randn(size) for size in sizes))
    network.eval()


def build(folder: Path, name: str) -> None:
    """Write one network."""
    paddle.seed(7)
    made, specs = NETWORKS[name]
    network = made()
    settle(network, specs)
    paddle.jit.save(network, str(folder / name / "inference"), input_spec=specs)


if __name__ == "__main__":
    for chosen in sys.argv[2:] or NETWORKS:
        build(Path(sys.argv[1]), chosen)
