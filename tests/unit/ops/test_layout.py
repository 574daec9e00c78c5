"""Layout detection: each step from the network's rows to boxes."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from paddlex_triton.limits import MAX_REGIONS
from paddlex_triton.ops.layout import LayoutBoxes, postprocess_layout

LABELS = ("text", "image", "formula", "seal")
TEXT, IMAGE, FORMULA, SEAL = range(4)
PAGE_SIZE = (200, 100)
BAD = float("nan"), float("inf"), float("-inf")


def rows_of(*rows) -> np.ndarray:
    """Rows of (class, score, x1, y1, x2, y2)."""
    return np.array(rows, np.float32).reshape(-1, 6)


def postprocess(rows: np.ndarray, labels=LABELS, page_size=PAGE_SIZE, **options) -> LayoutBoxes:
    """With every step off that an option does not switch on."""
    return postprocess_layout(
        rows, page_size, labels, **{"threshold": 0, "nms": False, "unclip_ratio": {}, "merge_mode": "union", **options}
    )


def scores(found: LayoutBoxes) -> list[float]:
    return found.scores.tolist()


@pytest.mark.parametrize(
    "options", [{}, {"threshold": {0: 0.5}, "nms": True, "unclip_ratio": 1.0, "merge_mode": "large"}]
)
def test_no_rows(options):
    found = postprocess(rows_of(), **options)
    for ours, empty in zip(astuple(found), astuple(LayoutBoxes.empty()), strict=True):
        np.testing.assert_array_equal(ours, empty, strict=True)


def test_one_row():
    found = postprocess(rows_of((SEAL, 0.75, 1.5, 2, 30, 40)))
    assert (found.boxes.tolist(), found.class_ids.tolist()) == ([[1.5, 2, 30, 40]], [SEAL])
    assert (found.labels, scores(found)) == (("seal",), [0.75])
    assert [array.dtype for array in (found.boxes, found.class_ids, found.scores)] == ["f4", "i4", "f4"]


class TestThreshold:
    ROWS = rows_of(
        *((class_id, score, 10, 10, 20, 20) for class_id, score in ((SEAL, 0.6), (TEXT, 0.5), (SEAL, 0.25), (TEXT, 1)))
    )

    @pytest.mark.parametrize(
        ("threshold", "kept"),
        [(0, [0.6, 0.5, 0.25, 1]), (0.0, [0.6, 0.5, 0.25, 1]), (0.5, [0.6, 1]), (0.6, [1]), (1, []), (1.0, [])],
    )
    def test_is_strict_and_compared_as_float32(self, threshold, kept):
        assert scores(postprocess(self.ROWS, threshold=threshold)) == np.array(kept, np.float32).tolist()

    @pytest.mark.parametrize(
        ("threshold", "kept"),
        [({}, [1, 0.6]), ({SEAL: 0.2}, [1, 0.6, 0.25]), ({TEXT: 0.4, SEAL: 1}, [0.5, 1]), ({TEXT: 0}, [0.5, 1, 0.6])],
    )
    def test_by_class_sorts_by_class(self, threshold, kept):
        assert scores(postprocess(self.ROWS, threshold=threshold)) == np.array(kept, np.float32).tolist()

    @pytest.mark.parametrize("threshold", [0, {}])
    def test_padding_is_dropped(self, threshold):
        rows = rows_of((-1, 0.9, 10, 10, 20, 20), (float("nan"), 0.9, 10, 10, 20, 20), (TEXT, 0.8, 10, 10, 20, 20))
        assert scores(postprocess(rows, threshold=threshold)) == [float(np.float32(0.8))]


class TestNms:
    # Both edge pixels count: 10 wide is 11 pixels. The first two share 72 of 110 and 11 more, the last two all but 1 %.
    HALF = (0, 0, 9, 9), (0, 0, 9, 5)
    MORE = (0, 0, 9, 9), (0, 0, 9, 4)
    ALIKE = (0, 0, 99, 99), (0, 0, 99, 97), (0, 0, 99, 96)

    def kept(self, classes, boxes, nms=True) -> list[float]:
        values = [0.9, 0.8, 0.7][: len(boxes)]
        rows = rows_of(*((c, s, *box) for c, s, box in zip(classes, values, boxes, strict=True)))
        return [round(score, 1) for score in scores(postprocess(rows[::-1], page_size=(200, 200), nms=nms))]

    def test_one_class(self):
        assert self.kept([TEXT, TEXT], self.HALF) == [0.9]
        assert self.kept([TEXT, TEXT], self.MORE) == [0.9, 0.8]

    def test_different_classes(self):
        assert self.kept([TEXT, SEAL, IMAGE], self.ALIKE) == [0.9, 0.7]

    def test_what_a_dropped_box_overlaps_stays(self):
        chain = (0, 0, 9, 9), (0, 2, 9, 11), (0, 4, 9, 13)
        assert self.kept([TEXT] * 3, chain) == [0.9, 0.7]

    def test_off_is_off(self):
        assert self.kept([TEXT, TEXT], self.HALF, nms=False) == [0.8, 0.9]

    def test_equal_scores_stand_as_numpy_sorts_them(self):
        rows = rows_of(*((TEXT, 0.5, 10 * index, 0, 10 * index + 5, 5) for index in range(12)))
        order = np.argsort(rows[:, 1])[::-1]
        np.testing.assert_array_equal(postprocess(rows, nms=True).boxes, rows[order, 2:])


class TestPageImages:
    SMALL = (TEXT, 0.9, 0, 0, 10, 10)

    @pytest.mark.parametrize(
        ("page_size", "box", "kept"),
        [
            ((200, 100), (0, 0, 164, 100), True),  # 82 % of a landscape page
            ((200, 100), (0, 0, 164.1, 100), False),
            ((100, 200), (0, 0, 100, 186), True),  # 93 % of the others
            ((100, 200), (0, 0, 100, 186.1), False),
            ((100, 100), (0, 0, 93, 100), True),
            ((100, 100), (0, 0, 93.1, 100), False),
            ((200, 100), (-50, -50, 160, 100), True),  # what leaves the page does not count
            ((200, 100), (-50, -50, 500, 500), False),
        ],
    )
    def test_almost_the_page(self, page_size, box, kept):
        for class_id in (IMAGE, SEAL):
            found = postprocess(rows_of(self.SMALL, (class_id, 0.5, *box)), page_size=page_size)
            assert len(found.labels) == 1 + (kept or class_id != IMAGE)

    @pytest.mark.parametrize("count", [1, 2])
    def test_stay_where_nothing_else_is(self, count):
        found = postprocess(rows_of(*[(IMAGE, 0.9, 0, 0, 200, 100)] * count))
        assert found.labels == ("image",) * count

    def test_without_such_a_class(self):
        rows = rows_of(self.SMALL, (1, 0.5, 0, 0, 200, 100))
        assert len(postprocess(rows, labels=("text", "picture")).labels) == 2


class TestMerge:
    # An outer box, a middle one in it, an inner one in both, and one of which less than nine tenths are in the first.
    NEST = rows_of(
        (TEXT, 0.9, 0, 0, 100, 90),
        (SEAL, 0.8, 10, 10, 60, 60),
        (TEXT, 0.7, 20, 20, 30, 30),
        (TEXT, 0.6, 92, 0, 102, 10),
    )
    OUTER, MIDDLE, INNER, BESIDE = (float(score) for score in NEST[:, 1])

    @pytest.mark.parametrize(
        ("mode", "kept"),
        [
            ("union", [OUTER, MIDDLE, INNER, BESIDE]),
            ("large", [OUTER, BESIDE]),
            ("small", [MIDDLE, INNER, BESIDE]),
            ({}, [OUTER, MIDDLE, INNER, BESIDE]),
            ({SEAL: "union"}, [OUTER, MIDDLE, INNER, BESIDE]),
            ({SEAL: "large"}, [OUTER, MIDDLE, BESIDE]),
            ({TEXT: "large"}, [OUTER, BESIDE]),
            ({SEAL: "small"}, [MIDDLE, INNER, BESIDE]),
            ({TEXT: "small"}, [INNER, BESIDE]),
            ({IMAGE: "small", FORMULA: "large"}, [OUTER, MIDDLE, INNER, BESIDE]),
            ({SEAL: "small", TEXT: "large"}, [BESIDE]),
        ],
    )
    def test_modes(self, mode, kept):
        assert scores(postprocess(self.NEST, merge_mode=mode)) == kept

    @pytest.mark.parametrize(("x1", "kept"), [(91.0, 1), (91.125, 2)])
    def test_nine_tenths_are_inside(self, x1, kept):
        rows = rows_of((TEXT, 0.9, 0, 0, 100, 90), (SEAL, 0.8, x1, 0, x1 + 10, 10))
        assert len(postprocess(rows, merge_mode="large").labels) == kept

    @pytest.mark.parametrize("mode", ["large", "small"])
    def test_formulas_are_inside_formulas_only(self, mode):
        formula, text = (FORMULA, 0.9, 10, 10, 20, 20), (TEXT, 0.8, 0, 0, 90, 90)
        assert len(postprocess(rows_of(formula, text), merge_mode=mode).labels) == 2
        assert len(postprocess(rows_of(formula, (FORMULA, *text[1:])), merge_mode=mode).labels) == 1
        assert len(postprocess(rows_of((TEXT, *formula[1:]), (FORMULA, *text[1:])), merge_mode=mode).labels) == 1

    def test_equal_boxes_contain_each_other(self):
        rows = rows_of((TEXT, 0.9, 10, 10, 20, 20), (SEAL, 0.8, 10, 10, 20, 20))
        assert postprocess(rows, merge_mode="large").labels == ()
        assert postprocess(rows, merge_mode="small").labels == ("text", "seal")
        assert postprocess(rows, merge_mode={SEAL: "large"}).labels == ("seal",)

    @pytest.mark.parametrize("mode", ["outer", "", {SEAL: "outer"}])
    def test_unknown_mode(self, mode):
        with pytest.raises(ValueError, match="allowed: 'large', 'small', 'union'"):
            postprocess(rows_of(), merge_mode=mode)


class TestUnclip:
    ROWS = rows_of((TEXT, 0.9, 40, 40, 60, 50), (SEAL, 0.8, 100, 40, 120, 60))

    @pytest.mark.parametrize(
        ("ratio", "text", "seal"),
        [
            (2, [30, 35, 70, 55], [90, 30, 130, 70]),
            (0.5, [45, 42.5, 55, 47.5], [105, 45, 115, 55]),
            ((2, 1), [30, 40, 70, 50], [90, 40, 130, 60]),
            ({SEAL: (1.0, 2.0)}, [40, 40, 60, 50], [100, 30, 120, 70]),
            ({TEXT: 2, SEAL: (1, 1)}, [30, 35, 70, 55], [100, 40, 120, 60]),
            ({}, [40, 40, 60, 50], [100, 40, 120, 60]),
        ],
    )
    def test_ratios(self, ratio, text, seal):
        assert postprocess(self.ROWS, unclip_ratio=ratio).boxes.tolist() == [text, seal]

    def test_a_ratio_of_one_rounds_anew(self):
        rows = rows_of((TEXT, 0.9, 0.1, 0.1, 70.3, 70.3), (SEAL, 0.9, 0.1, 0.1, 70.3, 70.3))
        text, seal = postprocess(rows, unclip_ratio={TEXT: 1.0}).boxes
        half = (rows[0, 4] - rows[0, 2]) / np.float32(2)
        assert text[0] == (rows[0, 2] + half) - half != rows[0, 2]
        assert seal.tolist() == rows[1, 2:].tolist()


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ((-5, -6, 250, 150), [0, 0, 200, 100]),
        ((0, 0, 200, 100), [0, 0, 200, 100]),
        ((-0.5, -0.5, 200.5, 100.5), [0, 0, 200, 100]),
        ((199.5, 0, 300, 1), [199.5, 0, 200, 1]),
        ((200, 0, 300, 10), None),
        ((-9, 0, 0, 10), None),
        ((10, 20, 10, 30), None),
        ((10, 30, 20, 20), None),
        ((-20, -20, -10, -10), None),
    ],
)
def test_clipping(box, clipped):
    found = postprocess(rows_of((TEXT, 0.9, *box), (SEAL, 0.8, 1, 1, 2, 2)))
    assert found.boxes.tolist() == ([clipped] if clipped else []) + [[1, 1, 2, 2]]
    assert found.labels == (("text",) if clipped else ()) + ("seal",)


@pytest.mark.parametrize("count", [MAX_REGIONS, MAX_REGIONS + 1])
@pytest.mark.parametrize("threshold", [0, {TEXT: 0}])
def test_bound_on_boxes(count, threshold):
    rows = rows_of(*([(TEXT, 0.9, 10, 10, 20, 20)] * count + [(TEXT, 0, 10, 10, 20, 20)] * 50))
    if count == MAX_REGIONS:
        assert len(postprocess(rows, threshold=threshold).labels) == count
    else:
        with pytest.raises(ValueError, match=f"{count} regions are above .*; at most {MAX_REGIONS}"):
            postprocess(rows, threshold=threshold)


@pytest.mark.parametrize("argument", [{"threshold": 0.5}, {"unclip_ratio": 1.0}, {"merge_mode": "large"}])
@pytest.mark.parametrize("class_id", [3, 4, -1])
def test_a_class_that_the_network_does_not_have(argument, class_id):
    ((name, value),) = argument.items()
    if class_id == SEAL:
        assert postprocess(rows_of(), **{name: {class_id: value}}).labels == ()
    else:
        with pytest.raises(ValueError, match=f"names class {class_id}; the layout network has 4 classes"):
            postprocess(rows_of(), **{name: {class_id: value}})


@pytest.mark.parametrize("class_id", [4, 1e9, 1.5, -0.5, float("inf")])
@pytest.mark.parametrize("threshold", [0.5, {TEXT: 0.5}])
def test_a_network_that_gives_classes_it_does_not_have(class_id, threshold):
    row = (class_id, 0.9, 10, 10, 20, 20)
    with pytest.raises(RuntimeError, match=r"the detector gave classes .*; it has 4"):
        postprocess(rows_of(row), threshold=threshold)
    assert postprocess(rows_of((class_id, 0.4, *row[2:])), threshold=threshold).labels == ()


@pytest.mark.parametrize("column", range(1, 6))
@pytest.mark.parametrize("value", BAD)
def test_a_network_that_gives_no_numbers(column, value):
    row = np.array([TEXT, 0.9, 10, 10, 20, 20], np.float32)
    row[column] = value
    if column == 1 and not value > 0:
        assert postprocess(rows_of(row)).labels == ()
        return
    with pytest.raises(RuntimeError, match="not finite"):
        postprocess(rows_of(row))
    row[1] = 0.4
    assert postprocess(rows_of(row), threshold=0.5).labels == ()


@pytest.mark.parametrize(
    "rows",
    [np.zeros((0,), np.float32), np.zeros((1, 5), np.float32), np.zeros((1, 6)), np.zeros((1, 1, 6), np.float32)],
)
def test_what_are_not_rows(rows):
    with pytest.raises(ValueError, match=r"float32 \[M, 6\] is expected"):
        postprocess(rows)


@pytest.mark.parametrize("page_size", [(0, 100), (100, 0)])
def test_a_page_without_pixels(page_size):
    with pytest.raises(ValueError, match="a side must be 1 or more"):
        postprocess(rows_of(), page_size=page_size)


number = st.floats(-(2.0**126), 2.0**126, width=32) | st.floats(-50, 250, width=32)
row_sets = npst.arrays(
    np.float32,
    st.tuples(st.integers(0, 12), st.just(6)),
    elements=number,
).flatmap(lambda rows: st.tuples(st.just(rows), st.lists(st.integers(-1, 3), min_size=len(rows), max_size=len(rows))))
per_class = st.integers(0, 3)
ratios = st.floats(0.125, 10)


@given(
    drawn=row_sets,
    threshold=st.floats(0, 1) | st.dictionaries(per_class, st.floats(0, 1)),
    nms=st.booleans(),
    unclip_ratio=ratios | st.tuples(ratios, ratios) | st.dictionaries(per_class, ratios | st.tuples(ratios, ratios)),
    merge_mode=st.sampled_from(["large", "small", "union"])
    | st.dictionaries(per_class, st.sampled_from(["large", "small", "union"])),
)
def test_whatever_the_rows_boxes_lie_on_the_page(drawn, threshold, nms, unclip_ratio, merge_mode):
    rows, class_ids = drawn
    rows[:, 0] = class_ids
    given_rows = rows.copy()
    found = postprocess(rows, threshold=threshold, nms=nms, unclip_ratio=unclip_ratio, merge_mode=merge_mode)
    np.testing.assert_array_equal(rows, given_rows)
    x1, y1, x2, y2 = found.boxes.T
    assert ((x1 >= 0) & (x1 < x2) & (x2 <= PAGE_SIZE[0]) & (y1 >= 0) & (y1 < y2) & (y2 <= PAGE_SIZE[1])).all()
    assert found.labels == tuple(LABELS[class_id] for class_id in found.class_ids)
    pairs = list(zip(rows[:, 0].tolist(), rows[:, 1].tolist(), strict=True))
    for pair in zip(found.class_ids.tolist(), scores(found), strict=True):
        pairs.remove(pair)
    if nms:
        assert scores(found) == sorted(scores(found), reverse=True)
