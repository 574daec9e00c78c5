"""The numbers that are computed from what was measured."""

from __future__ import annotations

import pytest

from paddlex_triton.bench.compare.results import CaseNumbers, TextDifference, compare_lines, percentile


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [
        ([7], 0.99, 7),
        ([3, 1, 2], 0.5, 2),
        ([1, 2], 0.5, 1.5),
        ([10, 20, 30, 40, 50], 0.95, 48),
        (range(101), 0.99, 99),
        ([1, 2, 3], 0, 1),
        ([1, 2, 3], 1, 3),
    ],
)
def test_percentiles(values, share, wanted):
    assert percentile(list(values), share) == pytest.approx(wanted)


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1], 1.01), ([1], -0.01)])
def test_percentiles_of_nothing_are_refused(values, share):
    with pytest.raises(ValueError, match="at least one value and a share from 0 to 1"):
        percentile(values, share)


@pytest.mark.parametrize(
    ("found", "wanted", "difference"),
    [
        (["a", "b"], ["a", "b"], TextDifference(1, 1, 2, 0)),
        (["a", "x"], ["a", "b"], TextDifference(1, 0, 2, 1)),
        (["a"], ["a", "b"], TextDifference(1, 0, 2, 1)),
        (["a", "b", "c"], ["b"], TextDifference(1, 0, 1, 2)),
        (["x", "y", "b"], ["a", "b"], TextDifference(1, 0, 2, 2)),
        ([], [], TextDifference(1, 1, 0, 0)),
    ],
)
def test_lines_are_compared(found, wanted, difference):
    assert compare_lines({"page": found}, {"page": wanted, "not read": ["z"]}) == difference


def test_a_case():
    numbers = CaseNumbers(ms=[100, 300, 200], cpu_s=[0.1, 0.3], bare_ms=[150, 170, 160])
    assert (numbers.median_ms, numbers.efficiency) == (200, 0.8)
    assert numbers.mean_cpu_s == pytest.approx(0.2)
    assert CaseNumbers(ms=[100]).efficiency is None
