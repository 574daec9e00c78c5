"""Makes prepared_results.npz beside it: what PaddleX 3.7.2 gives out about pages that were turned and flattened.

Run it by hand where PaddleX is installed; the tests read the file alone. PaddleX's pipelines run as they are; the
networks' answers are given, and made up. Texts are drawn in the font that comes with Pillow.
"""

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
from PIL import features
from pillow_font import pillow_font

PIPELINES = "paddlex.inference.pipelines"
# Width and height of the page as it is sent.
SIZE = (150, 110)
# Lines on a page of any size from 110 x 110: level, upright, leaning, too small for words to have an area.
QUADS = [
    [[5, 4], [95, 4], [95, 24], [5, 24]],
    [[80, 30], [100, 30], [100, 105], [80, 105]],
    [[8, 40], [70, 30], [72, 44], [10, 54]],
    [[3, 100], [9, 100], [9, 101], [3, 101]],
]
TEXTS = ["No. 12-B 3.5", "ab公司c", "", "x y"]
BENT = [
    [[2, 20], [10, 5], [30, 2], [40, 12], [30, 14], [12, 22]],
    [[5, 30], [25, 28], [44, 30], [44, 40], [5, 40]],
]


@dataclass(frozen=True)
class Case:
    """The switches, and what the classifier of pages answers."""

    angle: int | None = None
    flattened: bool = False
    lines: int = len(QUADS)
    words: bool = False
    orientations: tuple[int, ...] | None = None
    layout: bool = True

    @property
    def switches(self) -> dict[str, bool]:
        """PaddleX's parameters for page preparation."""
        return {"use_doc_orientation_classify": self.angle is not None, "use_doc_unwarping": self.flattened}


PAGES = {
    "as it is": Case(),
    "words": Case(words=True),
    "turned by 0": Case(angle=0),
    "turned by 90": Case(angle=90, words=True, orientations=(0, 1, 0, 1)),
    "turned by 180": Case(angle=180, lines=0, words=True),
    "flattened": Case(flattened=True, orientations=(1, 1, 0, 0)),
    "turned by 270 and flattened": Case(angle=270, flattened=True, words=True),
}
SEALS = {
    "seals turned by 180": Case(angle=180),
    "seals flattened": Case(flattened=True, layout=False),
    "seals turned by 90 and flattened": Case(angle=90, flattened=True),
    "no seals": Case(angle=0, lines=0),
}


def gradient_page(width: int, height: int) -> np.ndarray:
    """UINT8 [H,W,3] with all values in each channel."""
    y, x, channel = np.mgrid[:height, :width, :3]
    return (3 * x + 5 * y + 85 * channel).astype(np.uint8)


def flatten(page: np.ndarray) -> np.ndarray:
    """A page of the same size."""
    return np.ascontiguousarray(np.roll(page, (7, 11), axis=(0, 1)))


def without_networks(module: str, name: str, **attributes: Any) -> Any:
    """A pipeline of PaddleX's that loaded nothing."""
    pipeline = object.__new__(getattr(importlib.import_module(f"{PIPELINES}.{module}.pipeline"), name))
    sampler = importlib.import_module("paddlex.inference.common.batch_sampler")
    reader = importlib.import_module("paddlex.inference.common.reader")
    defaults = {"batch_sampler": sampler.ImageBatchSampler(batch_size=1), "img_reader": reader.ReadImage(format="BGR")}
    for attribute, value in {**defaults, **attributes}.items():
        setattr(pipeline, attribute, value)
    return pipeline


def doc_preprocessor(case: Case) -> Callable[..., Any]:
    """PaddleX's page preparation."""
    pipeline = without_networks(
        "doc_preprocessor",
        "_DocPreprocessorPipeline",
        use_doc_orientation_classify=True,
        use_doc_unwarping=True,
        doc_ori_classify_model=lambda pages: [{"label_names": [str(case.angle)]} for _ in pages],
        # PaddleX's module answers in RGB.
        doc_unwarping_model=lambda pages: [{"doctr_img": flatten(page)[:, :, ::-1]} for page in pages],
    )
    return pipeline.predict


def read_lines(crops: list[np.ndarray], return_word_box: bool) -> list[dict[str, Any]]:
    """The texts of a line of each width, with the columns of their characters."""
    fonts = importlib.import_module("paddlex.utils.fonts")
    processors = importlib.import_module("paddlex.inference.models.text_recognition.processors")
    answers = []
    for crop in crops:
        number = crop.shape[1] // 10 - 1
        text: Any = TEXTS[number]
        if return_word_box:
            columns = np.zeros(40, bool)
            columns[3 : 3 + 3 * len(text) : 3] = True
            words = processors.BaseRecLabelDecode.get_word_info(None, text, columns)
            text = (text, [40, *words])
        answers.append({"rec_text": text, "rec_score": 0.25 + 0.125 * number, "vis_font": fonts.SIMFANG_FONT})
    return answers


