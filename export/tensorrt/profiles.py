"""Optimisation profiles: the sizes of input that a plan is made for. Data and pure functions.

A plan refuses every input that none of its profiles covers. So together they cover what the modules send, and where
they do not, `PlanShapes.max_sides` says what is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paddlex_triton.limits import MAX_DETECTION_SIDE, MAX_RECOGNITION_WIDTH, MIN_RECOGNITION_WIDTH
from paddlex_triton.network import Family

Shape = tuple[int, ...]
# An inference.yml's shapes: least, usual and largest, as the network's source takes them, [N,C,H,W].
DynamicShapes = Mapping[str, Sequence[Sequence[int]]]

# DB: what the network's five halvings need.
_STRIDE = 32
# Seals are enlarged to 736 a side, and pictures of one thing or a screen rarely need more than this.
_SMALL_SIDE, _SMALL_USUAL = 1280, 960
# PaddleX's own bound of a detector's input (max_side_limit 4000), and its inference.yml has the same. Larger inputs,
# which a request can ask for, are refused: two sides of 8000 would take four times the memory.
_LARGE_SIDE = 4000
# A4 at 150 dpi, rounded as PaddleX does.
_PAGE_HEIGHT, _PAGE_WIDTH = 1760, 1248
# CTC: lines of up to this width are most of a page's.
_SHORT_WIDTH, _LONG_USUAL = 640, 1280
# The group of lines that PaddleX pads to one width; text_recognition joins groups of equal width.
_LINES, _MANY_LINES = 8, 16
# Families that always run on ONNX Runtime: image_unwarping since pages keep their size, any up to 40 megapixels, and
# PaddleX too runs UVDoc without TensorRT; nms_detection since its graph takes one page at a time and answers as many
# rows as it finds, which gains nothing from a plan.
WITHOUT_PLAN: frozenset[Family] = frozenset({"image_unwarping", "nms_detection"})


@dataclass(frozen=True)
class Bounds:
    """One input's shapes: the least, the one to be fastest at, and the largest."""

    least: Shape
    usual: Shape
    most: Shape

    def covers(self, shape: Shape) -> bool:
        """Return whether a shape lies within."""
        return len(shape) == len(self.least) and all(
            low <= size <= high for low, size, high in zip(self.least, shape, self.most, strict=True)
        )


# One profile: input -> its bounds.
Profile = Mapping[str, Bounds]


@dataclass(frozen=True)
class PlanShapes:
    """The profiles of a plan.

    Attributes:
        profiles: in the order of their numbers.
        max_batch_size: rows in one run, the same in every profile: Triton joins calls without looking at profiles.
        max_sides: height and width of the largest page the plan takes, where modules may send larger ones.
    """

    profiles: tuple[Profile, ...]
    max_batch_size: int
    max_sides: tuple[int, int] | None = None

    def profile_for(self, shapes: Mapping[str, Shape]) -> int | None:
        """Return the number of the first profile that covers an input, None if none does."""
        for number, profile in enumerate(self.profiles):
            if all(name in shapes and bounds.covers(shapes[name]) for name, bounds in profile.items()):
                return number
        return None


def plan_shapes(
    family: Family, geometry: Mapping[str, Any], max_batch_size: int, dynamic_shapes: DynamicShapes | None = None
) -> PlanShapes | None:
    """Return the profiles of a network.

    Args:
        family: its family.
        geometry: of its network.json.
        max_batch_size: of its network.json.
        dynamic_shapes: of its inference.yml. The usual shape is taken from there; the bounds are widened by it, never
            narrowed: modules send what they send.

    Returns:
        None for a family that runs on ONNX Runtime.

    Raises:
        ValueError: the geometry is not the family's.
    """
    if family in WITHOUT_PLAN:
        return None
    given = _image_of(dynamic_shapes or {})
    if family == "db_detection":
        return _pages(given)
    if family == "ctc_recognition":
        return _lines(geometry, max_batch_size, given)
    return _images_of_one_size(family, geometry, max_batch_size, given)


