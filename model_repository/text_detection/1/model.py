"""Module `text_detection`: page to quadrilaterals around text lines, in reading order."""

import numpy as np

from paddlex_triton.ops.db import db_postprocess
from paddlex_triton.ops.polygons import pack_polygons
from paddlex_triton.ops.sorting import sort_quads
from paddlex_triton.ops.text_detection import resize_for_detection
from paddlex_triton.params import OCRParams
from paddlex_triton.server.modules.module import Call, Module

_STEP = "text_detection"


class TritonPythonModel(Module):
    """DB text detection on a whole page."""

    stage = "text_detection"
    schemas = (OCRParams,)

    async def answer(self, call: Call) -> dict[str, np.ndarray]:
        """`page` UINT8 [H,W,3] BGR to one region and the polygons in it (CSR, page px)."""
        params = call.params
        assert isinstance(params, OCRParams)
        network = call.network(_STEP)
        page = call.page("page")
        height, width = page.shape[:2]
        resized = resize_for_detection(
            page,
            limit_side_len=params.text_det_limit_side_len,
            limit_type=params.text_det_limit_type,
            max_side_limit=params.text_det_max_side_limit,
        )
        prob = (await call.infer(network, {"x": resized[None]}))["prob"][0]
        quads, scores = db_postprocess(
            prob,
            src_h=height,
            src_w=width,
            thresh=params.text_det_thresh,
            box_thresh=params.text_det_box_thresh,
            unclip_ratio=params.text_det_unclip_ratio,
            max_candidates=network.info.max_candidates,
        )
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
            "settings": self.settings(
                {_STEP: network},
                text_type="general",
                limit_side_len=params.text_det_limit_side_len,
                limit_type=params.text_det_limit_type,
                thresh=params.text_det_thresh,
                max_side_limit=params.text_det_max_side_limit,
                box_thresh=params.text_det_box_thresh,
                unclip_ratio=params.text_det_unclip_ratio,
            ),
        }
