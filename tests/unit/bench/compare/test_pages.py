"""Drawn pages and pictures of one's own."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from paddlex_triton.bench.compare.pages import (
    draw_dense,
    draw_form,
    draw_product,
    keypoint_cases,
    ocr_cases,
    own_cases,
    seal_cases,
)
from paddlex_triton.client.results.fonts import find_font


@pytest.mark.parametrize(
    ("draw", "size"), [(draw_form, (900, 1240)), (draw_dense, (1000, 1180)), (draw_product, (800, 800))]
)
def test_pages_are_drawn_the_same_each_time(draw, size):
    first, second = draw(), draw()
    assert first.size == size
    assert first.tobytes() == second.tobytes()


def test_the_form_has_69_lines(monkeypatch):
    written = []
    monkeypatch.setattr("PIL.ImageDraw.ImageDraw.text", lambda self, xy, text, **others: written.append((xy, text)))
    draw_form()
    assert len(written) == 69
    assert max(len(text) for _, text in written) <= 21
    written.clear()
    draw_dense()
    assert len(written) == 28
    assert min(len(text) for _, text in written) >= 50


def test_dense_lines_stay_on_the_page():
    page = np.asarray(draw_dense().convert("L"))
    assert page[:, -20:].min() > 200
    assert page[-20:].min() > 200


def test_pages_of_text(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    Image.new("RGB", (40, 30)).save(own / "mine.png")
    (own / "notes.txt").touch()
    cases = ocr_cases(tmp_path, [own])
    assert [case.name for case in cases] == [
        "form, 69 short lines",
        "dense page, 28 long lines",
        "product, 4 lines",
        "sample page",
        "mine",
    ]
    assert all(file.is_file() for case in cases for file in case.files)
    assert own_cases([own]) == cases[-1:]
    assert own_cases([]) == []


def test_pictures_that_are_not_there(tmp_path):
    with pytest.raises(ValueError, match="nowhere is not there"):
        ocr_cases(tmp_path, [tmp_path / "nowhere"])


def test_seals_are_all_different(tmp_path):
    if find_font().path is None:
        pytest.skip("no font with Chinese glyphs")
    contract, clean, drawn = seal_cases(tmp_path, [], seals=5)
    assert (contract.name, clean.name, drawn.name) == ("sample contract", "sample seal_1", "5 drawn seals")
    assert len({file.read_bytes() for file in drawn.files}) == len(drawn.files) == 5
    again = seal_cases(tmp_path, [], seals=1)[-1]
    assert again.files[0].read_bytes() == drawn.files[0].read_bytes()


def test_people_are_ones_own(tmp_path):
    with pytest.raises(ValueError, match="pictures of people are needed: name a folder with --images"):
        keypoint_cases(tmp_path, [])
    Image.new("RGB", (400, 300), (200, 0, 0)).save(tmp_path / "red.png")
    nine, own = keypoint_cases(tmp_path, [tmp_path / "red.png"])
    assert (nine.name, own.name) == ("nine pictures side by side", "red")
    with Image.open(nine.files[0]) as page:
        picture = np.asarray(page)
    assert [tuple(picture[480 * row + 100, 480 * column + 100]) for row in range(3) for column in range(3)] == [
        (200, 0, 0)
    ] * 9
