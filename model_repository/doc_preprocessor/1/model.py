"""Module `doc_preprocessor`: encoded image to page, turned upright and flattened."""

from __future__ import annotations

import numpy as np

from paddlex_triton.ops.classification import classifier_input, top_class
from paddlex_triton.ops.image import decode_image
from paddlex_triton.ops.orientation import turn_page
from paddlex_triton.ops.unwarping import check_unwarping_size
from paddlex_triton.params import PagePreparationParams, Params
from paddlex_triton.server.modules.call import Call
from paddlex_triton.server.modules.module import Module, settings_output
from paddlex_triton.server.modules.network_caller import NetworkCaller, used_networks
from paddlex_triton.settings import DocPreprocessorSettings

_ANGLE_OFF = -1
_ORIENTATION, _UNWARPING = "doc_orientation_classify", "doc_unwarping"


class TritonPythonModel(Module[Params]):
    """First stage of every pipeline: decodes the image, prepares the page and starts the clock of the timeout."""

    stage = "doc_preprocessor"
    params_type = Params

    async def answer(self, call: Call[Params]) -> dict[str, np.ndarray]:
        """The image, BYTES [1], to `page` UINT8 [H,W,3] BGR, `angle`, `preprocessed_img`, `deadline`, `settings`."""
        orientation, unwarping = self._networks(call)
        page = decode_image(call.required_bytes("image"), max_pixels=call.max_pixels)
        self.metrics.page()
        angle = _ANGLE_OFF
        if orientation:
            angle = await self._angle(call, orientation, page)
            page = turn_page(page, angle)
        if unwarping:
            check_unwarping_size(page)
            page = (await call.infer(unwarping, {"x": page[None]}))["unwarped"][0]
        wanted = call.params.return_preprocessed_img if isinstance(call.params, PagePreparationParams) else False
        # The caller can turn a page again, but not flatten it.
        sent_back = unwarping is not None if wanted is None else wanted
        return {
            "page": page,
            "angle": np.array([angle], np.int32),
            "preprocessed_img": page if sent_back else np.empty((0, 0, 3), np.uint8),
            "pipeline": np.array([call.spec.name.encode()], dtype=object),
            "deadline": np.array([call.deadline_ns], np.int64),
            "settings": settings_output(
                DocPreprocessorSettings(
                    networks=used_networks({_ORIENTATION: orientation, _UNWARPING: unwarping}),
                    use_doc_orientation_classify=orientation is not None,
                    use_doc_unwarping=unwarping is not None,
                )
            ),
        }

    def _networks(self, call: Call[Params]) -> tuple[NetworkCaller | None, NetworkCaller | None]:
        """Return the networks that turn and flatten the page, None for a step that is off."""
        orientation, unwarping = call.optional_network(_ORIENTATION), call.optional_network(_UNWARPING)
        if isinstance(call.params, PagePreparationParams) and call.params.leaves_pages_as_they_are:
            return None, None
        return orientation, unwarping

    async def _angle(self, call: Call[Params], network: NetworkCaller, page: np.ndarray) -> int:
        """Return how far the page is to be turned counterclockwise, degrees."""
        info = network.info
        probs = (await call.infer(network, {"x": classifier_input(page, **info.geometry)[None]}))["probs"]
        return int((info.labels or [])[top_class(probs[0])[0]])
