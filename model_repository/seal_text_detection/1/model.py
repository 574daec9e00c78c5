"""Module `seal_text_detection`: regions of a page to the outlines of the text lines in them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from paddlex_triton.ops.polygons import pack_polygons
from paddlex_triton.ops.regions import region_views, regions_of_boxes
from paddlex_triton.ops.seal_crop import readable_polygons
from paddlex_triton.ops.sorting import sort_polygons
from paddlex_triton.ops.text_detection import check_regions
from paddlex_triton.params import Params, SealTextDetectionParams
from paddlex_triton.server.modules.call import Call, refusing_values
from paddlex_triton.server.modules.module import Module, settings_output
from paddlex_triton.server.modules.network_caller import NetworkCaller, used_networks
from paddlex_triton.server.modules.text_detection import detect_lines
from paddlex_triton.settings import SealTextDetectionSettings

_STEP = "seal_text_detection"
# PaddleX has no parameter for it; its pipeline leaves it at its default.
_MAX_SIDE_LIMIT = 4000
# A polygon in pixels of its region, and its score.
_Line = tuple[np.ndarray, float]


class TritonPythonModel(Module[SealTextDetectionParams]):
    """DB text detection on every seal of a page."""

    stage = "seal_text_detection"
    params_type = SealTextDetectionParams

    async def answer(self, call: Call[SealTextDetectionParams]) -> dict[str, np.ndarray]:
        """`page` UINT8 [H,W,3] BGR and `boxes` to `regions` and the polygons in them (CSR, px of their region)."""
        params = call.params
        network = call.network(_STEP)
        page = call.page("page")
        limits: dict[str, Any] = {
            "limit_side_len": params.seal_det_limit_side_len,
            "limit_type": params.seal_det_limit_type,
            "max_side_limit": _MAX_SIDE_LIMIT,
        }
        thresholds: dict[str, Any] = {
            "thresh": params.seal_det_thresh,
            "box_thresh": params.seal_det_box_thresh,
            "unclip_ratio": params.seal_det_unclip_ratio,
        }
        with refusing_values():
            regions = self._regions(call, page)
            views = region_views(page, regions)
        check_regions([(view.shape[0], view.shape[1]) for view in views], **limits)
        found = await call.run_all([partial(self._find, call, network, view, limits, thresholds) for view in views])
        lines = [(region, *line) for region, of_region in enumerate(found) for line in of_region]
        # Planning a thousand lines takes half a second.
        call.check()
        kept = readable_polygons([views[region] for region, _, _ in lines], [polygon for _, polygon, _ in lines])
        self.metrics.page(regions=len(views), polygons=len(kept), left_out=len(lines) - len(kept))
        lines = [lines[index] for index in kept]
        points, offsets = pack_polygons([polygon for _, polygon, _ in lines])
        return {
            "regions": regions,
            "points": points,
            "offsets": offsets,
            "region_ids": np.array([region for region, _, _ in lines], np.int32),
            "poly_scores": np.array([score for _, _, score in lines], np.float32),
            "text_type": np.array([b"seal"], dtype=object),
            "settings": settings_output(
                SealTextDetectionSettings(
                    networks=used_networks({_STEP: network}), text_type="seal", **limits, **thresholds
                )
            ),
        }

    def _regions(self, call: Call[SealTextDetectionParams], page: np.ndarray) -> np.ndarray:
        """Return the boxes of seals; the whole page where no layout was looked for."""
        height, width = page.shape[:2]
        boxes, used = call.optional_array("boxes"), call.optional_array("layout_used")
        if boxes is None or (used is not None and not used.all()):
            return np.array([[0, 0, width, height]], np.int32)
        labels = [bytes(label).decode("utf-8", "replace") for label in call.array("labels")]
        return regions_of_boxes(boxes, labels, (width, height))

    async def _find(
        self, call: Call[Params], network: NetworkCaller, view: np.ndarray, limits: dict, thresholds: dict
    ) -> list[_Line]:
        """Return the lines of one seal, from top to bottom."""
        polygons, scores = await detect_lines(
            call, network, view, limits=limits, thresholds=thresholds, box_type="poly"
        )
        return [(polygons[index], scores[index]) for index in sort_polygons(polygons)]
