"""PaddleX's own pipeline files: which networks a pipeline runs on, and the defaults of its parameters."""

from __future__ import annotations

from paddlex_triton.pipeline_file.model import (
    NetworkReference,
    PipelineFile,
    PipelineFileError,
    Serving,
    is_pipeline_file,
)
from paddlex_triton.pipeline_file.reading import read_pipeline_config, read_pipeline_file

__all__ = [
    "NetworkReference",
    "PipelineFile",
    "PipelineFileError",
    "Serving",
    "is_pipeline_file",
    "read_pipeline_config",
    "read_pipeline_file",
]
