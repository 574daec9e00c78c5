"""Module `text_recognition`: polygons on a page to texts."""

from __future__ import annotations

import numpy as np

from paddlex_triton.ops.crop import TurnedCrops
from paddlex_triton.params import TextRecognitionParams
from paddlex_triton.server.modules.call import Call, refusing_values
from paddlex_triton.server.modules.module import Module, settings_output
from paddlex_triton.server.modules.network_caller import used_networks
from paddlex_triton.server.modules.text_lines import classify_lines, cut_lines, read_lines, words_json
from paddlex_triton.settings import TextRecognitionSettings

_ANGLE_OFF = -1
_STEP, _ORIENTATION = "text_recognition", "textline_orientation"


class TritonPythonModel(Module[TextRecognitionParams]):
    """Crop, turn, rectify, recognise, decode."""

    stage = "text_recognition"
    params_type = TextRecognitionParams

    async def answer(self, call: Call[TextRecognitionParams]) -> dict[str, np.ndarray]:
        """`page`, `regions`, polygons to `texts`, `scores`, `kept`, `angles`, `words`, a row per polygon."""
        params = call.params
        network = call.network(_STEP)
        orientation = call.optional_network(_ORIENTATION)
        lines = cut_lines(call)
        crops, angles = lines.crops, [_ANGLE_OFF] * len(lines.crops)
        if orientation:
            angles = await classify_lines(call, orientation, crops, params.lines_turned_together)
            crops = TurnedCrops(crops, angles)
        read = await read_lines(call, network, crops, lines.members)
        kept = [one.line.score >= params.rec_score_thresh for one in read]
        with refusing_values():
            words = [
                words_json(one, polygon) if params.wants_words and keep else b""
                for one, polygon, keep in zip(read, lines.polygons, kept, strict=True)
            ]
        self.metrics.page(lines=len(read))
        return {
            "texts": np.array([one.line.text.encode() for one in read], dtype=object),
            "scores": np.array([one.line.score for one in read], np.float32),
            "kept": np.array(kept, np.bool_),
            "angles": np.array(angles, np.int32),
            "words": np.array(words, dtype=object),
            "settings": settings_output(
                TextRecognitionSettings(
                    networks=used_networks({_STEP: network, _ORIENTATION: orientation}),
                    score_thresh=params.rec_score_thresh,
                    return_word_box=params.wants_words,
                    use_textline_orientation=orientation is not None,
                    padding=params.text_recognition_padding,
                )
            ),
        }
