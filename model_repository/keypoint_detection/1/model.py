"""Module `keypoint_detection`: boxes around people to their joints."""

from __future__ import annotations

from functools import partial

import numpy as np

from paddlex_triton.ops.keypoint_crop import crop_people, frames_of_boxes
from paddlex_triton.ops.keypoint_decode import keypoints_on_page
from paddlex_triton.params import Params
from paddlex_triton.server.modules.call import Call, refusing_values
from paddlex_triton.server.modules.module import Module, settings_output
from paddlex_triton.server.modules.network_caller import used_networks
from paddlex_triton.settings import KeypointDetectionSettings

_STEP = "keypoint_detection"


class TritonPythonModel(Module[Params]):
    """All people of a page at once: crop, heatmaps, decode, back to the page."""

    stage = "keypoint_detection"
    params_type = Params

    async def answer(self, call: Call[Params]) -> dict[str, np.ndarray]:
        """`page` UINT8 [H,W,3] BGR and `boxes` FP32 [N,4] to `keypoints` FP32 [N,17,3] and `scores`, page px."""
        network = call.network(_STEP)
        info = network.info
        size = (info.geometry["target_size"][0], info.geometry["target_size"][1])
        page = call.page("page")
        with refusing_values():
            frames = frames_of_boxes(call.array("boxes"), size)
        people = range(0, len(frames), info.max_batch_size)
        batches = [frames[start : start + info.max_batch_size] for start in people]
        answers = await call.infer_all(network, [partial(self._inputs, page, batch, size) for batch in batches])
        found = [keypoints_on_page(answer["heatmaps"], batch) for answer, batch in zip(answers, batches, strict=True)]
        self.metrics.page(people=len(frames))
        return {
            "keypoints": np.concatenate([part.keypoints for part in found] or [np.empty((0, 17, 3), np.float32)]),
            "scores": np.concatenate([part.scores for part in found] or [np.empty(0, np.float32)]),
            "settings": settings_output(KeypointDetectionSettings(networks=used_networks({_STEP: network}))),
        }

    def _inputs(self, page: np.ndarray, frames: np.ndarray, size: tuple[int, int]) -> dict[str, np.ndarray]:
        return {"x": crop_people(page, frames, size)}
