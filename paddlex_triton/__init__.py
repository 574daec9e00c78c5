"""PaddleX's pipelines on NVIDIA Triton Inference Server.

    import paddlex_triton

    with paddlex_triton.create_pipeline("OCR", url="localhost:8001") as pipeline:
        for result in pipeline.predict("page.jpg"):
            result.print()

Everything but the version is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from paddlex_triton.version import __version__

if TYPE_CHECKING:
    from paddlex_triton.client import (
        NO_RETRIES,
        AsyncPipeline,
        BaseResult,
        DocPreprocessorResult,
        KeypointDetectionResult,
        LayoutDetectionResult,
        OCRResult,
        Pipeline,
        RetryPolicy,
        SealRecognitionResult,
        create_async_pipeline,
        create_pipeline,
        exceptions,
    )

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
    "__version__",
    "create_async_pipeline",
    "create_pipeline",
    "exceptions",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("paddlex_triton.client"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
