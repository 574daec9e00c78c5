"""Result objects with PaddleX's keys, files and pictures."""

from paddlex_triton.client.results.base import BaseResult
from paddlex_triton.client.results.doc_preprocessor import DocPreprocessorResult
from paddlex_triton.client.results.ocr import OCRResult

# PaddleX's name of a pipeline to what it answers with.
RESULTS: dict[str, type[BaseResult]] = {"OCR": OCRResult}

__all__ = ["RESULTS", "BaseResult", "DocPreprocessorResult", "OCRResult"]
