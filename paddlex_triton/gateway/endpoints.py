"""The paths of the API: each is a pipeline, with the bodies it takes and the answers it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from paddlex_triton.gateway import answers, schemas
from paddlex_triton.gateway.bodies import (
    BetaOcrBody,
    BetaSealBody,
    Body,
    KeypointBody,
    OcrBody,
    PreparationBody,
    SealBody,
)


@dataclass(frozen=True)
class Form:
    """One generation of a path: the body, and the answer to it.

    Attributes:
        body: what it is read as.
        answer: gives the form of the answer to a body.
        result: what the answer's `result` looks like.
    """

    body: type[Body]
    answer: Callable[[Mapping[str, Any]], answers.Answer[Any]]
    result: type[BaseModel]


@dataclass(frozen=True)
class Endpoint:
    """A path.

    Attributes:
        pipeline: PaddleX's name of the pipeline.
        path: of the URL.
        summary: a line for the documentation.
        current: its current generation.
        beta: that of bodies with `image` instead of `file`, None where they are no other.
    """

    pipeline: str
    path: str
    summary: str
    current: Form
    beta: Form | None = None

    @property
    def forms(self) -> tuple[Form, ...]:
        """All generations."""
        return (self.current,) if self.beta is None else (self.current, self.beta)

    def form_of(self, given: Mapping[str, Any]) -> Form:
        """Return the generation that a body is of."""
        is_beta = self.beta is not None and "image" in given and "file" not in given
        return self.beta if is_beta and self.beta is not None else self.current


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "OCR",
        "/ocr",
        "Read the lines of text on an image or a document.",
        Form(OcrBody, answers.ocr_answer, schemas.OcrResults),
        Form(BetaOcrBody, lambda given: answers.BetaOcrAnswer(), schemas.BetaOcrResults),
    ),
    Endpoint(
        "seal_recognition",
        "/seal-recognition",
        "Find seals on an image or a document, and read them.",
        Form(SealBody, lambda given: answers.SealAnswer(), schemas.SealResults),
        Form(BetaSealBody, lambda given: answers.BetaSealAnswer(), schemas.BetaSealResults),
    ),
    Endpoint(
        "human_keypoint_detection",
        "/human-keypoint-detection",
        "Find people on an image, and their joints.",
        Form(KeypointBody, lambda given: answers.KeypointAnswer(), schemas.KeypointResults),
    ),
    Endpoint(
        "doc_preprocessor",
        "/document-preprocessing",
        "Turn the pages of an image or a document upright, and flatten them.",
        Form(PreparationBody, lambda given: answers.PreparationAnswer(), schemas.PreparationResults),
    ),
)
