"""Module `doc_preprocessor`: encoded image to page, turned upright and flattened."""

from __future__ import annotations

import numpy as np

from paddlex_triton.ops.classification import classifier_input, top_class
from paddlex_triton.ops.image import decode_image
from paddlex_triton.ops.orientation import turn_page
from paddlex_triton.ops.unwarping import check_unwarping_size
from paddlex_triton.params import DocPreprocessorParams, Params
from paddlex_triton.server.modules.module import Call, Module
from paddlex_triton.server.modules.network_caller import NetworkCaller
from paddlex_triton.server.modules.page_kinds import PAGE_KINDS, page_kind_of

_ANGLE_OFF = -1
_ORIENTATION, _UNWARPING = "doc_orientation_classify", "doc_unwarping"


class TritonPythonModel(Module):
    """First stage of every pipeline: decodes the image, prepares the page and starts the clock of the timeout."""

    stage = "doc_preprocessor"
    schemas = tuple(kind.schema for kind in PAGE_KINDS)

    def schemas_for(self, call: Call) -> tuple[type[Params], ...]:
        """Those of the pipeline that the image is for."""
        return (page_kind_of(call.inputs).schema,)

    async def answer(self, call: Call) -> dict[str, np.ndarray]:
        """The image, BYTES [1], to `page` UINT8 [H,W,3] BGR, `angle`, `preprocessed_img`, `deadline`, `settings`."""
        orientation, unwarping = self._steps(call)
        page = decode_image(call.payload(page_kind_of(call.inputs).input))
        self.metrics.page()
        angle = _ANGLE_OFF
        if orientation:
            angle = await self._angle(call, orientation, page)
            page = turn_page(page, angle)
        if unwarping:
            check_unwarping_size(page)
            page = (await call.infer(unwarping, {"x": page[None]}))["unwarped"][0]
        wanted = getattr(call.params, "return_preprocessed_img", False)
        # The caller can turn a page again, but not flatten it.
        sent_back = unwarping is not None if wanted is None else wanted
        return {
            "page": page,
            "angle": np.array([angle], np.int32),
            "preprocessed_img": page if sent_back else np.empty((0, 0, 3), np.uint8),
            "deadline": np.array([call.deadline_ns], np.int64),
            "settings": self.settings(
                {_ORIENTATION: orientation, _UNWARPING: unwarping},
                use_doc_orientation_classify=orientation is not None,
                use_doc_unwarping=unwarping is not None,
            ),
        }

    def _steps(self, call: Call) -> tuple[NetworkCaller | None, NetworkCaller | None]:
        """The networks that turn and flatten the page, None for a step that is off."""
        kind, params = page_kind_of(call.inputs), call.params
        if kind.orientation is None or kind.unwarping is None:
            return None, None
        assert isinstance(params, DocPreprocessorParams)
        orientation = call.optional_network("use_doc_orientation_classify", kind.orientation, _ORIENTATION)
        unwarping = call.optional_network("use_doc_unwarping", kind.unwarping, _UNWARPING)
        return (None, None) if params.leaves_pages_as_they_are else (orientation, unwarping)

    async def _angle(self, call: Call, network: NetworkCaller, page: np.ndarray) -> int:
        """How far the page is to be turned counterclockwise, degrees."""
        info = network.info
        probs = (await call.infer(network, {"x": classifier_input(page, **info.geometry)[None]}))["probs"]
        return int((info.labels or [])[top_class(probs[0])[0]])
