"""The end of the ONNX graph: candidates of each class, and a suppression for the whole batch.

The operator for suppression knows one set of boxes for all classes, while the network has boxes for each class. So the
candidates of the classes are put one after the other, and a class has scores for its own alone. Needs torch.
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from training.network import CLASS_COUNT, LayoutNetwork, places
from training.scenes import SEAL

KEPT = 100
MIN_SCORE = 0.1
MAX_OVERLAP = 0.5
# Chosen on generated pages of another seed, where they change the average precision by less than 0.001: seals are boxed
# this much wider on either side than they were found, and higher, which halves the arcs that are cut by more than 3 %;
# their logits are lowered by this, without which three times as many pages without a seal get one at PaddleX's score
# of 0.5, and recall is 0.03 higher.
SEAL_MARGIN = 0.02
SEAL_OFFSET = 0.5


class CandidateNetwork(nn.Module):
    """All boxes of all classes, in pixels of the page, before suppression."""

    def __init__(self, network: LayoutNetwork, side: int) -> None:
        super().__init__()
        self.network, self.side = network, side
        centres, strides = places(side, side)
        # Persistent, or the exporter would store what is made of it instead, which is larger.
        self.register_buffer("places_of_answers", torch.cat((centres, strides[:, None]), dim=1))
        margins = [SEAL_MARGIN if index == SEAL else 0.0 for index in range(CLASS_COUNT)]
        self.register_buffer("edges", torch.block_diag(*map(_edges, margins)), persistent=False)
        offsets = torch.zeros(CLASS_COUNT)
        offsets[SEAL] = SEAL_OFFSET
        self.register_buffer("offsets", offsets, persistent=False)

    def forward(self, image: Tensor, scale_factor: Tensor) -> tuple[Tensor, Tensor]:
        """Return the candidates and scores.

        Args:
            image: float [N, 3, side, side].
            scale_factor: float [N, 2], the network's height over the page's, and the same of widths.

        Returns:
            Boxes float [N, 3 A, 4], x1, y1, x2, y2 in pixels of the page, those of a class one after the other, and
            scores float [N, 3, 3 A], zero but for the class that a box is of. They stay where they are however they
            score: an order by score would change with the last bits of equal ones.
        """
        logits, exponents = self.network(image)
        # All coordinates of a place are one row: rows of two or four numbers take several times as long.
        where = self.get_buffer("places_of_answers")
        distances = exponents.flatten(2).exp() * where[:, 2:]
        edges = distances @ self.get_buffer("edges") + where[:, :2].repeat(1, 2 * CLASS_COUNT)
        pages = torch.cat((scale_factor[:, 1:], scale_factor[:, :1]) * 2 * CLASS_COUNT, dim=1)[:, None]
        boxes = (edges.clamp(0.0, float(self.side)) / pages).unflatten(2, (CLASS_COUNT, 4))
        scores = torch.sigmoid(logits - self.get_buffer("offsets")).permute(0, 2, 1)
        nothing = torch.zeros_like(scores[:, 0])
        rows = [
            torch.cat([scores[:, index] if place == index else nothing for place in range(CLASS_COUNT)], dim=1)
            for index in range(CLASS_COUNT)
        ]
        return boxes.permute(0, 2, 1, 3).flatten(1, 2), torch.stack(rows, dim=1)


def _edges(margin: float) -> Tensor:
    """Return what turns distances left, top, right, down into x1, y1, x2, y2 less the place: float [4, 4].

    Args:
        margin: by which a box is enlarged on every side, part of its width or height.
    """
    return (torch.eye(4) + margin * torch.eye(2).repeat(2, 2)) * torch.tensor((-1.0, -1.0, 1.0, 1.0))


def append_suppression(model: onnx.ModelProto) -> onnx.ModelProto:
    """Turn the outputs `candidates` and `scores` into `boxes` and `count`.

    Args:
        model: a `CandidateNetwork`; is changed.

    Returns:
        The model. `boxes` float32 [M, 6]: class, score, x1, y1, x2, y2, by page and falling score; at most 100 of a
        class on a page; `count` int32 [N]: how many of them are of each page.
    """
    graph = model.graph
    graph.initializer.extend(
        numpy_helper.from_array(value, name)
        for name, value in {
            "kept": np.array([KEPT], np.int64),
            "max_overlap": np.array([MAX_OVERLAP], np.float32),
            "min_score": np.array([MIN_SCORE], np.float32),
            "page_column": np.array([0], np.int64),
            "class_column": np.array([1], np.int64),
            "page_and_box_columns": np.array([0, 2], np.int64),
            "score_span": np.array(2.0, np.float32),
            "first": np.array(0, np.int64),
            "zero": np.array(0, np.int64),
            "one": np.array(1, np.int64),
            "last_axis": np.array([1], np.int64),
            "first_axis": np.array([0], np.int64),
        }.items()
    )
    graph.node.extend(_suppression_nodes())
    del graph.output[:]
    graph.output.extend(
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["M", 6]),
            helper.make_tensor_value_info("count", TensorProto.INT32, ["N"]),
        ]
    )
    return model


def _suppression_nodes() -> list[onnx.NodeProto]:
    node = helper.make_node
    return [
        node("NonMaxSuppression", ["candidates", "scores", "kept", "max_overlap", "min_score"], ["selected"]),
        node("Gather", ["selected", "page_and_box_columns"], ["selected_boxes"], axis=1),
        node("GatherND", ["candidates", "selected_boxes"], ["row_boxes"]),
        node("GatherND", ["scores", "selected"], ["row_scores"]),
        node("Unsqueeze", ["row_scores", "last_axis"], ["row_score_column"]),
        node("Gather", ["selected", "class_column"], ["row_classes"], axis=1),
        node("Cast", ["row_classes"], ["row_class_column"], to=TensorProto.FLOAT),
        node("Concat", ["row_class_column", "row_score_column", "row_boxes"], ["unsorted_rows"], axis=1),
        # Scores are below 1: twice the page's number less the score sorts by page first.
        node("Gather", ["selected", "page_column"], ["row_pages"], axis=1),
        node("Cast", ["row_pages"], ["row_page_numbers"], to=TensorProto.FLOAT),
        node("Mul", ["row_page_numbers", "score_span"], ["page_keys"]),
        node("Sub", ["row_score_column", "page_keys"], ["key_column"]),
        node("Squeeze", ["key_column", "last_axis"], ["keys"]),
        node("Shape", ["keys"], ["row_count"]),
        node("TopK", ["keys", "row_count"], ["sorted_keys", "row_order"], axis=0, largest=1, sorted=1),
        node("Gather", ["unsorted_rows", "row_order"], ["boxes"], axis=0),
        node("Shape", ["image"], ["image_shape"]),
        node("Gather", ["image_shape", "first"], ["page_count"], axis=0),
        node("Range", ["zero", "page_count", "one"], ["page_numbers"]),
        node("Equal", ["row_pages", "page_numbers"], ["row_is_of_page"]),
        node("Cast", ["row_is_of_page"], ["row_is_of_page_number"], to=TensorProto.INT32),
        node("ReduceSum", ["row_is_of_page_number", "first_axis"], ["count"], keepdims=0),
    ]
