"""Module `text_recognition`: polygons on a page to texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from paddlex_triton.errors import InvalidParameter, Unsupported
from paddlex_triton.ops.ctc import decode
from paddlex_triton.ops.polygons import unpack_polygons
from paddlex_triton.ops.recognition import ImageShape, LineBatch, build_batch, merge_batches, plan_regions
from paddlex_triton.ops.regions import members_of_regions, region_views
from paddlex_triton.params import OCRParams, Params, SealRecognitionParams
from paddlex_triton.server.module import Call, Module, refusing_values
from paddlex_triton.server.text_types import TEXT_TYPES, TextType

_ANGLE_OFF = -1


def _inputs(crops: Sequence[np.ndarray], batch: LineBatch, image_shape: ImageShape) -> dict[str, np.ndarray]:
    x, widths = build_batch(crops, batch, image_shape)
    return {"x": x, "widths": widths}


class TritonPythonModel(Module):
    """Crop, rectify, recognise, decode."""

    stage = "text_recognition"
    schemas = tuple(kind.schema for kind in TEXT_TYPES.values())

    def schemas_for(self, call: Call) -> tuple[type[Params], ...]:
        """Those of the pipeline that the text type belongs to."""
        return (self._kind(call).schema,)

    def _kind(self, call: Call) -> TextType:
        text_type = call.text("text_type", "general")
        if text_type not in TEXT_TYPES:
            raise InvalidParameter(f"text_type is {text_type!r}; allowed: {', '.join(TEXT_TYPES)}")
        return TEXT_TYPES[text_type]

    async def answer(self, call: Call) -> dict[str, np.ndarray]:
        """`page`, `regions`, polygons to `texts`, `scores`, `kept`, `angles`, `words`, a row per polygon."""
        params, kind = call.params, self._kind(call)
        assert isinstance(params, OCRParams | SealRecognitionParams)
        for option in ("use_textline_orientation", "return_word_box"):
            if getattr(params, option, None):
                raise Unsupported(f"{option} is not available on this server; leave it out or set it to false")
        texts, scores = await self._recognise(call, kind)
        self.metrics.page(lines=len(texts))
        return {
            "texts": np.array([text.encode() for text in texts], dtype=object),
            "scores": np.array(scores, np.float32),
            "kept": np.array([score >= params.rec_score_thresh for score in scores], np.bool_),
            "angles": np.full(len(texts), _ANGLE_OFF, np.int32),
            "words": np.array([b""] * len(texts), dtype=object),
            "settings": self.settings(
                {"text_recognition": call.network(kind.role)},
                score_thresh=params.rec_score_thresh,
                return_word_box=False,
                use_textline_orientation=False,
            ),
        }

    async def _recognise(self, call: Call, kind: TextType) -> tuple[list[str], list[float]]:
        info = call.network(kind.role).info
        image_shape = tuple(info.geometry["image_shape"])
        with refusing_values():
            views = region_views(call.page("page"), call.array("regions"))
            polygons = unpack_polygons(call.array("points"), call.array("offsets"))
            region_ids = call.array("region_ids")
            members = members_of_regions(region_ids, len(views), len(polygons))
            crops = kind.crops([views[region] for region in region_ids], polygons)
        planned = plan_regions(members, crops.sizes, image_shape=image_shape, batch_size=kind.batch_size)
        batches = merge_batches(planned, info.max_batch_size)
        inputs = [partial(_inputs, crops, batch, image_shape) for batch in batches]
        texts, scores = [""] * len(crops), [0.0] * len(crops)
        for batch, outputs in zip(batches, await call.infer_all(kind.role, inputs), strict=True):
            decoded = zip(*decode(outputs["indices"], outputs["probs"], info.characters or []), strict=True)
            for index, (text, score) in zip(batch.indices, decoded, strict=True):
                texts[index], scores[index] = text, score
        return texts, scores
