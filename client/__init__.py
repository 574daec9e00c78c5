"""The client: `create_pipeline(...).predict(...)` against a Triton server, gRPC or HTTP, blocking or asyncio.

Names are imported when they are first used, so that the command line starts quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if __name__ != "paddlex_triton.client":
    raise ImportError("this folder is the package paddlex_triton.client: import that")

if TYPE_CHECKING:
    from paddlex_triton.client import exceptions
    from paddlex_triton.client.async_pipeline import AsyncPipeline, create_async_pipeline
    from paddlex_triton.client.pipeline import Pipeline, create_pipeline
    from paddlex_triton.client.results import (
        BaseResult,
        DocPreprocessorResult,
        KeypointDetectionResult,
        LayoutDetectionResult,
        OCRResult,
        SealRecognitionResult,
    )
    from paddlex_triton.client.retry import NO_RETRIES, RetryPolicy

__all__ = [
    "NO_RETRIES",
    "AsyncPipeline",
    "BaseResult",
    "DocPreprocessorResult",
    "KeypointDetectionResult",
    "LayoutDetectionResult",
    "OCRResult",
    "Pipeline",
    "RetryPolicy",
    "SealRecognitionResult",
    "create_async_pipeline",
    "create_pipeline",
    "exceptions",
]

_MODULES = {
    "AsyncPipeline": "async_pipeline",
    "create_async_pipeline": "async_pipeline",
    "Pipeline": "pipeline",
    "create_pipeline": "pipeline",
    "BaseResult": "results",
    "DocPreprocessorResult": "results",
    "KeypointDetectionResult": "results",
    "LayoutDetectionResult": "results",
    "OCRResult": "results",
    "SealRecognitionResult": "results",
    "NO_RETRIES": "retry",
    "RetryPolicy": "retry",
}


def __getattr__(name: str) -> Any:
    if name == "exceptions":
        return importlib.import_module("paddlex_triton.client.exceptions")
    if name in _MODULES:
        return getattr(importlib.import_module(f"paddlex_triton.client.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
