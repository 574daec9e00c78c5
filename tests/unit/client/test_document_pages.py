"""Documents through a pipeline: a result for every page, in order; pages are rendered only as they are needed."""

import random
import threading
import time

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from paddlex_triton.client import AsyncPipeline
from paddlex_triton.client.documents import PdfDocument
from paddlex_triton.client.exceptions import InvalidImageError
from paddlex_triton.client.pages import Page
from paddlex_triton.client.transports.mock import AsyncMockTransport
from paddlex_triton.pipelines import find_pipeline

PAGES = 30
# Pages differ in width: page k is 20 + k points wide, two pixels a point.
WIDTHS = [2 * (20 + index) for index in range(PAGES)]


@pytest.fixture
def pdf(tmp_path) -> str:
    path = tmp_path / "in" / "thirty.pdf"
    path.parent.mkdir()
    document = pypdfium2.PdfDocument.new()
    for index in range(PAGES):
        document.new_page(20 + index, 40)
    document.save(path)
    document.close()
    return str(path)


@pytest.fixture
def tiff(tmp_path) -> str:
    path = tmp_path / "in" / "three.tif"
    path.parent.mkdir()
    first, *others = [Image.fromarray(np.full((8, width, 3), 255, np.uint8)) for width in (10, 20, 30)]
    first.save(path, save_all=True, append_images=others)
    return str(path)


def width_of(page):
    return str(page.image().shape[1])


@pytest.fixture
def read(tensors):
    """Answers with the width of the page, sooner or later."""
    delays = random.Random(3)

    def answer(request):
        time.sleep(delays.random() * 0.01)
        return tensors([width_of(Page(request.inputs["image"][0]))])

    return answer


@pytest.fixture
def rendered(monkeypatch):
    """Indices of the pages that were rendered, as they are."""
    indices = []
    render = PdfDocument._render
    monkeypatch.setattr(PdfDocument, "_render", lambda self, index: indices.append(index) or render(self, index))
    return indices


@pytest.mark.parametrize("in_flight", [1, 4, 64])
def test_a_result_for_every_page_in_order(pipeline, pdf, read, in_flight):
    ocr, transport = pipeline(read, max_in_flight=in_flight)
    results = list(ocr.predict(pdf))
    assert [int(result["rec_texts"][0]) for result in results] == WIDTHS
    assert [result["page_index"] for result in results] == list(range(PAGES))
    assert {result["input_path"] for result in results} == {pdf}
    assert [result.json["res"]["page_index"] for result in results] == list(range(PAGES))
    assert len({request.request_id for request in transport.sent}) == PAGES


def test_frames_of_a_tiff(pipeline, tiff, read, tmp_path):
    ocr, _ = pipeline(read)
    results = list(ocr.predict(tiff))
    assert [(result["page_index"], result["rec_texts"]) for result in results] == [
        (0, ["10"]),
        (1, ["20"]),
        (2, ["30"]),
    ]
    for result in results:
        result.save_all(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"three_{index}_{name}" for index in range(3) for name in ("ocr_res_img.tif", "res.json")
    ]


def test_documents_and_images_together(pipeline, pdf, tiff_beside, read, numbered):
    ocr, _ = pipeline(read)
    results = list(ocr.predict([numbered(1), pdf, tiff_beside, numbered(2)]))
    places = [(result["input_path"], result["page_index"]) for result in results]
    assert places == [
        (None, None),
        *((pdf, index) for index in range(PAGES)),
        *((tiff_beside, index) for index in range(3)),
        (None, None),
    ]


@pytest.fixture
def tiff_beside(tmp_path) -> str:
    path = tmp_path / "beside.tiff"
    frames = [Image.fromarray(np.full((8, 8, 3), 255, np.uint8)) for _ in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return str(path)


@pytest.mark.parametrize("in_flight", [1, 3, 8])
def test_pages_are_on_their_way_together(pipeline, pdf, tensors, in_flight):
    together = threading.Barrier(in_flight)

    def answer(request):
        # Opens only when so many pages are on their way.
        together.wait(10)
        return tensors(["a"])

    ocr, _ = pipeline(answer, max_in_flight=in_flight)
    results = ocr.predict(pdf)
    assert [next(results)["page_index"] for _ in range(in_flight)] == list(range(in_flight))
    together.abort()


@pytest.mark.parametrize("in_flight", [1, 3, 8])
def test_pages_are_rendered_no_further_ahead_than_they_are_in_flight(pipeline, pdf, read, rendered, in_flight):
    ocr, _ = pipeline(read, max_in_flight=in_flight)
    results = ocr.predict(pdf)
    assert rendered == []
    for taken, _ in enumerate(results, 1):
        assert rendered == list(range(min(taken - 1 + in_flight, PAGES)))
    assert len(rendered) == PAGES


def test_leaving_early_renders_no_more(pipeline, pdf, read, rendered):
    ocr, _ = pipeline(read, max_in_flight=2)
    results = ocr.predict(pdf)
    next(results)
    results.close()
    assert rendered == [0, 1]


def test_a_page_that_fails_is_named(pipeline, pdf, tensors):
    def answer(request):
        if width_of(Page(request.inputs["image"][0])) == str(WIDTHS[17]):
            raise InvalidImageError("no image")
        return tensors(["a"])

    ocr, _ = pipeline(answer)
    found = []
    with pytest.raises(InvalidImageError, match=r"^page 18 of .*thirty\.pdf: no image"):
        for result in ocr.predict(pdf):
            found.append(result["page_index"])
    assert found == list(range(17))
    outcomes = list(ocr.predict_outcomes(pdf))
    assert [number for number, outcome in enumerate(outcomes) if isinstance(outcome, InvalidImageError)] == [17]
    assert len(outcomes) == PAGES


async def test_the_asyncio_twin(pdf, read, rendered):
    transport = AsyncMockTransport(read)
    ocr = AsyncPipeline(find_pipeline("OCR"), lambda: (lambda: transport, lambda: None), max_in_flight=3)
    async with ocr:
        widths, taken = [], 0
        async for result in ocr.predict(pdf):
            widths.append(int(result["rec_texts"][0]))
            assert result["page_index"] == taken
            assert len(rendered) == min(taken + 3, PAGES)
            taken += 1
    assert widths == WIDTHS


@pytest.mark.parametrize("prepared", [False, True])
def test_names_of_saved_files(pipeline, pdf, tensors, tmp_path, prepared):
    preparation = {"use_doc_orientation_classify": prepared}
    ocr, _ = pipeline(lambda request: tensors(["a"], angle=270, preparation=preparation))
    for result in ocr.predict(pdf):
        result.save_all(tmp_path / "out")
    names = ["ocr_res_img.png", *(["preprocessed_img.png"] if prepared else []), "res.json"]
    expected = {f"thirty_{index}_{name}" for index in range(PAGES) for name in names}
    assert {path.name for path in (tmp_path / "out").iterdir()} == expected
    if prepared:
        with Image.open(tmp_path / "out" / "thirty_29_preprocessed_img.png") as picture:
            assert picture.size == (WIDTHS[29] + 2 * 80, max(80, WIDTHS[29]) + 25)
