"""Answers: from results of the client to what PaddleX's server says of them, in its three generations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from paddlex_triton.client.results import (
    BaseResult,
    DocPreprocessorResult,
    KeypointDetectionResult,
    OCRResult,
    SealRecognitionResult,
)
from paddlex_triton.client.results.base import to_plain
from paddlex_triton.gateway.bodies import Body
from paddlex_triton.gateway.pictures import encode, encode_skeletons

R = TypeVar("R", bound=BaseResult)

# What is not in `prunedResult`.
_PRUNED = frozenset({"input_path", "page_index"})
# A body of `/ocr` with nothing but these may be of the generation between beta and current one.
_ALSO_OLDER = frozenset({"file", "fileType", "inferenceParams"})


@dataclass(frozen=True)
class Drawing:
    """Whether and how pictures are drawn.

    Attributes:
        wanted: whether at all.
        largest: bound of their size, see `pictures.scale_down`.
    """

    wanted: bool
    largest: tuple[int, int] | None


class Answer(ABC, Generic[R]):
    """The form of an answer."""

    # The result's key with the list of pages; empty where there is one page and no list.
    PAGES: ClassVar[str] = ""

    @abstractmethod
    def page(self, result: R, drawing: Drawing) -> dict[str, Any]:
        """Return what is said about a page; None for what is left out."""

    def whole(self, pages: Sequence[Mapping[str, Any]], data_info: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer's `result`."""
        if not self.PAGES:
            return dict(pages[0])
        return {self.PAGES: list(pages), "dataInfo": data_info}


class OcrAnswer(Answer[OCRResult]):
    """The current one of `/ocr`."""

    PAGES = "ocrResults"

    def page(self, result: OCRResult, drawing: Drawing) -> dict[str, Any]:
        """See `Answer.page`."""
        pictures = result.img if drawing.wanted else {}
        prepared = pictures.get("preprocessed_img")
        return {
            "prunedResult": pruned(result),
            "ocrImage": encode(pictures["ocr_res_img"], drawing.largest) if pictures else None,
            "docPreprocessingImage": encode(prepared, drawing.largest) if prepared is not None else None,
            "inputImage": _input_image(result, drawing),
        }


class OcrAnswerOfBoth(OcrAnswer):
    """That one, with the fields that clients of the generation before it read."""

    def page(self, result: OCRResult, drawing: Drawing) -> dict[str, Any]:
        """See `Answer.page`."""
        current = super().page(result, drawing)
        return {**current, "texts": texts_of(result), "image": current["ocrImage"]}


class BetaOcrAnswer(Answer[OCRResult]):
    """The beta's of `/ocr`."""

    def page(self, result: OCRResult, drawing: Drawing) -> dict[str, Any]:
        """See `Answer.page`."""
        picture = encode(result.img["ocr_res_img"], drawing.largest) if drawing.wanted else None
        return {"texts": texts_of(result), "image": picture}


class SealAnswer(Answer[SealRecognitionResult]):
    """The current one of `/seal-recognition`."""

    PAGES = "sealRecResults"

    def page(self, result: SealRecognitionResult, drawing: Drawing) -> dict[str, Any]:
        """See `Answer.page`."""
        pictures = result.img if drawing.wanted else {}
        return {
            "prunedResult": pruned(result),
            "outputImages": {name: encode(picture, drawing.largest) for name, picture in pictures.items()}
            if drawing.wanted
            else None,
            "inputImage": _input_image(result, drawing),
        }


class BetaSealAnswer(Answer[SealRecognitionResult]):
    """The beta's of `/seal-recognition`."""

    def page(self, result: SealRecognitionResult, drawing: Drawing) -> dict[str, Any]:
        """See `Answer.page`."""
        layout = result["layout_det_res"]
        picture = encode(layout.img["res"], drawing.largest) if layout and drawing.wanted else None
        impressions = [{"texts": texts_of(seal)} for seal in result["seal_res_list"]]
        return {"sealImpressions": impressions, "layoutImage": picture}


class KeypointAnswer(Answer[KeypointDetectionResult]):
    """That of `/human-keypoint-detection`."""

    def page(self, result: KeypointDetectionResult, drawing: Drawing) -> dict[str, Any]:
        """See `Answer.page`."""
        persons = [
            {
                "bbox": [float(number) for number in person["coordinate"]],
                "kpts": to_plain(person["keypoints"]),
                "detScore": float(person["det_score"]),
                "kptScore": float(person["kpt_score"]),
            }
            for person in result["boxes"]
        ]
        return {"persons": persons, "image": encode_skeletons(result.img["res"]) if drawing.wanted else None}


class PreparationAnswer(Answer[DocPreprocessorResult]):
    """That of `/document-preprocessing`."""

    PAGES = "docPreprocessingResults"

    def page(self, result: DocPreprocessorResult, drawing: Drawing) -> dict[str, Any]:
        """See `Answer.page`."""
        pictures = result.img if drawing.wanted else {}
        return {
            "outputImage": encode(result["output_img"], drawing.largest, ".png"),
            "prunedResult": pruned(result),
            "docPreprocessingImage": encode(pictures["preprocessed_img"], drawing.largest) if pictures else None,
            "inputImage": _input_image(result, drawing),
        }


def ocr_answer(given: Mapping[str, Any]) -> OcrAnswer:
    """Return the form of the answer to a body of `/ocr` with `file`: two generations may send the same."""
    return OcrAnswerOfBoth() if given.keys() <= _ALSO_OLDER else OcrAnswer()


def texts_of(result: OCRResult) -> list[dict[str, Any]]:
    """Return the lines as older generations have them."""
    rows = zip(to_plain(result["rec_polys"]), result["rec_texts"], to_plain(result["rec_scores"]), strict=True)
    return [{"poly": polygon, "text": text, "score": score} for polygon, text, score in rows]


def pruned(result: BaseResult) -> dict[str, Any]:
    """Return the result's JSON without what a server's callers know themselves."""
    return _without(result.json["res"])


def drop_missing(value: Any) -> Any:
    """Leave out keys whose value is None, all the way down."""
    if isinstance(value, Mapping):
        return {key: drop_missing(item) for key, item in value.items() if item is not None}
    return [drop_missing(item) for item in value] if isinstance(value, list) else value


def drawing_of(body: Body, by_default: bool, largest: tuple[int, int] | None) -> Drawing:
    """Return how a request's pictures are drawn."""
    wanted = body.wants_pictures
    return Drawing(by_default if wanted is None else wanted, largest)


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without(item) for key, item in value.items() if key not in _PRUNED}
    return [_without(item) for item in value] if isinstance(value, list) else value


def _input_image(result: BaseResult, drawing: Drawing) -> str | None:
    return encode(result.page.image(), drawing.largest) if drawing.wanted else None
