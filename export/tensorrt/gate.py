"""Whether a plan answers as the ONNX file does in FP32: in terms of what people get, not of single numbers.

Each family has a measure of its own and a bound. Nothing found in any picture proves nothing, and counts as a failure.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar

import numpy as np

from paddlex_triton.export.families.base import Case, Tensors
from paddlex_triton.export.families.db_detection import DEFAULT_THRESHOLD
from paddlex_triton.export.families.rows import rows_difference
from paddlex_triton.network import Family, NetworkInfo
from paddlex_triton.ops.ctc import decode
from paddlex_triton.ops.detection_nms import boxes_to_page, multiclass_nms
from paddlex_triton.ops.keypoint_decode import decode_heatmaps
from paddlex_triton.tensorrt_plans import GateCase, GateReport

# A network on one input.
Answer = Callable[[Tensors], dict[str, np.ndarray]]

# A score may move by so much: thresholds and what is shown are of two digits.
_SCORE = 0.02
# A joint that scores less is not drawn (PaddleX's kpt_thresh is 0.2).
_JOINT_SCORE = 0.2


class Measure(ABC):
    """How far two answers of a family lie apart.

    Attributes:
        words: what is measured.
        bound: the most that is allowed.
    """

    words: ClassVar[str]
    bound: ClassVar[float]

    @abstractmethod
    def apart(self, wanted: Tensors, got: Tensors, feeds: Tensors, info: NetworkInfo) -> tuple[float, int]:
        """Compare two answers.

        Returns:
            How far they lie apart, infinite for answers of another form; and how much FP32 found.
        """


class TextPixels(Measure):
    """DB: pixels that change sides of the threshold, as a part of those that FP32 has above it.

    The bound is a twentieth of an outline: a word's map of 12 x 200 pixels has 424 at its border, 18 % of all.
    """

    words = "pixels that change sides of the threshold, as a part of the text's"
    bound = 0.01

    def apart(self, wanted: Tensors, got: Tensors, feeds: Tensors, info: NetworkInfo) -> tuple[float, int]:
        """See `Measure.apart`."""
        del feeds
        if not _same_form(wanted["prob"], got["prob"]):
            return float("inf"), 0
        thresh = float(info.postprocess.get("thresh", DEFAULT_THRESHOLD))
        first, second = wanted["prob"] > thresh, got["prob"] > thresh
        # Where there is hardly any text, a handful of pixels decides nothing: a thousandth of a picture is the least.
        return float((first != second).sum()) / max(first.size / 1000, int(first.sum())), int(first.sum())


class Texts(Measure):
    """CTC: the texts, and their scores. One that reads otherwise is too much."""

    words = "largest difference of the scores of lines; another text counts as 1"
    bound = _SCORE

    def apart(self, wanted: Tensors, got: Tensors, feeds: Tensors, info: NetworkInfo) -> tuple[float, int]:
        """See `Measure.apart`."""
        del feeds
        if not all(_same_form(wanted[name], got[name]) for name in ("indices", "probs")):
            return float("inf"), 0
        characters = info.characters or []
        first, second = (decode(one["indices"], one["probs"], characters) for one in (wanted, got))
        if first[0] != second[0]:
            return 1.0, len(first[0])
        return float(np.abs(np.subtract(first[1], second[1])).max(initial=0.0)), sum(map(bool, first[0]))


class Boxes(Measure):
    """Detectors: classes, scores and places of the boxes that could be drawn.

    A box may move by 0.4 % of the page's side, the width of a pen on A4; it counts as a score that moves by the bound.
    """

    words = "largest difference of the scores of boxes, their places counted fivefold as parts of the page"
    bound = _SCORE
    _PLACES: ClassVar[int] = 5

    def apart(self, wanted: Tensors, got: Tensors, feeds: Tensors, info: NetworkInfo) -> tuple[float, int]:
        """See `Measure.apart`."""
        names = ("boxes", "scores") if info.family == "dense_detection" else ("rows",)
        if not all(_same_form(wanted[name], got[name]) for name in names):
            return float("inf"), 0
        threshold = float(info.postprocess.get("draw_threshold", 0.5))
        worst, found = 0.0, 0
        for page, scale_factor in enumerate(feeds["scale_factor"]):
            first, second = (self._rows(one, page, scale_factor, info) for one in (wanted, got))
            side = float(np.max(np.array(info.geometry["target_size"]) / scale_factor))
            apart = rows_difference(first, second, side=side / self._PLACES, draw_threshold=threshold, same_order=False)
            worst, found = max(worst, apart), found + int((first[:, 1] > threshold).sum())
        return worst, found

    @staticmethod
    def _rows(answer: Tensors, page: int, scale_factor: np.ndarray, info: NetworkInfo) -> np.ndarray:
        if info.family != "dense_detection":
            return answer["rows"][page]
        boxes = boxes_to_page(answer["boxes"][page], scale_factor)
        return multiclass_nms(boxes, answer["scores"][page], **info.postprocess["nms"])


class Joints(Measure):
    """Keypoints: places of the joints that score enough to be drawn, pixels of the heatmap.

    A quarter of a pixel is as much as PaddleX's own way to find a maximum between pixels moves it.
    """

    words = "largest way of a joint, pixels of the heatmap; a score that moves by 0.02 counts as a quarter"
    bound = 0.25

    def apart(self, wanted: Tensors, got: Tensors, feeds: Tensors, info: NetworkInfo) -> tuple[float, int]:
        """See `Measure.apart`."""
        del feeds, info
        if not _same_form(wanted["heatmaps"], got["heatmaps"]):
            return float("inf"), 0
        (places, scores), (others, other_scores) = (
            decode_heatmaps(np.ascontiguousarray(one["heatmaps"])) for one in (wanted, got)
        )
        drawn = scores > _JOINT_SCORE
        moved = np.abs(places - others).max(axis=2)[drawn].max(initial=0.0)
        changed = np.abs(scores - other_scores).max(initial=0.0) * (self.bound / _SCORE)
        return float(max(moved, changed)), int(drawn.sum())


class Classes(Measure):
    """Classifiers: the class, and its score."""

    words = "largest difference of a score; another class counts as 1"
    bound = _SCORE

    def apart(self, wanted: Tensors, got: Tensors, feeds: Tensors, info: NetworkInfo) -> tuple[float, int]:
        """See `Measure.apart`."""
        del feeds, info
        first, second = wanted["probs"], got["probs"]
        if not _same_form(first, second):
            return float("inf"), 0
        if (first.argmax(axis=1) != second.argmax(axis=1)).any():
            return 1.0, len(first)
        return float(np.abs(first - second).max(initial=0.0)), len(first)


MEASURES: dict[Family, Measure] = {
    "db_detection": TextPixels(),
    "ctc_recognition": Texts(),
    "dense_detection": Boxes(),
    "detr_detection": Boxes(),
    "heatmap_keypoints": Joints(),
    "image_classification": Classes(),
}


def compare(info: NetworkInfo, cases: Iterable[Case], fp32: Answer, of_plan: Answer) -> GateReport:
    """Compare a plan with FP32 on pictures.

    Args:
        info: the network's network.json.
        cases: inputs, each of at most the plan's rows.
        fp32: the answer of 1/model.onnx.
        of_plan: the plan's.
    """
    measure = MEASURES[info.family]
    results = []
    for case in cases:
        apart, found = measure.apart(fp32(case.feeds), of_plan(case.feeds), case.feeds, info)
        # JSON knows no infinity.
        difference = apart if np.isfinite(apart) else -1.0
        results.append(GateCase(name=case.name, shape=list(case.feeds["x"].shape), difference=difference, found=found))
    why = _why_not(measure, results)
    differences = [result.difference for result in results]
    worst = None if not differences or min(differences) < 0 else max(differences)
    return GateReport(
        measure=measure.words, bound=measure.bound, worst=worst, passed=why is None, why=why, cases=results
    )


def _why_not(measure: Measure, results: list[GateCase]) -> str | None:
    for result in results:
        if result.difference < 0:
            return f"{result.name} {result.shape}: boxes are missing, values are no numbers, or the form is another one"
        if result.difference > measure.bound:
            return f"{result.name} {result.shape}: {result.difference:.3g}; {measure.bound:g} is allowed"
    if not sum(result.found for result in results):
        return "the network finds nothing in any of the pictures; --check-image gives it others"
    return None


def _same_form(wanted: np.ndarray, got: np.ndarray) -> bool:
    return wanted.shape == got.shape and wanted.dtype == got.dtype and bool(np.isfinite(got).all())
