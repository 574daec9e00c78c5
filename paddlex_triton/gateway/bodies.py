"""Bodies of requests in the three generations of PaddleX's API, and the parameters they stand for."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class _Model(BaseModel):
    """Fields in camel case, as PaddleX has them; what is not known is ignored, as there."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class InferenceParams(_Model):
    """The parameters of older generations."""

    max_long_side: int | None = Field(None, gt=0, description="Longest side of the detector's input, pixels, at most.")


class Body(_Model):
    """What all bodies have.

    Attributes:
        SOURCE: name of the field with the file.
        LIMIT: what the parameters for the size of the detector's input begin with; empty where there is none.
    """

    SOURCE: ClassVar[str] = "file"
    LIMIT: ClassVar[str] = ""
    # Not parameters of the pipeline.
    OTHERS: ClassVar[frozenset[str]] = frozenset(
        {"file", "file_type", "image", "inference_params", "visualize", "log_id"}
    )

    log_id: str | None = Field(None, description="Comes back with the answer, and stands in the server's logs.")

    @property
    def source(self) -> str:
        """The file: base64, or a URL."""
        return getattr(self, self.SOURCE)

    @property
    def wants_pictures(self) -> bool | None:
        """Whether pictures are wanted; None for what the server does by default."""
        return getattr(self, "visualize", None)

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the pipeline that are given, by PaddleX's names."""
        given = self.model_dump(exclude_none=True, exclude=set(self.OTHERS))
        older = getattr(self, "inference_params", None)
        if older is not None and older.max_long_side is not None:
            given[f"{self.LIMIT}_limit_side_len"] = older.max_long_side
            given[f"{self.LIMIT}_limit_type"] = "max"
        return given

    @classmethod
    def fields_of_params(cls) -> dict[str, str]:
        """Return parameter -> name of its field."""
        return {name: to_camel(name) for name in cls.model_fields if name not in cls.OTHERS}


class FileBody(Body):
    """A file of one page or of several."""

    file: str = Field(description="The file in base64, or its URL where the server takes URLs.")
    file_type: Literal[0, 1] | None = Field(None, description="0: PDF, 1: image. A URL's ending may tell it.")


class OcrBody(FileBody):
    """Body of `/ocr`."""

    LIMIT = "text_det"

    use_doc_orientation_classify: bool | None = Field(None, description="Turn the page upright first.")
    use_doc_unwarping: bool | None = Field(None, description="Flatten a curled page first.")
    use_textline_orientation: bool | None = Field(None, description="Turn upside-down text lines.")
    text_det_limit_side_len: int | None = Field(None, description="Side limit of the detector's input, pixels.")
    text_det_limit_type: str | None = Field(None, description="min, max or resize_long: what the limit is for.")
    text_det_thresh: float | None = Field(None, description="A pixel above this probability is text.")
    text_det_box_thresh: float | None = Field(None, description="A box below this mean probability is dropped.")
    text_det_unclip_ratio: float | None = Field(None, description="How far boxes are grown.")
    text_rec_score_thresh: float | None = Field(None, description="Lines below this score are dropped.")
    return_word_box: bool | None = Field(None, description="Also give a box per word.")
    visualize: bool | None = Field(None, description="Whether pictures come with the answer.")
    text_det_max_side_limit: int | None = Field(None, description="Longest side of the detector's input, pixels.")
    inference_params: InferenceParams | None = Field(None, description="Of an older generation.")


class SealBody(FileBody):
    """Body of `/seal-recognition`."""

    LIMIT = "seal_det"

    use_doc_orientation_classify: bool | None = Field(None, description="Turn the page upright first.")
    use_doc_unwarping: bool | None = Field(None, description="Flatten a curled page first.")
    use_layout_detection: bool | None = Field(None, description="Find the seals first; else the page is one seal.")
    layout_threshold: float | dict[str, float] | None = Field(
        None, description="A region at or below this score is dropped; in an object, of the class with that id."
    )
    layout_nms: bool | None = Field(None, description="Of regions that overlap keep the best.")
    layout_unclip_ratio: float | tuple[float, float] | None = Field(
        None, description="How far regions are grown; a pair for width and height."
    )
    layout_merge_bboxes_mode: str | None = Field(None, description="large, small or union.")
    seal_det_limit_side_len: int | None = Field(None, description="Side limit of the detector's input, pixels.")
    seal_det_limit_type: str | None = Field(None, description="min, max or resize_long: what the limit is for.")
    seal_det_thresh: float | None = Field(None, description="A pixel above this probability is text.")
    seal_det_box_thresh: float | None = Field(None, description="A line below this mean probability is dropped.")
    seal_det_unclip_ratio: float | None = Field(None, description="How far outlines are grown.")
    seal_rec_score_thresh: float | None = Field(None, description="Lines below this score are dropped.")
    visualize: bool | None = Field(None, description="Whether pictures come with the answer.")
    inference_params: InferenceParams | None = Field(None, description="Of an older generation.")


class PreparationBody(FileBody):
    """Body of `/document-preprocessing`."""

    use_doc_orientation_classify: bool | None = Field(None, description="Turn the page upright.")
    use_doc_unwarping: bool | None = Field(None, description="Flatten a curled page.")
    visualize: bool | None = Field(None, description="Whether pictures of the steps come with the answer.")


class _ImageBody(Body):
    SOURCE = "image"

    image: str = Field(description="The image in base64, or its URL where the server takes URLs.")


class KeypointBody(_ImageBody):
    """Body of `/human-keypoint-detection`, the same in all generations."""

    det_threshold: float | None = Field(None, description="A person at or below this score is dropped.")
    visualize: bool | None = Field(None, description="Whether a picture comes with the answer.")


class BetaOcrBody(_ImageBody):
    """Body of `/ocr` in the beta."""

    LIMIT = "text_det"

    inference_params: InferenceParams | None = None


class BetaSealBody(_ImageBody):
    """Body of `/seal-recognition` in the beta."""

    LIMIT = "seal_det"

    inference_params: InferenceParams | None = None
