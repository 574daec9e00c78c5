"""Timing a document with several pages in flight, on results that take as long as they are told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from rich.console import Console

from paddlex_triton.bench import pages_in_flight
from paddlex_triton.bench.pages_in_flight import Read, measure_pages_in_flight, print_report, sample_document
from paddlex_triton.client import OCRResult
from paddlex_triton.client.inputs import PageReader
from paddlex_triton.client.pages import Page


class Clock:
    """Stands still until it is moved on."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch) -> Clock:
    monkeypatch.setattr(pages_in_flight, "time", Clock())
    return pages_in_flight.time  # pyright: ignore[reportReturnType]


@pytest.fixture
def reading(clock):
    """Makes what reads a document of three pages in given times, the last of them ever after."""

    def make(*seconds: float, indices: Sequence[int] = range(3)) -> Read:
        left = list(seconds)

        def read() -> list[OCRResult]:
            clock.now += left.pop(0) if len(left) > 1 else left[0]
            return [OCRResult({}, Page(b"", "a.pdf", index)) for index in indices]

        return read

    return make


def test_times_are_compared_round_by_round(reading):
    # Two readings of the first, and one of the other, are for warming up.
    slow, fast = reading(99, 99, 4, 8, 2), reading(99, 3, 4, 2)
    report = measure_pages_in_flight({8: fast, 1: slow}, 3)
    assert (report.pages, report.rounds) == (3, 3)
    one, eight = report.timings
    assert (one.in_flight, one.median_s, one.least_s, one.ratio) == (1, 4, 2, 1)
    assert (eight.in_flight, eight.median_s, eight.least_s, eight.ratio) == (8, 3, 2, 0.75)


def test_every_way_is_read_once_more_than_there_are_rounds(reading):
    read, document = [], reading(1)
    reads = {count: lambda count=count: read.append(count) or document() for count in (1, 4)}
    measure_pages_in_flight(reads, 2)
    # Once to see what to expect, once each for warming up, then there and back.
    assert read == [1, 1, 4, 1, 4, 4, 1]


@pytest.mark.parametrize("indices", [[0, 2, 1], [0, 1], [0, 1, 2, 3]])
def test_pages_out_of_place_are_refused(reading, indices):
    with pytest.raises(ValueError, match="with 4 pages in flight results are not those of the pages in order"):
        measure_pages_in_flight({1: reading(1), 4: reading(1, indices=indices)}, 1)


def test_what_cannot_be_measured(reading):
    with pytest.raises(ValueError, match="no page"):
        measure_pages_in_flight({1: reading(1, indices=[])}, 1)
    with pytest.raises(ValueError, match="rounds"):
        measure_pages_in_flight({1: reading(1)}, 0)
    with pytest.raises(KeyError):
        measure_pages_in_flight({4: reading(1)}, 1)


def test_report_has_a_row_for_each(reading, capsys):
    report = measure_pages_in_flight({1: reading(2), 4: reading(1.5)}, 1)
    print_report(report, Console(width=120))
    shown = capsys.readouterr().out
    assert "3 pages, 1 rounds" in shown
    assert "0.750" in shown


@pytest.mark.parametrize("count", [1, 3])
def test_sample_document_has_the_sample_page_so_many_times(count):
    with sample_document(count) as path:
        pages = list(PageReader(str(path)))
        assert [page.page_index for page in pages] == list(range(count))
        assert len({page.image().shape for page in pages}) == 1
        assert pages[0].image().std() > 10
    assert not path.exists()
