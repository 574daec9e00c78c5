"""The soak: what it sends, and what it takes for a failure."""

import random

import numpy as np
import pytest

from paddlex_triton.bench.soak.callers import Ledger
from paddlex_triton.bench.soak.requests import MAX_SIDE, Mixture, Request, hostile_requests, make_pages
from paddlex_triton.bench.soak.watch import Sample, growth, lasting_changes
from paddlex_triton.errors import ImageTooLarge, InvalidImage
from paddlex_triton.ops.image import decode_image

IMAGE = np.random.default_rng(1).integers(0, 256, (500, 700, 3), np.uint8)
PAGES = {"OCR": make_pages(IMAGE, 0), "seal_recognition": make_pages(IMAGE, 1)}
MEGABYTE = 10**6


def test_pages_are_small_of_many_shapes_and_the_same_every_time():
    shapes = {decode_image(page).shape for page in PAGES["OCR"]}
    assert len(shapes) > 20
    assert all(max(shape[:2]) <= MAX_SIDE for shape in shapes)
    assert PAGES["OCR"] == make_pages(IMAGE, 0) != make_pages(IMAGE, 2)


def test_hostile_files_are_refused_or_tiny():
    refused = []
    for request in hostile_requests("OCR", PAGES["OCR"][0]):
        assert request.page is None
        try:
            decode_image(request.data)
        except (InvalidImage, ImageTooLarge):
            refused.append(request.name)
    assert {"no bytes", "text", "a GIF", "a huge header", "too long a side"} <= set(refused)
    assert {"one pixel", "one row", "noise"}.isdisjoint(refused)


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_the_mixture_has_its_share_of_hostile_requests(share):
    mixture, dice = Mixture(PAGES, share), random.Random(0)
    drawn = [mixture.draw(dice) for _ in range(2000)]
    assert sum(request.page is None for request in drawn) / 2000 == pytest.approx(share, abs=0.03)
    assert {request.pipeline for request in drawn} == set(PAGES)
    for request in drawn:
        assert request.page is None or request.data == PAGES[request.pipeline][request.page]


PAGE = Request("a page", "OCR", b"", page=3)


def test_a_page_must_have_the_same_answer_every_time_whichever_way():
    ledger = Ledger()
    for way, answer in (("grpc", ("a",)), ("rest", ("a",)), ("http", None), ("http", ("b",))):
        ledger.note(way, PAGE, "answered", answer=answer)
    ledger.note("grpc", Request("a page", "OCR", b"", page=4), "answered", answer=("b",))
    ledger.note("grpc", Request("a page", "seal_recognition", b"", page=3), "answered", answer=("b",))
    assert ledger.wrong == ["http, OCR, a page: answered: ('b',) after ('a',)"]
    assert ledger.total == 6


@pytest.mark.parametrize(("count", "listed"), [(0, 0), (1, 1), (20, 20), (21, 20)])
def test_wrong_outcomes_are_counted_and_the_first_ones_listed(count, listed):
    ledger = Ledger()
    for _ in range(count):
        ledger.note("rest", PAGE, "500", wrong="broken")
    assert (ledger.wrong_count, len(ledger.wrong)) == (count, listed)


def samples(memory=lambda part: 10**9, shared=lambda part: 10**9, processes=(1, 2), files=10):
    """Draw a run of 100 seconds; the last look has other processes and files."""
    looks = [
        Sample(second, frozenset((1, 2)), 10, int(memory(second / 100)), int(shared(second / 100)))
        for second in range(100)
    ]
    return [*looks, Sample(100, frozenset(processes), files, looks[-1].memory, looks[-1].shared)]


@pytest.mark.parametrize(
    ("memory", "grows"),
    [
        (lambda part: 10**9, False),
        # All that a server takes in the first half is its own.
        (lambda part: 10**9 * min(1, 0.2 + part * 2), False),
        (lambda part: 10**9 * (1 + 0.01 * part), False),
        (lambda part: 10**9 * (1 + part), True),
        # A little of a little is noise.
        (lambda part: 10**8 * (1 + part * 0.5), False),
        (lambda part: 10**9 * (1 - part * 0.5), False),
    ],
)
@pytest.mark.parametrize("kind", ["memory", "shared"])
def test_memory_must_be_level_in_the_second_half(kind, memory, grows):
    found = growth(samples(**{kind: memory}))
    assert [text.startswith(f"{kind} grew") for text in found] == [True] * grows


def test_a_run_of_one_look_is_level():
    assert growth(samples()[:1]) == []


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ({}, []),
        ({"processes": (1,)}, ["1 processes ended"]),
        ({"processes": (1, 2, 3)}, ["1 processes were added"]),
        ({"processes": (1, 3)}, ["1 processes ended", "1 processes were added"]),
        ({"files": 74}, []),
        ({"files": 75}, ["65 files more are open than at the start"]),
    ],
)
def test_processes_and_files_must_be_those_of_the_start(end, says):
    assert lasting_changes(samples(**end)) == says
