"""The pipelines as their common first stage tells them apart: each ensemble gives it the image under another name."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from paddlex_triton.errors import InvalidParameter
from paddlex_triton.params import KeypointParams, OCRParams, Params, SealRecognitionParams


@dataclass(frozen=True)
class PageKind:
    """Pages of one pipeline.

    Attributes:
        input: the input that carries the image.
        schema: the parameters of the pipeline.
        orientation: of the module's networks, the one that tells how a page is turned; None if none is to.
        unwarping: likewise the one that flattens pages.
    """

    input: str
    schema: type[Params]
    orientation: str | None = None
    unwarping: str | None = None


PAGE_KINDS = (
    PageKind("image", OCRParams, "doc_orientation_classify", "doc_unwarping"),
    PageKind("seal_image", SealRecognitionParams, "seal_doc_orientation_classify", "seal_doc_unwarping"),
    # PaddleX takes pictures of people as they are.
    PageKind("people_image", KeypointParams),
)


def page_kind_of(inputs: Container[str]) -> PageKind:
    """The kind of page that a request carries.

    Raises:
        InvalidParameter: it has no image, or several.
    """
    given = [kind for kind in PAGE_KINDS if kind.input in inputs]
    if len(given) != 1:
        names = ", ".join(kind.input for kind in PAGE_KINDS)
        raise InvalidParameter(f"exactly one of the inputs {names} is needed; {len(given)} were given")
    return given[0]
