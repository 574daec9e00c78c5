"""The part of pyclipper that is used here; the package carries no types."""

from collections.abc import Sequence

JT_ROUND: int
ET_CLOSEDPOLYGON: int

class ClipperException(Exception): ...

class PyclipperOffset:
    def __init__(self, miter_limit: float = ..., arc_tolerance: float = ...) -> None: ...
    def AddPath(self, path: Sequence[Sequence[int]], join_type: int, end_type: int) -> None: ...  # noqa: N802
    def Execute(self, delta: float) -> list[list[list[int]]]: ...  # noqa: N802
