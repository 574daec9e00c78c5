"""PaddleX's pipelines on NVIDIA Triton Inference Server."""

from paddlex_triton.version import __version__

__all__ = ["__version__"]
