"""Calling a DB text detector: a page, or a region of one, in; outlines of its lines out."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from paddlex_triton.ops.db import db_postprocess
from paddlex_triton.ops.text_detection import resize_for_detection
from paddlex_triton.params import Params
from paddlex_triton.server.modules.call import Call
from paddlex_triton.server.modules.network_caller import NetworkCaller


async def detect_lines(
    call: Call[Params],
    network: NetworkCaller,
    image: np.ndarray,
    *,
    limits: dict[str, Any],
    thresholds: dict[str, Any],
    box_type: Literal["quad", "poly"],
) -> tuple[list[np.ndarray], list[float]]:
    """Run a module's text detector on an image.

    Args:
        call: the request.
        network: the detector.
        image: UINT8 [H,W,3] BGR.
        limits: how large the network's input is, see `resize_for_detection`.
        thresholds: `thresh`, `box_thresh` and `unclip_ratio` of `db_postprocess`.
        box_type: quadrilaterals, or polygons with any number of points.

    Returns:
        Outlines, integer [n,2] each, x and y in pixels of the image, in no order; and their scores.
    """
    height, width = image.shape[:2]
    resized = resize_for_detection(image, **limits)
    prob = (await call.infer(network, {"x": resized[None]}))["prob"][0]
    return db_postprocess(
        prob,
        src_h=height,
        src_w=width,
        box_type=box_type,
        max_candidates=network.info.max_candidates,
        **thresholds,
    )