def ocr(case: Case, text_type: str, polygons: Callable[[np.ndarray], list[np.ndarray]]) -> Any:
    """PaddleX's OCR pipeline, of pages or of seals."""
    return without_networks(
        "ocr",
        "_OCRPipeline",
        text_type=text_type,
        use_doc_preprocessor=text_type == "general",
        use_textline_orientation=True,
        doc_preprocessor_pipeline=doc_preprocessor(case),
        text_det_limit_side_len=736,
        text_det_limit_type="min",
        text_det_max_side_limit=4000,
        text_det_thresh=0.3,
        text_det_box_thresh=0.6,
        text_det_unclip_ratio=1.5,
        text_rec_score_thresh=0.0,
        return_word_box=False,
        text_det_model=lambda pages, **_: [{"dt_polys": polygons(page)} for page in pages],
        _sort_boxes=lambda found: found,
        _crop_by_polys=lambda _, found: [np.zeros((10, 10 * (k + 1), 3), np.uint8) for k in range(len(found))],
        textline_orientation_model=lambda crops: [
            {"class_ids": np.array([orientation])}
            for _, orientation in zip(crops, case.orientations or (), strict=True)
        ],
        text_rec_model=read_lines,
    )


def page_result(case: Case, page: np.ndarray) -> Any:
    """Return PaddleX's result of a page of text."""
    quads = [np.array(quad, np.int16) for quad in QUADS[: case.lines]]
    (result,) = ocr(case, "general", lambda _: quads).predict(
        page,
        **case.switches,
        use_textline_orientation=case.orientations is not None,
        return_word_box=case.words,
    )
    return result


def seal_result(case: Case, page: np.ndarray) -> Any:
    """Return PaddleX's result of a page with seals."""
    detection = importlib.import_module("paddlex.inference.models.object_detection.result")

    def boxes(image: np.ndarray) -> list[dict[str, Any]]:
        found = [("text", 2, [0, 3.25, 40.5, image.shape[0]]), ("seal", 16, [20.75, 30, 80, 90.5])]
        found += [("Seal", 16, [30, 0, 100.25, 60])] if case.lines else []
        return [
            {"cls_id": cls_id, "label": label, "score": 0.75, "coordinate": [as_clipped(value) for value in corners]}
            for label, cls_id, corners in found[: None if case.lines else 1]
        ]

    def as_clipped(value: float) -> Any:
        return value if isinstance(value, int) and value in (0, SIZE[0], SIZE[1]) else np.float32(value)

    def detect(pages: list[np.ndarray], **_: Any) -> list[Any]:
        contents = ({"input_path": None, "page_index": None, "input_img": p, "boxes": boxes(p)} for p in pages)
        return [detection.DetResult(content) for content in contents]

    seals = iter([2, 0])
    lines = ocr(case, "seal", lambda _: [np.array(polygon) for polygon in BENT[: next(seals)]])
    lines.use_textline_orientation = False
    pipeline = without_networks(
        "seal_recognition",
        "_SealRecognitionPipeline",
        use_doc_preprocessor=True,
        use_layout_detection=True,
        doc_preprocessor_pipeline=doc_preprocessor(case),
        layout_det_model=detect,
        seal_ocr_pipeline=lines.predict,
        _crop_by_boxes=importlib.import_module(f"{PIPELINES}.components").CropByBoxes(),
    )
    (result,) = pipeline.predict(page, **case.switches, use_layout_detection=case.layout)
    return result


def described(result: Any, case: Case) -> dict[str, np.ndarray]:
    """`flattened`, `json`, `printed`, `regions` and `picture/<name>` of a result, and the pictures' names in order."""
    pictures = result.img
    old_numbers: dict[str, Any] = {"legacy": "1.25"} if int(np.__version__.split(".")[0]) > 1 else {}
    # Beside what PaddleX itself has set.
    with np.printoptions(**old_numbers):
        printed = str(result.str)
    output = result["doc_preprocessor_res"]["output_img"]
    return {
        "flattened": output if case.flattened else np.zeros((0, 0, 3), np.uint8),
        "json": np.array(json.dumps(result.json)),
        "printed": np.array(printed),
        "regions": np.array(json.dumps(result.get("text_word_region", []))),
        "pictures": np.array(json.dumps(list(pictures))),
        **{f"picture/{name}": np.asarray(picture) for name, picture in pictures.items()},
    }


def main() -> None:
    """Write the file."""
    page = gradient_page(*SIZE)
    golden = {"page": page, "cases": np.array(json.dumps([*PAGES, *SEALS]))}
    for cases, make in ((PAGES, page_result), (SEALS, seal_result)):
        for name, case in cases.items():
            parts = described(make(case, page), case)
            golden.update({f"{name}/{part}": array for part, array in parts.items()})
    made_with = [PIL.__version__, features.version("freetype2"), features.check("raqm"), cv2.__version__]
    golden["made_with"] = np.array(json.dumps(made_with))
    np.savez_compressed(Path(__file__).with_name("prepared_results.npz"), **golden)


if __name__ == "__main__":
    with pillow_font():
        main()
