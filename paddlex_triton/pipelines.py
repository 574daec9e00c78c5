"""What each pipeline is made of."""

from __future__ import annotations

from dataclasses import dataclass

from paddlex_triton.params import OCRParams, Params


@dataclass(frozen=True)
class PipelineSpec:
    """One pipeline: PaddleX's name, its ensemble, the modules the ensemble chains and its parameters."""

    name: str
    ensemble: str
    modules: tuple[str, ...]
    params: type[Params]


PIPELINES: dict[str, PipelineSpec] = {
    spec.name: spec
    for spec in (PipelineSpec("OCR", "ocr", ("doc_preprocessor", "text_detection", "text_recognition"), OCRParams),)
}


def find_pipeline(name: str) -> PipelineSpec:
    """Look a pipeline up by PaddleX's name or by its ensemble's, whatever the case.

    Raises:
        KeyError: with a message that lists the known names.
    """
    for spec in PIPELINES.values():
        if name.lower() in (spec.name.lower(), spec.ensemble):
            return spec
    raise KeyError(f"unknown pipeline {name!r}; known: {', '.join(PIPELINES)}")
