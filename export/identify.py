"""The name and the family of a network from a folder of weights.

The family is told, in this order, by

1. `PostProcess.name` of inference.yml: DBPostProcess is db_detection, CTCLabelDecode is ctc_recognition; a section
   `PostProcess.Topk` is image_classification; a `Preprocess` with TopDownEvalAffine is heatmap_keypoints;
2. `arch` of inference.yml: GFL, PicoDet and YOLO are dense_detection, DETR is detr_detection;
3. for other files with PaddleDetection's `Preprocess`: a section `NMS` is dense_detection; without one, a graph that
   ends in rows and their count is nms_detection, one that ends in boxes and scores is dense_detection;
4. `--family`, which must not contradict 1 and 2. One contradiction is a choice: a detector of any architecture whose
   graph ends in rows and their count can be taken as it is, `--family nms_detection`;
5. `Global.model_name` of inference.yml, if it is a network of the zoo: PaddleX's file for UVDoc says nothing else.
"""

from __future__ import annotations

import re

from paddlex_triton.export.errors import UsageError
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.families.detector import Detector, rows_and_count
from paddlex_triton.export.graph.contract import open_source
from paddlex_triton.export.sources.weights import Weights
from paddlex_triton.network import NETWORK_NAME, Family
from paddlex_triton.zoo import load_zoo


def name_for(weights: Weights, name: str | None) -> str:
    """Return the name of a network from a folder: the one given, else the one in inference.yml.

    Raises:
        UsageError: there is neither, or it cannot be a folder's name.
    """
    chosen = name or weights.settings.model_name
    if not chosen:
        raise UsageError(f"{weights.label}: inference.yml has no Global.model_name; give a name with --name")
    if not re.fullmatch(NETWORK_NAME, chosen):
        raise UsageError(
            f"{chosen!r} cannot be a network's name; allowed: letters, digits, '.', '_' and '-', at most 128, "
            "a letter or digit first"
        )
    return chosen


def family_for(weights: Weights, family: Family | None) -> Family:
    """Return the family of a network from a folder: see above.

    Raises:
        UsageError: nothing tells, or what tells contradicts the one given.
        GraphError: the ONNX file had to be asked, and is not one.
    """
    told = weights.settings.family
    is_detector = weights.settings.detection is not None
    if family is None:
        return told or _family_of_name_or_graph(weights)
    if told is not None and family != told and not (is_detector and family == "nms_detection"):
        raise UsageError(f"{weights.label}: inference.yml says {told}, --family says {family}")
    if is_detector and not isinstance(FAMILIES[family], Detector):
        raise UsageError(f"{weights.label}: inference.yml is one of a detector of objects, --family says {family}")
    return family


def _family_of_name_or_graph(weights: Weights) -> Family:
    settings = weights.settings
    if settings.detection is None:
        known = load_zoo().networks.get(settings.model_name or "")
        if known is not None:
            return known.family
        post = settings.postprocess.get("name")
        reason = f"does not tell it (PostProcess.name is {post!r})" if post else "has no PostProcess.name"
        raise UsageError(f"{weights.label}: inference.yml {reason}; give the family: --family {'|'.join(FAMILIES)}")
    if settings.detection.nms is not None or rows_and_count(open_source(weights.model)) is None:
        return "dense_detection"
    return "nms_detection"
