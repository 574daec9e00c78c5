"""Documents of several pages, and the sizes of pictures."""

import io

import cv2
import numpy as np
import pypdfium2
import pytest
from gateway_world import base64_of, picture
from PIL import Image

from paddlex_triton.gateway.errors import ApiError
from paddlex_triton.gateway.reading import picture_size
from paddlex_triton.pipeline_file import PipelineFile, Serving
from paddlex_triton.pipelines import PIPELINES


def pdf(pages: int) -> bytes:
    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        document.new_page(100, 60)
    with io.BytesIO() as file:
        document.save(file)
        return file.getvalue()


def tiff(frames: int) -> bytes:
    first, *others = [Image.new("RGB", (30 + frame, 20), "white") for frame in range(frames)]
    with io.BytesIO() as file:
        first.save(file, format="TIFF", save_all=True, append_images=others)
        return file.getvalue()


def with_serving(serving: Serving, name: str = "OCR") -> dict[str, PipelineFile]:
    return {name: PipelineFile(name, PIPELINES[name], {}, serving=serving)}


@pytest.mark.parametrize(("pages", "read"), [(1, 1), (3, 3), (10, 10), (11, 10)])
async def test_pages_of_a_pdf(client, triton, pages, read):
    async with client() as gateway:
        answer = (await gateway.post("/ocr", json={"file": base64_of(pdf(pages)), "fileType": 0})).json()
    result = answer["result"]
    assert len(result["ocrResults"]) == read == len(triton.transport.sent)
    assert result["dataInfo"] == {"numPages": read, "pages": [{"width": 200, "height": 120}] * read, "type": "pdf"}
    assert {request.request_id for request in triton.transport.sent} == {answer["logId"]}


async def test_frames_of_a_tiff(client):
    async with client() as gateway:
        several = (await gateway.post("/ocr", json={"file": base64_of(tiff(3)), "fileType": 1})).json()["result"]
        alone = (await gateway.post("/ocr", json={"file": base64_of(tiff(1)), "fileType": 1})).json()["result"]
        beta = (await gateway.post("/ocr", json={"image": base64_of(tiff(3))})).json()["result"]
    sizes = [{"width": 30 + frame, "height": 20} for frame in range(3)]
    assert several["dataInfo"] == {"numPages": 3, "pages": sizes, "type": "tiff"}
    assert alone["dataInfo"] == {"width": 30, "height": 20, "type": "image"}
    assert set(beta) == {"texts", "image"}


@pytest.mark.parametrize(("most", "read"), [(1, 1), (2, 2), (None, 12)])
async def test_the_files_number_of_pages(client, most, read, monkeypatch):
    monkeypatch.setattr("paddlex_triton.gateway.service.create_async_pipeline", _without_file)
    async with client(files=with_serving(Serving(max_num_input_imgs=most))) as gateway:
        answer = (await gateway.post("/ocr", json={"file": base64_of(pdf(12)), "fileType": 0})).json()
    assert len(answer["result"]["ocrResults"]) == read


@pytest.mark.parametrize(
    ("by_default", "asked", "drawn"), [(False, None, False), (False, True, True), (True, False, False)]
)
async def test_the_files_pictures(client, page, by_default, asked, drawn, monkeypatch):
    monkeypatch.setattr("paddlex_triton.gateway.service.create_async_pipeline", _without_file)
    serving = Serving(visualize=by_default, max_output_img_size=(50, 50))
    async with client(files=with_serving(serving)) as gateway:
        answer = (await gateway.post("/ocr", json={"file": page, "fileType": 1, "visualize": asked})).json()
    (found,) = answer["result"]["ocrResults"]
    assert ("inputImage" in found) == drawn
    if drawn:
        assert len(found["inputImage"]) < 2000


async def test_a_page_that_cannot_be_read(client):
    damaged = pdf(3).replace(b"/Type/Page/", b"/Type/Pagf/", 1)
    async with client() as gateway:
        response = await gateway.post("/ocr", json={"file": base64_of(damaged[:200]), "fileType": 0})
    assert (response.status_code, response.json()["errorMsg"]) == (422, "Invalid input file")


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_size_is_what_opencv_decodes(image_format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {} if image_format == "BMP" else {"exif": exif}
    with io.BytesIO() as file:
        Image.new("RGB", (40, 24), "white").save(file, format=image_format, **options)
        data = file.getvalue()
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture_size(data) == decoded.shape[1::-1]


def test_no_image_has_no_size():
    for data in (b"", b"GIF89a", picture()[:20]):
        with pytest.raises(ApiError, match="Invalid input file"):
            picture_size(data)


def _without_file(pipeline, **options):
    from paddlex_triton.client.async_pipeline import create_async_pipeline

    return create_async_pipeline(pipeline, **options)