def _pages(given: Bounds | None) -> PlanShapes:
    """Return the profiles of DB: one page a run.

    Large pages differ in size, and each takes gigabytes: four of them would not fit. PaddleX's inference.yml has 1 too.
    """
    small = Bounds((1, _STRIDE, _STRIDE, 3), (1, _SMALL_USUAL, _SMALL_USUAL, 3), (1, _SMALL_SIDE, _SMALL_SIDE, 3))
    # From the smallest on: pages may be long and narrow.
    large = Bounds((1, _STRIDE, _STRIDE, 3), (1, _PAGE_HEIGHT, _PAGE_WIDTH, 3), (1, _LARGE_SIDE, _LARGE_SIDE, 3))
    if given is not None:
        sides = [max(_LARGE_SIDE, min(side, MAX_DETECTION_SIDE)) for side in given.most[1:3]]
        large = Bounds(large.least, large.usual, (1, sides[0], sides[1], 3))
        usual = (1, *given.usual[1:])
        if small.covers(usual):
            small = Bounds(small.least, usual, small.most)
        elif large.covers(usual):
            large = Bounds(large.least, usual, large.most)
    return PlanShapes(({"x": small}, {"x": large}), 1, (large.most[1], large.most[2]))


def _lines(geometry: Mapping[str, Any], rows: int, given: Bounds | None) -> PlanShapes:
    """Return the profiles of CTC: lines of one height, short ones and long ones."""
    shape = geometry.get("image_shape")
    if not isinstance(shape, (list, tuple)) or len(shape) != 3:
        raise ValueError(f"image_shape is {shape!r}; [3, height, width] is expected")
    # As PaddleX computes it, by way of the aspect, which may round it down: 61 to 60 at a height of 56.
    height = int(shape[1])
    padded = min(int(height * (int(shape[2]) / height)), MAX_RECOGNITION_WIDTH)
    short = max(_SHORT_WIDTH, padded)
    usual = [(min(rows, _MANY_LINES), max(320, padded)), (min(rows, _LINES), max(_LONG_USUAL, short))]
    # With tight padding the input of a short line is as narrow as this.
    narrowest = min(MIN_RECOGNITION_WIDTH, padded)
    if given is not None:
        narrowest = min(narrowest, given.least[2])
        width = min(max(given.usual[2], narrowest), MAX_RECOGNITION_WIDTH)
        usual[width > short] = (usual[width > short][0], width)
    profiles = tuple(
        _line_profile(rows, height, (narrowest, width, widest), lines)
        for (lines, width), widest in zip(usual, (short, MAX_RECOGNITION_WIDTH), strict=True)
    )
    return PlanShapes(profiles, rows)


def _line_profile(rows: int, height: int, widths: tuple[int, int, int], lines: int) -> Profile:
    counts = (1, lines, rows)
    x = [(count, height, width, 3) for count, width in zip(counts, widths, strict=True)]
    ends = [(count, 1) for count in counts]
    return {"x": Bounds(x[0], x[1], x[2]), "widths": Bounds(ends[0], ends[1], ends[2])}


def _images_of_one_size(family: Family, geometry: Mapping[str, Any], rows: int, given: Bounds | None) -> PlanShapes:
    """Return the profile of detectors, classifiers and keypoints: only the number of rows differs."""
    size = geometry.get("target_size")
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        raise ValueError(f"target_size is {size!r}; [height, width] is expected")
    height, width = int(size[0]), int(size[1])
    # Detectors see one page a call; lines and people come in calls of several.
    usual = 1 if family in ("dense_detection", "detr_detection") else min(rows, _LINES)
    if given is not None and given.usual[1:3] == (height, width):
        usual = max(usual, min(given.usual[0], rows))
    counts = (1, usual, rows)
    profile = {"x": Bounds(*((count, height, width, 3) for count in counts))}
    if family == "detr_detection":
        profile["scale_factor"] = Bounds(*((count, 2) for count in counts))
    return PlanShapes((profile,), rows)


def _image_of(shapes: DynamicShapes) -> Bounds | None:
    """Return the shapes of the only image among an inference.yml's inputs, as the network here takes it, [N,H,W,C]."""
    images = [of for of in shapes.values() if all(len(shape) == 4 and shape[1] == 3 for shape in of)]
    if len(images) != 1 or len(images[0]) != 3:
        return None
    least, usual, most = ((shape[0], shape[2], shape[3], shape[1]) for shape in images[0])
    return Bounds(least, usual, most)


def shapes_argument(profile: Profile, which: str) -> str:
    """Write a profile's shapes as trtexec reads them: `x:1x48x320x3,widths:1x1`.

    Args:
        profile: of the plan.
        which: "least", "usual" or "most".
    """
    return shape_list({name: getattr(bounds, which) for name, bounds in profile.items()})


def shape_list(shapes: Mapping[str, Sequence[int]]) -> str:
    """Write shapes of inputs as trtexec reads them."""
    return ",".join(f"{name}:{'x'.join(str(size) for size in shape)}" for name, shape in shapes.items())
