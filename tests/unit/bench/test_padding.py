"""The study of paddings: pages with known text, what is counted, the command; networks stand in for real ones."""

from __future__ import annotations

import json
from functools import partial

import cv2
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from paddlex_triton.bench import known_pages, padding
from paddlex_triton.bench.edit_distance import edits
from paddlex_triton.bench.known_pages import KnownLine, KnownPage, draw_pages, draw_seals, read_samples
from paddlex_triton.bench.padding import known_text, measure_padding, print_report
from paddlex_triton.network import NetworkInfo
from paddlex_triton.ops.recognition import plan_tight

KINDS = (
    "boarding pass",
    "form of short lines",
    "single characters",
    "shop page",
    "small English print",
    "Chinese paragraphs",
)
PROVENANCE = {"source": "test", "file": "x.onnx", "source_sha256": "", "opset": 13, "ir_version": 8}


class DarkIsText:
    """A detector: what is dark is text."""

    def run(self, **inputs):
        return {"prob": (inputs["x"].max(axis=-1) < 128).astype(np.float32)}


class TellsItsWidth:
    """A recogniser that reads "a", and "b" too in an input of 320 columns or more."""

    info = NetworkInfo.model_validate(
        {
            "name": "rec", "family": "ctc_recognition", "max_batch_size": 8, "sha256": "00",
            "geometry": {"image_shape": [3, 48, 320]}, "characters": ["", "a", "b"], "provenance": PROVENANCE,
        }
    )  # fmt: skip

    def run(self, **inputs):
        wide = inputs["x"].shape[2] >= 320
        return {"indices": np.array([[1, 0, 2 if wide else 0]]), "probs": np.full((1, 3), 0.95, np.float32)}


def page_of_bars(*bars: tuple[int, int, int, int], text: str = "ab") -> KnownPage:
    """A page with dark bars, left, top, width and height of each; the same text is written in all."""
    image = np.full((736, 1200, 3), 255, np.uint8)
    for x, y, width, height in bars:
        cv2.rectangle(image, (x, y), (x + width, y + height), (0, 0, 0), cv2.FILLED)
    lines = tuple(KnownLine(text, (x, y, x + width, y + height)) for x, y, width, height in bars)
    return KnownPage("bars", image, lines)


def measured(*pages: KnownPage):
    tight = {"tight": partial(plan_tight)}
    return measure_padding(pages, {False: DarkIsText(), True: DarkIsText()}, TellsItsWidth(), tight)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_drawn_pages_hold_their_lines(count):
    pages = list(draw_pages(count, seed=3))
    assert [page.kind for page in pages] == [kind for kind in KINDS for _ in range(count)]
    for page in pages:
        assert page.image.dtype == np.uint8
        assert len(page.lines) >= 18
        for line in page.lines:
            left, top, right, bottom = line.box
            assert 0 <= left < right <= page.image.shape[1], line
            assert 0 <= top < bottom <= page.image.shape[0], line


def test_the_same_seed_draws_the_same():
    for one, other in zip(draw_pages(1, 7), draw_pages(1, 7), strict=True):
        assert np.array_equal(one.image, other.image)
        assert one.lines == other.lines
    texts = [[line.text for line in page.lines] for seed in (1, 2) for page in draw_pages(1, seed)]
    assert texts[0] != texts[len(KINDS)]


def test_samples_and_seals():
    samples = list(read_samples())
    assert [page.seal for page in samples] == [False] * 2 + [True] * 5
    assert "服务器部署说明" in [line.text for line in samples[0].lines]
    seals = list(draw_seals(3, seed=0))
    assert len(seals) == 3
    assert all(page.seal and 1 <= len(page.lines) <= 2 for page in seals)


def test_samples_need_a_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(known_pages, "SAMPLES", tmp_path / "samples")
    with pytest.raises(FileNotFoundError, match="need a checkout"):
        next(read_samples())


@pytest.mark.parametrize(
    ("read", "found"),
    [(["ab", "a"], "ab"), (["a", "a"], "ab"), (["x", "y"], None), (["xyz", "abx"], "ab"), (["", ""], None)],
)
def test_known_text(read, found):
    page = page_of_bars((100, 100, 80, 40))
    assert known_text(page, np.array([140, 120]), read) == found
    assert known_text(page, np.array([500, 120]), read) is None


def test_of_several_texts_the_nearest_to_all_that_was_read():
    page = KnownPage(
        "k", np.zeros((9, 9, 3), np.uint8), (KnownLine("abcd", (0, 0, 9, 9)), KnownLine("abxy", (0, 0, 9, 9)))
    )
    assert known_text(page, np.array([4, 4]), ["abxd", "abxy"]) == "abxy"
    assert known_text(page, np.array([4, 4]), ["abcd", "abcy"]) == "abcd"


def test_what_is_counted():
    """Two short lines, read otherwise in narrow inputs, and a long one, which is not."""
    bars = ((100, 100, 120, 40), (100, 300, 130, 40), (100, 500, 700, 40))
    report = measured(page_of_bars(*bars), page_of_bars(*bars))
    assert report.pages == {"bars": 2}
    paddlex, alone, tight = report.readings["bars"].values()
    assert list(report.readings["bars"]) == ["paddlex", "paddlex, without groups", "tight"]
    assert (paddlex.lines, paddlex.different, paddlex.wrong, paddlex.characters) == (6, 0, 0, 12)
    assert (alone.different, alone.wrong) == (0, 0)
    assert (tight.different, tight.sure, tight.sure_different, tight.wrong) == (4, 6, 4, 4)
    assert paddlex.columns > alone.columns > tight.columns > 0
    assert paddlex.columns - paddlex.blank == alone.columns - alone.blank == tight.columns - tight.blank


def test_spaces_are_told_apart():
    report = measured(page_of_bars((100, 100, 700, 40), text="a b"))
    (paddlex, _, tight) = report.readings["bars"].values()
    assert (paddlex.wrong, paddlex.wrong_signs) == (tight.wrong, tight.wrong_signs) == (1, 0)


def test_the_report_is_printed(capsys):
    print_report(measured(page_of_bars((100, 100, 120, 40))), Console(width=120))
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert [row[0].strip() for row in rows] == ["bars", "paddlex", "paddlex, without groups", "tight"]
    assert rows[3][2].strip() == "100.0%"


def test_the_command_refuses_what_it_cannot_use(tmp_path):
    network = {**json.loads(TellsItsWidth.info.model_dump_json()), "family": "db_detection", "characters": None}
    (tmp_path / "PP-OCRv4_mobile_rec").mkdir()
    (tmp_path / "PP-OCRv4_mobile_rec" / "network.json").write_text(json.dumps(network))
    app = padding.typer.Typer()
    app.command()(padding.main)
    for arguments, words in (
        (["--networks", str(tmp_path)], "is a db_detection network; a ctc_recognition network is expected"),
        (["--networks", str(tmp_path / "none")], "No such file or directory"),
    ):
        answer = CliRunner().invoke(app, arguments)
        assert answer.exit_code == 1
        assert words in answer.stderr
    assert CliRunner().invoke(app, ["--step", "0"]).exit_code == 2


@pytest.mark.parametrize(
    ("wanted", "read", "distance"),
    [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("abc", "axc", 1), ("kitten", "sitting", 3)],
)
def test_edits(wanted, read, distance):
    assert edits(wanted, read) == distance
