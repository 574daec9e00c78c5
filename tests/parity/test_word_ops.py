"""Words and their boxes against PaddleX: stored cases, and lines read at random."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlex_triton.client.results.ocr import boxes_around
from paddlex_triton.ops.ctc import decode_lines
from paddlex_triton.ops.recognition import merge_batches, plan_regions
from paddlex_triton.ops.words import group_words, word_boxes

GOLDEN = Path(__file__).parent / "golden" / "words.npz"
ASPECTS, GREATEST_ASPECT = (3, 4, 5, 6), 6.6667
QUAD = np.array([[10, 10], [310, 12], [310, 40], [10, 38]])


@pytest.fixture(scope="module")
def cases(shared: Path) -> Any:
    return np.load(shared / "reference" / "ops" / "cases.npz")


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    with np.load(GOLDEN) as arrays:
        return {name: json.loads(str(array)) if array.ndim == 0 else array for name, array in arrays.items()}


def lines_of_case(cases: Any) -> list[Any]:
    logits = cases["ctc/inp"]
    return decode_lines(logits.argmax(axis=-1), logits.max(axis=-1), ["blank", *cases["ctc/chars"].tolist(), " "])


def test_words(cases):
    steps = cases["ctc/inp"].shape[1]
    found = []
    for line, aspect in zip(lines_of_case(cases), ASPECTS, strict=True):
        words = group_words(line.characters, line.columns)
        groups = [[getattr(word, part) for word in words] for part in ("characters", "columns", "kind")]
        found.append([line.text, [steps * (aspect / GREATEST_ASPECT), *groups]])
    assert found == json.loads(str(cases["ctc_words/info"]))


def test_word_boxes(cases):
    line = lines_of_case(cases)[0]
    columns = cases["ctc/inp"].shape[1] * (ASPECTS[0] / GREATEST_ASPECT)
    texts, regions = word_boxes(QUAD, group_words(line.characters, line.columns), columns)
    assert [texts, json.loads(json.dumps(regions))] == json.loads(str(cases["word_box/out"]))


def test_every_case_of_these_operators_is_tested(cases):
    assert {name.split("/")[0] for name in cases.files if "word" in name} == {"ctc_words", "word_box"}


def words_of(golden: dict[str, Any]) -> dict[int, Any]:
    """Crop -> text, words and regions; lines of all pages share runs of the network."""
    rows = np.split(golden["indices"], golden["ends"][:-1])
    characters = ["blank", *golden["characters"].tolist(), " "]
    members = [np.flatnonzero(golden["pages"] == page).tolist() for page in range(golden["pages"].max() + 1)]
    found = {}
    for batch in merge_batches(plan_regions(members, golden["sizes"].tolist(), batch_size=6), max_rows=32):
        indices = np.stack([rows[crop] for crop in batch.indices])
        lines = decode_lines(indices, np.full(indices.shape, 0.5, np.float32), characters)
        for crop, filled, line in zip(batch.indices, batch.filled, lines, strict=True):
            words = group_words(line.characters, line.columns)
            found[crop] = line.text, *word_boxes(golden["quads"][crop], words, indices.shape[1] * filled)
    return found


@pytest.mark.filterwarnings("error")
def test_lines_at_random(golden):
    found = words_of(golden)
    assert len(found) == len(golden["texts"]) > 150
    for crop, (text, words, regions) in found.items():
        assert text == golden["texts"][crop]
        assert words == golden["words"][crop]
        assert json.loads(json.dumps(regions)) == golden["regions"][crop]
        assert all(type(value) is int for region in regions for point in region for value in point)


def test_lines_at_random_are_of_every_kind(golden):
    """Among them empty ones, lines from top to bottom, boxes that end before they start, quads without width."""
    regions = golden["regions"]
    assert any(not line for line in regions)
    assert any(line and line[0][0][0] == line[0][1][0] != line[0][2][0] for line in regions)
    assert any(start[0] > end[0] for line in regions for start, _, end, _ in line)
    assert (np.ptp(golden["quads"][..., 0], axis=1) == 0).any()


def test_boxes_around_words(golden):
    """Return PaddleX's `text_word_boxes`: left, top, right, bottom, int64; of no words a float array of none."""
    for regions in golden["regions"]:
        boxes = boxes_around(regions)
        expected = np.array([[*np.min(region, axis=0), *np.max(region, axis=0)] for region in regions])
        np.testing.assert_array_equal(boxes, expected, strict=True)
