"""PaddlePaddle 3.3 writes some numbers as float64 that 3.2 and Paddle2ONNX read as float32: rewritten as such."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Names in PaddlePaddle's PIR files: kinds of attributes, and the keys of an operator's parts. Dialect 1 is pd_op.
_FLOAT64, _FLOAT32, _ARRAY, _DIALECT = "0.a_f64", "0.a_f32", "0.a_array", "1."
_KIND, _DATA, _NAME, _ATTRIBUTES, _ATTRIBUTE = "#", "D", "N", "A", "AT"

# Operator -> attributes: all whose type differs between the headers (phi/api/include/api.h) of 3.2.2 and 3.3.1.
_PATCHED = {
    **dict.fromkeys(
        (f"{kind}_interp" for kind in ("nearest", "linear", "bilinear", "trilinear", "bicubic")), ("scale",)
    ),
    "group_norm": ("epsilon",),
    "leaky_relu": ("negative_slope",),
    "logit": ("eps",),
    "pad3d": ("pad_value",),
    "rms_norm": ("epsilon",),
    "softplus": ("beta", "threshold"),
}


def patch_dtypes(program: Any) -> int:
    """Rewrite the numbers that 3.3 writes as float64 and 3.2 as float32, in place.

    Args:
        program: the content of an `inference.json`.

    Returns:
        How many operators were changed.
    """
    return sum(_patch(operator, names) for operator, names in _operators(program))


def _operators(value: Any) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """Yield the operators in question and their attributes, those in branches too."""
    if isinstance(value, dict):
        # Operators that write into their input end in an underscore.
        kind = str(value.get(_KIND)).removeprefix(_DIALECT).removesuffix("_")
        if kind in _PATCHED:
            yield value, _PATCHED[kind]
        for inner in value.values():
            yield from _operators(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _operators(inner)


def _patch(operator: dict[str, Any], names: tuple[str, ...]) -> bool:
    changed = False
    for named in operator.get(_ATTRIBUTES, ()):
        if named.get(_NAME) not in names:
            continue
        attribute = named[_ATTRIBUTE]
        for number in attribute[_DATA] if attribute[_KIND] == _ARRAY else (attribute,):
            if number[_KIND] == _FLOAT64:
                number[_KIND] = _FLOAT32
                changed = True
    return changed
