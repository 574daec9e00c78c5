"""Module `text_detection`: page to quadrilaterals around text lines, in reading order."""

from typing import Any

import numpy as np

from paddlex_triton.ops.polygons import pack_polygons
from paddlex_triton.ops.sorting import sort_quads
from paddlex_triton.params import TextDetectionParams
from paddlex_triton.server.modules.call import Call
from paddlex_triton.server.modules.module import Module, settings_output
from paddlex_triton.server.modules.network_caller import used_networks
from paddlex_triton.server.modules.text_detection import detect_lines
from paddlex_triton.settings import TextDetectionSettings

_STEP = "text_detection"


class TritonPythonModel(Module[TextDetectionParams]):
    """DB text detection on a whole page."""

    stage = "text_detection"
    params_type = TextDetectionParams

    async def answer(self, call: Call[TextDetectionParams]) -> dict[str, np.ndarray]:
        """`page` UINT8 [H,W,3] BGR to one region and the polygons in it (CSR, page px)."""
        params = call.params
        network = call.network(_STEP)
        page = call.page("page")
        height, width = page.shape[:2]
        limits: dict[str, Any] = {
            "limit_side_len": params.text_det_limit_side_len,
            "limit_type": params.text_det_limit_type,
            "max_side_limit": params.text_det_max_side_limit,
        }
        thresholds: dict[str, Any] = {
            "thresh": params.text_det_thresh,
            "box_thresh": params.text_det_box_thresh,
            "unclip_ratio": params.text_det_unclip_ratio,
        }
        quads, scores = await detect_lines(call, network, page, limits=limits, thresholds=thresholds, box_type="quad")
        order = sort_quads(quads)
        points, offsets = pack_polygons([quads[index] for index in order])
        self.metrics.page(polygons=len(order))
        return {
            "regions": np.array([[0, 0, width, height]], np.int32),
            "points": points,
            "offsets": offsets,
            "region_ids": np.zeros(len(order), np.int32),
            "poly_scores": np.array([scores[index] for index in order], np.float32),
            "text_type": np.array([b"general"], dtype=object),
            "settings": settings_output(
                TextDetectionSettings(
                    networks=used_networks({_STEP: network}), text_type="general", **limits, **thresholds
                )
            ),
        }
