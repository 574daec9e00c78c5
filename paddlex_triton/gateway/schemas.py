"""What answers look like, for the documentation of the API."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

_PICTURE = "JPEG in base64."


class _Schema(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="allow")


class Refusal(_Schema):
    """The answer to a request that is refused, and of `/health`."""

    log_id: str
    error_code: int
    error_msg: str


class Size(_Schema):
    """Of a page, pixels."""

    width: int
    height: int


class ImageInfo(Size):
    """`dataInfo` of an image."""

    type: Literal["image"]


class DocumentInfo(_Schema):
    """`dataInfo` of a document."""

    num_pages: int
    pages: list[Size]
    type: Literal["pdf", "tiff"]


class Text(_Schema):
    """A line of text as older generations have it: x, y of its corners in pixels."""

    poly: list[list[float]]
    text: str
    score: float


class OcrPage(_Schema):
    """A page of `ocrResults`."""

    pruned_result: dict[str, Any] = Field(description="PaddleX's result without input_path and page_index.")
    ocr_image: str | None = Field(None, description=_PICTURE)
    doc_preprocessing_image: str | None = Field(None, description=_PICTURE)
    input_image: str | None = Field(None, description=_PICTURE)
    texts: list[Text] | None = Field(None, description="For an older generation whose requests look alike.")
    image: str | None = Field(None, description="The same as ocrImage, for that generation.")


class OcrResults(_Schema):
    """The result of `/ocr`."""

    ocr_results: list[OcrPage]
    data_info: ImageInfo | DocumentInfo


class BetaOcrResults(_Schema):
    """The result of `/ocr` in the beta."""

    texts: list[Text]
    image: str | None = Field(None, description=_PICTURE)


class SealPage(_Schema):
    """A page of `sealRecResults`."""

    pruned_result: dict[str, Any] = Field(description="PaddleX's result without input_path and page_index.")
    output_images: dict[str, str] | None = Field(None, description="Pictures by PaddleX's names for them, as JPEG.")
    input_image: str | None = Field(None, description=_PICTURE)


class SealResults(_Schema):
    """The result of `/seal-recognition`."""

    seal_rec_results: list[SealPage]
    data_info: ImageInfo | DocumentInfo


class Impression(_Schema):
    """A seal, in the beta; polygons are in pixels of its region."""

    texts: list[Text]


class BetaSealResults(_Schema):
    """The result of `/seal-recognition` in the beta."""

    seal_impressions: list[Impression]
    layout_image: str | None = Field(None, description=_PICTURE)


class Person(_Schema):
    """A person: a box x1, y1, x2, y2, and x, y, score of 17 joints in COCO's order; pixels of the image."""

    bbox: list[float]
    kpts: list[list[float]]
    det_score: float
    kpt_score: float


class KeypointResults(_Schema):
    """The result of `/human-keypoint-detection`."""

    persons: list[Person]
    image: str | None = Field(None, description=_PICTURE)


class PreparedPage(_Schema):
    """A page of `docPreprocessingResults`."""

    output_image: str = Field(description="The prepared page, PNG in base64.")
    pruned_result: dict[str, Any]
    doc_preprocessing_image: str | None = Field(None, description=_PICTURE)
    input_image: str | None = Field(None, description=_PICTURE)


class PreparationResults(_Schema):
    """The result of `/document-preprocessing`."""

    doc_preprocessing_results: list[PreparedPage]
    data_info: ImageInfo | DocumentInfo


def answer_with(*results: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of an answer whose `result` is one of those."""
    refs = [{"$ref": f"#/components/schemas/{result.__name__}"} for result in results]
    return {
        "type": "object",
        "required": ["logId", "result", "errorCode", "errorMsg"],
        "properties": {
            "logId": {"type": "string"},
            "result": refs[0] if len(refs) == 1 else {"anyOf": refs},
            "errorCode": {"const": 0},
            "errorMsg": {"const": "Success"},
        },
    }
