"""A machine with TensorRT, as far as the tests can tell, and comparisons that are over soon."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tensorrt_machine import Machine

from paddlex_triton.export.families.base import Case
from paddlex_triton.export.tensorrt import build
from paddlex_triton.export.tensorrt.gate_inputs import gate_cases
from paddlex_triton.network import NetworkInfo


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Machine:
    return Machine(tmp_path / "bin", monkeypatch)


@pytest.fixture
def all_pages() -> None:
    """Asks for a comparison as it is done."""


@pytest.fixture(autouse=True)
def small_pages(request, monkeypatch) -> None:
    """Detectors are compared on their smallest page alone: what the stand-in answers of large ones takes seconds."""
    if "all_pages" in request.fixturenames:
        return

    def smallest(info: NetworkInfo, rows: int, images: Sequence[np.ndarray]) -> list[Case]:
        cases = list(gate_cases(info, rows, images))
        return [min(cases, key=lambda case: case.feeds["x"].size)] if info.family == "db_detection" else cases

    monkeypatch.setattr(build, "gate_cases", smallest)
