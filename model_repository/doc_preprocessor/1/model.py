"""Module `doc_preprocessor`: encoded image to page."""

import numpy as np

from paddlex_triton.errors import Unsupported
from paddlex_triton.ops.image import decode_image
from paddlex_triton.pipelines import PIPELINES
from paddlex_triton.server.module import Call, Module

_ANGLE_OFF = -1


class TritonPythonModel(Module):
    """First stage of every pipeline: decodes the image and starts the clock of the request's timeout."""

    stage = "doc_preprocessor"
    schemas = tuple(spec.params for spec in PIPELINES.values())

    async def answer(self, call: Call) -> dict[str, np.ndarray]:
        """`image` BYTES [1] to `page` UINT8 [H,W,3] BGR, `angle`, `preprocessed_img`, `deadline`, `settings`."""
        params = call.params
        for option in ("use_doc_orientation_classify", "use_doc_unwarping"):
            if getattr(params, option, None):
                raise Unsupported(f"{option} is not available on this server; leave it out or set it to false")
        wanted = getattr(params, "return_preprocessed_img", False)
        page = decode_image(call.payload("image"))
        self.metrics.page()
        return {
            "page": page,
            "angle": np.array([_ANGLE_OFF], np.int32),
            "preprocessed_img": page if wanted else np.empty((0, 0, 3), np.uint8),
            "deadline": np.array([call.deadline_ns], np.int64),
            "settings": self.settings(use_doc_orientation_classify=False, use_doc_unwarping=False),
        }
