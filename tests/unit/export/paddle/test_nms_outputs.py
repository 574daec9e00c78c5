"""Inner tensors of a PaddlePaddle program, shown as outputs."""

from __future__ import annotations

import copy
from typing import Any

from paddlex_triton.export.paddle.nms_outputs import expose_nms_inputs


def tensor(number: int, kind: str = "f32") -> dict[str, Any]:
    return {"%": number, "TT": {"#": "0.t_dtensor", "D": [{"#": f"0.t_{kind}"}, [-1, 4], "NCHW", [], 0]}}


def attribute(name: str, kind: str, value: Any) -> dict[str, Any]:
    return {"N": name, "AT": {"#": kind, "D": value}}


def fetch(number: int, col: int, output: int) -> dict[str, Any]:
    named = [attribute("name", "0.a_str", f"fetch_name_{col}"), attribute("col", "0.a_i32", col)]
    return {"#": "1.fetch", "A": named, "I": [{"%": number}], "O": [tensor(output)], "OA": []}


def program(nms: int = 1) -> dict[str, Any]:
    """Boxes 1 and scores 2 go into an NMS, of which rows 3 and counts 5 are fetched."""
    made = [{"#": "1.sigmoid", "A": [], "I": [{"%": 0}], "O": [tensor(1)]}]
    made.append({"#": "p", "A": [], "I": [], "O": tensor(2)})
    outputs = [tensor(3), tensor(4, "i32"), tensor(5, "i32")]
    chosen = [{"#": "1.multiclass_nms3", "A": [], "I": [{"%": 1}, {"%": 2}, {"%": 0}], "O": outputs}]
    operators = [*made, *chosen * nms, fetch(3, 0, 6), fetch(5, 1, 7)]
    return {"base_code": {"magic": "pir"}, "program": {"regions": [{"blocks": [{"ops": operators}]}]}}


def operators_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    return content["program"]["regions"][0]["blocks"][0]["ops"]


def test_what_an_nms_chooses_from_is_fetched_behind_the_outputs():
    content = program()
    before = copy.deepcopy(operators_of(content))
    assert expose_nms_inputs(content)
    after = operators_of(content)
    assert after[: len(before)] == before
    assert after[len(before) :] == [fetch(1, 2, 8), fetch(2, 3, 9)]


def test_programs_without_one_nms_stay_as_they_are():
    for count in (0, 2):
        content = program(nms=count)
        before = copy.deepcopy(content)
        assert not expose_nms_inputs(content)
        assert content == before
