"""Module `human_detection`: page to boxes around people."""

from __future__ import annotations

import numpy as np

from paddlex_triton.ops.human_detection import postprocess_people
from paddlex_triton.params import HumanDetectionParams
from paddlex_triton.server.modules.call import Call, refusing_values
from paddlex_triton.server.modules.module import Module, settings_output
from paddlex_triton.server.modules.network_caller import used_networks
from paddlex_triton.server.modules.object_detection import detect_objects
from paddlex_triton.settings import HumanDetectionSettings

_STEP = "human_detection"


class TritonPythonModel(Module[HumanDetectionParams]):
    """Human detection on a whole page."""

    stage = "human_detection"
    params_type = HumanDetectionParams

    async def answer(self, call: Call[HumanDetectionParams]) -> dict[str, np.ndarray]:
        """`page` UINT8 [H,W,3] BGR to `boxes`, `scores`, a row per person, page px."""
        params = call.params
        network = call.network(_STEP)
        threshold = params.det_threshold
        if threshold is None:
            threshold = network.info.postprocess["draw_threshold"]
        page = call.page("page")
        page_size = (page.shape[1], page.shape[0])
        rows = await detect_objects(call, network, page)
        with refusing_values():
            people = postprocess_people(rows, page_size, network.info.labels or [], threshold)
        self.metrics.page(people=len(people.boxes))
        return {
            "boxes": people.boxes,
            "scores": people.scores,
            "settings": settings_output(
                HumanDetectionSettings(
                    networks=used_networks({_STEP: network}), page_size=page_size, threshold=threshold
                )
            ),
        }
