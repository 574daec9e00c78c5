"""The part of an `inference.yml` that PaddleX's export writes for its high-performance inference.

Hpi:
  backend_configs:
    paddle_infer:
      trt_dynamic_shapes: &shapes
        x:                       # least, usual and largest, [N,C,H,W]
        - [1, 3, 48, 160]
        - [1, 3, 48, 320]
        - [8, 3, 48, 3200]
    tensorrt:
      dynamic_shapes: *shapes
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from paddlex_triton.export.errors import InferenceFileError

Size = Annotated[int, Field(ge=1, strict=True)]
ThreeShapes = tuple[tuple[Size, ...], tuple[Size, ...], tuple[Size, ...]]
# Input -> its least, usual and largest shape.
DynamicShapes = dict[str, ThreeShapes]

_FORM = TypeAdapter(DynamicShapes)
# Where they may be, those of TensorRT itself first.
_PLACES = (("tensorrt", "dynamic_shapes"), ("paddle_infer", "trt_dynamic_shapes"))


def read_dynamic_shapes(section: Any, origin: str) -> DynamicShapes | None:
    """Read the shapes that a network is made for.

    Args:
        section: `Hpi` of an inference.yml, None where it has none.
        origin: what to call the file in messages.

    Returns:
        None where it says none.

    Raises:
        InferenceFileError: they are not three shapes for each input, each at least as large as the one before.
    """
    backends = _mapping(_mapping(section, "Hpi", origin).get("backend_configs"), "Hpi.backend_configs", origin)
    for backend, key in _PLACES:
        where = f"Hpi.backend_configs.{backend}"
        shapes = _mapping(backends.get(backend), where, origin).get(key)
        if shapes:
            return _checked(shapes, f"{origin}: {where}.{key}")
    return None


def _checked(shapes: Any, where: str) -> DynamicShapes:
    try:
        found = _FORM.validate_python(shapes)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InferenceFileError(f"{where}: {place or 'as a whole'}: {first['msg']}") from error
    for name, of in found.items():
        least, usual, most = of
        same_rank = len(least) == len(usual) == len(most)
        if not same_rank or any(not low <= size <= high for low, size, high in zip(least, usual, most, strict=True)):
            raise InferenceFileError(
                f"{where}.{name} is {[list(shape) for shape in of]}; the least, the usual and the largest shape are "
                "expected, in this order"
            )
    return found


def _mapping(value: Any, name: str, origin: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InferenceFileError(f"{origin}: {name} is not a mapping")
    return value
