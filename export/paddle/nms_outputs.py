"""The boxes and scores that a PaddlePaddle program's NMS chooses from, as further outputs for the proof."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

# Names in PaddlePaddle's PIR files, see `dtype_patch`; and of a tensor: its number and its type.
_KIND, _NAME, _ATTRIBUTES, _ATTRIBUTE, _DATA = "#", "N", "A", "AT", "D"
_INPUTS, _OUTPUTS, _NUMBER, _TYPE = "I", "O", "%", "TT"
_NMS, _FETCH = "1.multiclass_nms3", "1.fetch"


def expose_nms_inputs(program: Any) -> bool:
    """Let a program also answer with the boxes and the scores that its NMS chooses from, behind its own outputs.

    Args:
        program: the content of an `inference.json`; changed in place.

    Returns:
        Whether it has one NMS; otherwise nothing is changed.
    """
    operators = program["program"]["regions"][0]["blocks"][0]["ops"]
    found = [operator for operator in operators if operator[_KIND] == _NMS]
    fetches = [operator for operator in operators if operator[_KIND] == _FETCH]
    if len(found) != 1 or not fetches:
        return False
    types = {value[_NUMBER]: value[_TYPE] for operator in operators for value in _outputs(operator) if _TYPE in value}
    unused = max(types) + 1
    for place, tensor in enumerate(found[0][_INPUTS][:2]):
        shown = copy.deepcopy(fetches[-1])
        told = {"name": f"fetch_name_{len(fetches) + place}", "col": len(fetches) + place}
        for attribute in shown[_ATTRIBUTES]:
            if attribute[_NAME] in told:
                attribute[_ATTRIBUTE][_DATA] = told[attribute[_NAME]]
        shown[_INPUTS] = [{_NUMBER: tensor[_NUMBER]}]
        shown[_OUTPUTS][0] |= {_NUMBER: unused + place, _TYPE: types[tensor[_NUMBER]]}
        operators.append(shown)
    return True


def _outputs(operator: dict[str, Any]) -> Iterator[dict[str, Any]]:
    written = operator.get(_OUTPUTS, ())
    yield from [written] if isinstance(written, dict) else written
