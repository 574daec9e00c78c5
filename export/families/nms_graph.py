"""The end of a detector's graph from its NMS on, run by itself: the NMS that takes its place must choose as it does."""

from __future__ import annotations

import numpy as np

from paddlex_triton.export.errors import first_line
from paddlex_triton.export.families.base import FormError
from paddlex_triton.export.families.rows import matched_difference
from paddlex_triton.export.graph.contract import SourceGraph, parse_model
from paddlex_triton.export.graph.cut import begin_at
from paddlex_triton.export.graph.sessions import open_session
from paddlex_triton.export.inference_file.detector_section import NMSSettings
from paddlex_triton.ops.detection_nms import multiclass_nms

# Boxes lie in heaps of so many, of which all overlap.
_HEAP = 4
# Boxes by themselves.
_LONE = 16
# Pixels of the page that heaps are strewn over.
_SIDE = 1000.0


class NMSGraph:
    """A source's own choice among boxes and scores.

    Pictures do not do to prove it: a network may find nothing in any of them. Boxes and scores made for it do.

    Args:
        source: the source graph.
        inputs: the names of its boxes [1,A,4] and scores [1,C,A] in front of the NMS.
        outputs: the names of its rows and their count.

    Raises:
        FormError: that part of the graph cannot be run by itself.
    """

    def __init__(self, source: SourceGraph, inputs: tuple[str, str], outputs: tuple[str, str]) -> None:
        self._inputs, self._outputs = inputs, outputs
        ending = begin_at(parse_model(source.content), inputs, outputs)
        try:
            self._session = open_session(ending.SerializeToString())
        except Exception as error:
            # ONNX Runtime raises a type of its own for every cause.
            raise FormError(f"the graph from its NMS on does not run by itself: {first_line(error)}") from error
        # Some graphs ask their image how many pages there are.
        self._others = {
            value.name: np.ones([size if isinstance(size, int) else 1 for size in value.shape], np.float32)
            for value in self._session.get_inputs()
            if value.name not in inputs
        }

    def difference(self, classes: int, anchors: int, nms: NMSSettings, *, bounds: bool) -> float:
        """Return how far the host's choice lies from the graph's; infinite if it is not of the same boxes.

        Args:
            classes: how many the network has.
            anchors: how many boxes it gives.
            nms: the numbers that the host goes by.
            bounds: whether they are the graph's own. Else it may bound the boxes it keeps in other ways, and
                thresholds alone are compared.

        Raises:
            FormError: the graph does not run on boxes and scores, or keeps none of them.
        """
        # Fewer boxes than are kept, so that the thresholds decide, and more heaps than that; but of one class no more
        # boxes than it may have.
        counts = [nms.keep_top_k // (2 * classes * _HEAP), 2 * nms.keep_top_k // classes + 10]
        most = max(1, min(nms.nms_top_k, anchors) // _HEAP)
        made = (
            _heaps(max(1, min(count, most)), anchors, classes, nms.score_threshold) for count in counts[: 1 + bounds]
        )
        return max(self._difference(boxes, scores, nms) for boxes, scores in made)

    def _difference(self, boxes: np.ndarray, scores: np.ndarray, nms: NMSSettings) -> float:
        feeds = {**self._others, **dict(zip(self._inputs, (boxes, scores), strict=True))}
        try:
            rows, count = (np.asarray(value) for value in self._session.run(list(self._outputs), feeds))
        except Exception as error:
            # ONNX Runtime raises a type of its own for every cause.
            raise FormError(f"its NMS does not run on boxes of its own: {first_line(error)}") from error
        if not len(rows) or count.sum() != len(rows):
            raise FormError(f"its NMS keeps {len(rows)} of {boxes.shape[1]} boxes, and counts {count.sum()}")
        chosen = multiclass_nms(
            boxes[0],
            scores[0],
            score_threshold=nms.score_threshold,
            nms_threshold=nms.nms_threshold,
            nms_top_k=nms.nms_top_k,
            keep_top_k=nms.keep_top_k,
        )
        return matched_difference(rows, chosen, _SIDE)


def _heaps(count: int, anchors: int, classes: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Make heaps of boxes that overlap, less and more, with scores between 0 and 1, no two alike.

    Besides, boxes by themselves that score a little less and a little more than the threshold. All others score 0.

    Returns:
        float32 [1, anchors, 4], x1, y1, x2, y2, and float32 [1, classes, anchors].
    """
    rng = np.random.default_rng(11)
    centres = rng.uniform(0, _SIDE, (count, 1, 2)) + rng.normal(0, 8, (count, _HEAP, 2))
    halves = rng.uniform(15, 25, (count, _HEAP, 2))
    heaped = np.concatenate([centres - halves, centres + halves], axis=2).reshape(-1, 4)
    boxes = np.zeros((1, anchors, 4), np.float32)
    scores = np.zeros((1, classes, anchors), np.float32)
    used = min(anchors, len(heaped))
    boxes[0, :used] = heaped[:used]
    scores[0, :, :used] = (rng.permutation(classes * used).reshape(classes, used) + 0.5) / (classes * used)
    lone = np.arange(used, min(anchors, used + _LONE))
    boxes[0, lone] = 2 * _SIDE + 100 * (lone - used)[:, None] + np.array([0, 0, 50, 50])
    scores[0, lone % classes, lone] = threshold * np.linspace(0.55, 1.45, _LONE)[: len(lone)]
    return boxes, scores
