"""Result objects with PaddleX's keys, files and pictures."""

from paddlex_triton.client.results.base import BaseResult
from paddlex_triton.client.results.doc_preprocessor import DocPreprocessorResult
from paddlex_triton.client.results.keypoint_detection import KeypointDetectionResult
from paddlex_triton.client.results.layout_detection import LayoutDetectionResult
from paddlex_triton.client.results.ocr import OCRResult
from paddlex_triton.client.results.seal_recognition import SealRecognitionResult

# PaddleX's name of a pipeline to what it answers with.
RESULTS: dict[str, type[BaseResult]] = {
    "OCR": OCRResult,
    "human_keypoint_detection": KeypointDetectionResult,
    "seal_recognition": SealRecognitionResult,
    "doc_preprocessor": DocPreprocessorResult,
}

__all__ = [
    "RESULTS",
    "BaseResult",
    "DocPreprocessorResult",
    "KeypointDetectionResult",
    "LayoutDetectionResult",
    "OCRResult",
    "SealRecognitionResult",
]
