"""Module `layout_detection`: page to labelled regions."""

from __future__ import annotations

import numpy as np

from paddlex_triton.errors import Unsupported
from paddlex_triton.ops.layout import LayoutBoxes, check_class_ids, postprocess_layout
from paddlex_triton.params import SealRecognitionParams
from paddlex_triton.server.module import Call, Module, refusing_values
from paddlex_triton.server.object_detection import detect_objects

_ROLE = "layout_detection"


class TritonPythonModel(Module):
    """Layout detection on a whole page; nothing where it is switched off."""

    stage = "layout_detection"
    schemas = (SealRecognitionParams,)

    async def answer(self, call: Call) -> dict[str, np.ndarray]:
        """`page` UINT8 [H,W,3] BGR to `boxes`, `class_ids`, `labels`, `scores`, a row per region, page px."""
        params = call.params
        assert isinstance(params, SealRecognitionParams)
        # Without a network the step is off unless it is asked for.
        use = _ROLE in self.networks if params.use_layout_detection is None else params.use_layout_detection
        if use and _ROLE not in self.networks:
            raise Unsupported(
                "use_layout_detection is true, but this server has no layout network; leave it out or set it to false"
            )
        page = call.page("page")
        found = await self._detect(call, params, page) if use else LayoutBoxes.empty()
        self.metrics.page(regions=len(found.labels))
        return {
            "boxes": found.boxes,
            "class_ids": found.class_ids,
            "labels": np.array([label.encode() for label in found.labels], dtype=object),
            "scores": found.scores,
            "used": np.array([use], np.bool_),
            "settings": self.settings(
                self.networks if use else {},
                use_layout_detection=use,
                page_size=[page.shape[1], page.shape[0]],
                threshold=params.layout_threshold,
                layout_nms=params.layout_nms,
                layout_unclip_ratio=params.layout_unclip_ratio,
                layout_merge_bboxes_mode=params.layout_merge_bboxes_mode,
            ),
        }

    async def _detect(self, call: Call, params: SealRecognitionParams, page: np.ndarray) -> LayoutBoxes:
        labels = call.network(_ROLE).info.labels or []
        by_class = {
            "layout_threshold": params.layout_threshold,
            "layout_unclip_ratio": params.layout_unclip_ratio,
            "layout_merge_bboxes_mode": params.layout_merge_bboxes_mode,
        }
        with refusing_values():
            check_class_ids(labels, **by_class)
        rows = await detect_objects(call, _ROLE, page)
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
