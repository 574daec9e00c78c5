"""Module `layout_detection`: page to labelled regions."""

from __future__ import annotations

import numpy as np

from paddlex_triton.ops.layout import LayoutBoxes, check_class_ids, postprocess_layout
from paddlex_triton.params import LayoutDetectionParams
from paddlex_triton.server.modules.call import Call, refusing_values
from paddlex_triton.server.modules.module import Module, settings_output
from paddlex_triton.server.modules.network_caller import NetworkCaller, used_networks
from paddlex_triton.server.modules.object_detection import detect_objects
from paddlex_triton.settings import LayoutDetectionSettings

_STEP = "layout_detection"


class TritonPythonModel(Module[LayoutDetectionParams]):
    """Layout detection on a whole page; nothing where it is switched off."""

    stage = "layout_detection"
    params_type = LayoutDetectionParams

    async def answer(self, call: Call[LayoutDetectionParams]) -> dict[str, np.ndarray]:
        """`page` UINT8 [H,W,3] BGR to `boxes`, `class_ids`, `labels`, `scores`, a row per region, page px."""
        params = call.params
        network = call.optional_network(_STEP)
        page = call.page("page")
        found = await self._detect(call, network, page) if network else LayoutBoxes.empty()
        self.metrics.page(regions=len(found.labels))
        return {
            "boxes": found.boxes,
            "class_ids": found.class_ids,
            "labels": np.array([label.encode() for label in found.labels], dtype=object),
            "scores": found.scores,
            "used": np.array([network is not None], np.bool_),
            "settings": settings_output(
                LayoutDetectionSettings(
                    networks=used_networks({_STEP: network}),
                    use_layout_detection=network is not None,
                    page_size=(page.shape[1], page.shape[0]),
                    threshold=params.layout_threshold,
                    layout_nms=params.layout_nms,
                    layout_unclip_ratio=params.layout_unclip_ratio,
                    layout_merge_bboxes_mode=params.layout_merge_bboxes_mode,
                )
            ),
        }

    async def _detect(self, call: Call[LayoutDetectionParams], network: NetworkCaller, page: np.ndarray) -> LayoutBoxes:
        params = call.params
        labels = network.info.labels or []
        by_class = {
            "layout_threshold": params.layout_threshold,
            "layout_unclip_ratio": params.layout_unclip_ratio,
            "layout_merge_bboxes_mode": params.layout_merge_bboxes_mode,
        }
        with refusing_values():
            check_class_ids(labels, **by_class)
        rows = await detect_objects(call, network, page)
        with refusing_values():
            return postprocess_layout(
                rows,
                (page.shape[1], page.shape[0]),
                labels,
                threshold=params.layout_threshold,
                nms=params.layout_nms,
                unclip_ratio=params.layout_unclip_ratio,
                merge_mode=params.layout_merge_bboxes_mode,
            )
