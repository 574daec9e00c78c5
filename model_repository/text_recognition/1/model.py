"""Module `text_recognition`: polygons on a page to texts."""

from __future__ import annotations

import numpy as np

from paddlex_triton.errors import InvalidParameter
from paddlex_triton.ops.crop import TurnedCrops
from paddlex_triton.params import OCRParams, Params, SealRecognitionParams
from paddlex_triton.server.modules.module import Call, Module
from paddlex_triton.server.modules.text_lines import classify_lines, cut_lines, read_lines, words_json
from paddlex_triton.server.modules.text_types import TEXT_TYPES, TextType

_ANGLE_OFF = -1
_STEP, _ORIENTATION = "text_recognition", "textline_orientation"


class TritonPythonModel(Module):
    """Crop, turn, rectify, recognise, decode."""

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
        network = call.network(kind.role, _STEP)
        orientation = call.optional_network("use_textline_orientation", _ORIENTATION) if kind.has_orientation else None
        lines = cut_lines(call, kind)
        crops, angles = lines.crops, [_ANGLE_OFF] * len(lines.crops)
        if orientation:
            assert isinstance(params, OCRParams)
            angles = await classify_lines(call, orientation, crops, params.textline_orientation_batch_size)
            crops = TurnedCrops(crops, angles)
        read = await read_lines(call, network, crops, lines.members, params.text_recognition_batch_size)
        kept = [one.line.score >= params.rec_score_thresh for one in read]
        return_words = getattr(params, "return_word_box", False)
        words = [
            words_json(one, polygon) if return_words and keep else b""
            for one, polygon, keep in zip(read, lines.polygons, kept, strict=True)
        ]
        self.metrics.page(lines=len(read))
        return {
            "texts": np.array([one.line.text.encode() for one in read], dtype=object),
            "scores": np.array([one.line.score for one in read], np.float32),
            "kept": np.array(kept, np.bool_),
            "angles": np.array(angles, np.int32),
            "words": np.array(words, dtype=object),
            "settings": self.settings(
                {_STEP: network, _ORIENTATION: orientation},
                score_thresh=params.rec_score_thresh,
                return_word_box=return_words,
                use_textline_orientation=orientation is not None,
            ),
        }
