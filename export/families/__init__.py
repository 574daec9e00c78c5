"""The network families. A family bundles its graph edits, its verification and its configuration.

Those in the list below have a module each; the other modules are what several of them share.
"""

from __future__ import annotations

from paddlex_triton.export.families.base import NetworkFamily
from paddlex_triton.export.families.ctc_recognition import CTCRecognition
from paddlex_triton.export.families.db_detection import DBDetection
from paddlex_triton.export.families.dense_detection import DenseDetection
from paddlex_triton.export.families.detr_detection import DETRDetection
from paddlex_triton.export.families.heatmap_keypoints import HeatmapKeypoints
from paddlex_triton.export.families.image_classification import ImageClassification
from paddlex_triton.export.families.image_unwarping import ImageUnwarping
from paddlex_triton.export.families.nms_detection import NMSDetection
from paddlex_triton.network import Family

_ALL = (
    DBDetection(),
    CTCRecognition(),
    DenseDetection(),
    DETRDetection(),
    NMSDetection(),
    HeatmapKeypoints(),
    ImageClassification(),
    ImageUnwarping(),
)
FAMILIES: dict[Family, NetworkFamily] = {family.name: family for family in _ALL}
