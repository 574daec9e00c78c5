"""Calling an object detector, whatever its family: a page in, PaddleX's rows out."""

from __future__ import annotations

import numpy as np

from paddlex_triton.ops.detection_nms import boxes_to_page, multiclass_nms
from paddlex_triton.ops.object_detection import resize_for_detector
from paddlex_triton.params import Params
from paddlex_triton.server.modules.call import Call
from paddlex_triton.server.modules.network_caller import NetworkCaller


async def detect_objects(call: Call[Params], network: NetworkCaller, page: np.ndarray) -> np.ndarray:
    """Run a module's detector on a page.

    Args:
        call: the request.
        network: the detector.
        page: uint8 [H, W, 3] BGR.

    Returns:
        float32 [M, 6] rows: class, score, x1, y1, x2, y2 in page pixels.
    """
    info = network.info
    height, width = info.geometry["target_size"]
    resized = resize_for_detector(page, (height, width), info.geometry["interpolation"])
    inputs = {"x": resized.image[None]}
    if info.family != "dense_detection":
        inputs["scale_factor"] = resized.scale_factor[None]
    outputs = await call.infer(network, inputs)
    if info.family == "detr_detection":
        return outputs["rows"][0]
    if info.family == "nms_detection":
        return outputs["rows"][: int(outputs["count"][0])]
    boxes = boxes_to_page(outputs["boxes"][0], resized.scale_factor)
    return multiclass_nms(boxes, outputs["scores"][0], **info.postprocess["nms"])
