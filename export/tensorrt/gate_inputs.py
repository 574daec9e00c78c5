"""Inputs for the comparison of FP16 with FP32: the export's own pictures, less the noise, and given ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from paddlex_triton.export.families import FAMILIES
from paddlex_triton.export.families.base import Case
from paddlex_triton.export.inference_file.classifier_section import ClassificationSettings
from paddlex_triton.export.inference_file.detector_section import DetectionSettings
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.export.inference_file.keypoint_section import KeypointSettings
from paddlex_triton.network import NetworkInfo
from paddlex_triton.proof_pictures import seal_page

# What a network makes of noise says nothing about pages, and tips over at the least change.
_MEANINGLESS = ("noise",)


def gate_cases(info: NetworkInfo, max_batch_size: int, images: Sequence[np.ndarray] = ()) -> Iterator[Case]:
    """Yield inputs of at most so many rows, full batches among them: errors of single places in one were seen.

    Args:
        info: the network's network.json.
        max_batch_size: of the plan.
        images: given pictures, uint8 [H,W,3], BGR.
    """
    for case in _cases(info, images):
        if case.name in _MEANINGLESS:
            continue
        for start in range(0, case.batch, max_batch_size):
            rows = slice(start, start + max_batch_size)
            yield Case(case.name, {name: values[rows] for name, values in case.feeds.items()})


def _cases(info: NetworkInfo, images: Sequence[np.ndarray]) -> Iterator[Case]:
    yield from FAMILIES[info.family].cases(_settings_of(info), images)
    if info.family == "db_detection":
        # In neither of the plan's profiles alone: a picture of seals, and a page as it is scanned.
        yield Case("seals", {"x": seal_page(4, 736, 736)[None]})
        yield Case("seals", {"x": seal_page(5, 1760, 1248)[None]})


def _settings_of(info: NetworkInfo) -> InferenceSettings:
    """Return what the families' own inputs depend on, from network.json."""
    geometry, labels = info.geometry, tuple(info.labels or ("",))
    if info.family == "ctc_recognition":
        return InferenceSettings(image_shape=tuple(geometry["image_shape"]))
    if info.family in ("dense_detection", "detr_detection"):
        return InferenceSettings(detection=DetectionSettings(target_size=tuple(geometry["target_size"]), labels=labels))
    if info.family == "db_detection":
        return InferenceSettings()
    height, width = geometry["target_size"]
    if info.family == "heatmap_keypoints":
        return InferenceSettings(keypoint=KeypointSettings(trainsize=(width, height)))
    return InferenceSettings(classification=ClassificationSettings(size=(width, height), labels=labels))
