"""Lines of a page, for `text_recognition`: cut them out, turn them, read them, find their words."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from paddlex_triton.errors import InvalidParameter
from paddlex_triton.ops.bidi import display_order
from paddlex_triton.ops.classification import classifier_input, top_class
from paddlex_triton.ops.crop import CropsOnDemand, QuadCrops
from paddlex_triton.ops.ctc import CtcLine, decode_lines
from paddlex_triton.ops.polygons import unpack_polygons
from paddlex_triton.ops.recognition import ImageShape, LineBatch, build_batch, merge_batches, plan_regions, plan_tight
from paddlex_triton.ops.regions import members_of_regions, region_views
from paddlex_triton.ops.seal_crop import PolygonCrops
from paddlex_triton.ops.words import group_words, word_boxes
from paddlex_triton.params import Params, TextRecognitionParams
from paddlex_triton.server.modules.call import Call, refusing_values
from paddlex_triton.server.modules.network_caller import NetworkCaller

# Kinds of text, and how their lines are cut out: pages and polygons, one each for a line, to the lines as images.
TEXT_TYPES: dict[str, Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], QuadCrops | PolygonCrops]] = {
    "general": QuadCrops,
    "seal": PolygonCrops,
}


@dataclass(frozen=True)
class CutLines:
    """Lines of a page, one per polygon.

    Attributes:
        polygons: integer [n,2] each, x, y in pixels of the line's region.
        crops: the lines as images.
        members: for each region the indices of its lines.
    """

    polygons: Sequence[np.ndarray]
    crops: CropsOnDemand
    members: Sequence[Sequence[int]]


@dataclass(frozen=True)
class ReadLine:
    """A line as it was read.

    Attributes:
        line: text, score, and the steps it was read at.
        column_count: steps that fall on the line; see `word_boxes`.
    """

    line: CtcLine
    column_count: float


def cut_lines(call: Call[Params]) -> CutLines:
    """Cut out the lines of a request, as its `text_type` says: `general` if it does not.

    Raises:
        InvalidParameter: its inputs do not fit each other.
        ImageTooLarge: the lines have too many pixels.
    """
    text_type = call.text("text_type", "general")
    if text_type not in TEXT_TYPES:
        raise InvalidParameter(f"text_type is {text_type!r}; allowed: {', '.join(TEXT_TYPES)}")
    with refusing_values():
        views = region_views(call.page("page"), call.array("regions"))
        polygons = unpack_polygons(call.array("points"), call.array("offsets"))
        region_ids = call.array("region_ids")
        members = members_of_regions(region_ids, len(views), len(polygons))
        crops = TEXT_TYPES[text_type]([views[region] for region in region_ids], polygons)
        return CutLines(polygons, crops, members)


async def classify_lines(call: Call[Params], network: NetworkCaller, crops: CropsOnDemand, group: int) -> list[int]:
    """Tell which lines are upright (0) and which upside down (1).

    Args:
        call: the request.
        network: the classifier.
        crops: the lines.
        group: so many lines that follow each other get the class of their first one. PaddleX runs its classifier on 6
            lines at a time and gives each of them what it found of the first.
    """
    size, rows = network.info.geometry["target_size"], network.info.max_batch_size
    firsts = range(0, len(crops), group)

    def inputs(some: range) -> dict[str, np.ndarray]:
        return {"x": np.stack([classifier_input(crops[index], size) for index in some])}

    batches = [firsts[start : start + rows] for start in range(0, len(firsts), rows)]
    answers = await call.infer_all(network, [partial(inputs, batch) for batch in batches])
    classes = [top_class(row)[0] for answer in answers for row in answer["probs"]]
    return [classes[index // group] for index in range(len(crops))]


async def read_lines(
    call: Call[TextRecognitionParams], network: NetworkCaller, crops: CropsOnDemand, members: Sequence[Sequence[int]]
) -> list[ReadLine]:
    """Read lines, padded as the request asks for it.

    Args:
        call: the request.
        network: the recogniser.
        crops: the lines.
        members: for each region the indices of its lines.
    """
    info = network.info
    image_shape: ImageShape = tuple(info.geometry["image_shape"])

    def inputs(batch: LineBatch) -> dict[str, np.ndarray]:
        x, widths = build_batch(crops, batch, image_shape)
        return {"x": x, "widths": widths}

    if call.params.text_recognition_padding == "tight":
        planned = plan_tight(crops.sizes, image_shape=image_shape)
    else:
        batch_size = call.params.text_recognition_batch_size
        planned = plan_regions(members, crops.sizes, image_shape=image_shape, batch_size=batch_size)
    batches = merge_batches(planned, info.max_batch_size, info.geometry.get("max_columns"))
    answers = await call.infer_all(network, [partial(inputs, batch) for batch in batches])
    read: dict[int, ReadLine] = {}
    for batch, outputs in zip(batches, answers, strict=True):
        lines = decode_lines(outputs["indices"], outputs["probs"], info.characters or [])
        if info.postprocess.get("bidi"):
            # Words stay in the order of their columns, as in PaddleX.
            lines = [replace(line, text=display_order(line.text)) for line in lines]
        steps = outputs["indices"].shape[1]
        for index, filled, line in zip(batch.indices, batch.filled, lines, strict=True):
            read[index] = ReadLine(line, steps * filled)
    return [read[index] for index in range(len(crops))]


def words_json(read: ReadLine, quad: np.ndarray) -> bytes:
    """Return the words of a line and their boxes, px of its region: `{"words": [str], "regions": [[[x, y] * 4]]}`."""
    words = group_words(read.line.characters, read.line.columns)
    texts, regions = word_boxes(quad, words, read.column_count)
    return json.dumps({"words": texts, "regions": regions}, ensure_ascii=False).encode()
