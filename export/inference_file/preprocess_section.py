"""Section `Preprocess` of an `inference.yml` that PaddleDetection writes: a list of operators and their arguments.

Preprocess:
  - {type: Resize, target_size: [480, 480], keep_ratio: false, interp: 2}
  - {type: NormalizeImage, is_scale: true, norm_type: mean_std, mean: [...], std: [...]}
  - {type: Permute}
"""

from __future__ import annotations

from typing import Any

from paddlex_triton.export.errors import InferenceFileError

# Type of an operator -> its arguments, in the file's order.
Operators = dict[str, dict[str, Any]]


def read_operators(listed: Any, origin: str) -> Operators:
    """Read the section.

    Args:
        listed: its content.
        origin: what to call the file in messages.

    Raises:
        InferenceFileError: it is no list of mappings with a `type`, or has an operator twice.
    """
    if not isinstance(listed, list) or not all(isinstance(entry, dict) and "type" in entry for entry in listed):
        raise InferenceFileError(f"{origin}: Preprocess is not a list of operators with a type")
    names = [str(entry["type"]) for entry in listed]
    if len(set(names)) != len(names):
        raise InferenceFileError(f"{origin}: Preprocess has an operator twice: {', '.join(names)}")
    return {str(entry["type"]): {key: value for key, value in entry.items() if key != "type"} for entry in listed}


def read_normalization(arguments: dict[str, Any], origin: str) -> dict[str, Any]:
    """Read `NormalizeImage`: `is_scale` divides by 255 first; `norm_type` none is PaddleX's word for the given lists.

    Returns:
        What to make `Normalization` of.

    Raises:
        InferenceFileError: another kind of normalising, or an argument that is not known.
    """
    arguments = dict(arguments)
    kind = arguments.pop("norm_type", None)
    if kind not in (None, "", "none", "mean_std"):
        raise InferenceFileError(
            f"{origin}: NormalizeImage.norm_type is {kind!r}; allowed: mean_std and none, which mean the same"
        )
    found = {"scale": 1.0 / 255.0 if arguments.pop("is_scale", True) else 1.0}
    found |= {key: arguments.pop(key) for key in ("mean", "std") if key in arguments}
    refuse_others("NormalizeImage", arguments, origin)
    return found


def refuse_others(operator: str, arguments: dict[str, Any], origin: str) -> None:
    """Refuse arguments of an operator that were not read.

    Raises:
        InferenceFileError: there are some.
    """
    if arguments:
        raise InferenceFileError(f"{origin}: {operator} has unknown arguments: {', '.join(arguments)}")
