"""Module `text_recognition`: polygons on a page to texts."""

from dataclasses import replace
from functools import partial

import numpy as np

from paddlex_triton.errors import InvalidParameter, Unsupported
from paddlex_triton.ops.crop import QuadCrops
from paddlex_triton.ops.ctc import decode
from paddlex_triton.ops.polygons import unpack_polygons
from paddlex_triton.ops.recognition import LineBatch, build_batch, merge_batches, plan_batches
from paddlex_triton.ops.regions import members_of_regions, region_views
from paddlex_triton.params import OCRParams
from paddlex_triton.server.module import Call, Module

# Lines per call in PaddleX's pipeline files; it decides how far a line is padded, and so its score.
_BATCH_SIZE = {"general": 6}
_ANGLE_OFF = -1


class TritonPythonModel(Module):
    """Crop, rectify, recognise, decode."""

    stage = "text_recognition"
    schemas = (OCRParams,)

    def setup(self) -> None:
        """Read the recogniser's geometry and characters."""
        info = self.networks["text_recognition"].info
        self.image_shape = tuple(info.geometry["image_shape"])
        self.characters = info.characters or []
        self.max_rows = info.max_batch_size

    async def answer(self, call: Call) -> dict[str, np.ndarray]:
        """`page`, `regions`, polygons to `texts`, `scores`, `kept`, `angles`, `words`, a row per polygon."""
        params = call.params
        assert isinstance(params, OCRParams)
        for option in ("use_textline_orientation", "return_word_box"):
            if getattr(params, option):
                raise Unsupported(f"{option} is not available on this server; leave it out or set it to false")
        crops, batches = self._lines(call)
        texts, scores = await self._recognise(call, crops, batches)
        count = len(texts)
        self.metrics.page(lines=count)
        return {
            "texts": np.array([text.encode() for text in texts], dtype=object),
            "scores": np.array(scores, np.float32),
            "kept": np.array([score >= params.text_rec_score_thresh for score in scores], np.bool_),
            "angles": np.full(count, _ANGLE_OFF, np.int32),
            "words": np.array([b""] * count, dtype=object),
            "settings": self.settings(
                call,
                score_thresh=params.text_rec_score_thresh,
                return_word_box=params.return_word_box,
                use_textline_orientation=False,
            ),
        }

    def _lines(self, call: Call) -> tuple[QuadCrops, list[LineBatch]]:
        """The crops of all polygons, and how PaddleX would batch them: each region for itself."""
        page = call.page("page")
        text_type = call.text("text_type", "general")
        if text_type not in _BATCH_SIZE:
            raise InvalidParameter(f"text_type is {text_type!r}; allowed: {', '.join(_BATCH_SIZE)}")
        try:
            views = region_views(page, call.array("regions"))
            polygons = unpack_polygons(call.array("points"), call.array("offsets"))
            region_ids = call.array("region_ids")
            members = members_of_regions(region_ids, len(views), len(polygons))
            crops = QuadCrops([views[region] for region in region_ids], polygons)
        except ValueError as error:
            raise InvalidParameter(str(error)) from None
        batches = []
        for ids in members:
            sizes = [crops.sizes[index] for index in ids]
            planned = plan_batches(sizes, image_shape=self.image_shape, batch_size=_BATCH_SIZE[text_type])
            batches += [replace(batch, indices=tuple(ids[index] for index in batch.indices)) for batch in planned]
        return crops, merge_batches(batches, self.max_rows)

    async def _recognise(self, call: Call, crops: QuadCrops, batches: list[LineBatch]) -> tuple[list[str], list[float]]:
        def inputs(batch: LineBatch) -> dict[str, np.ndarray]:
            x, widths = build_batch(crops, batch, self.image_shape)
            return {"x": x, "widths": widths}

        results = await call.infer_all("text_recognition", [partial(inputs, batch) for batch in batches])
        texts, scores = [""] * len(crops), [0.0] * len(crops)
        for batch, outputs in zip(batches, results, strict=True):
            decoded = zip(*decode(outputs["indices"], outputs["probs"], self.characters), strict=True)
            for index, (text, score) in zip(batch.indices, decoded, strict=True):
                texts[index], scores[index] = text, score
        return texts, scores
