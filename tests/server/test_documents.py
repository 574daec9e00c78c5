"""Documents through the client and a live server: a result a page, in order, pages on their way together."""

from __future__ import annotations

import asyncio
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from paddlex_triton import create_async_pipeline, create_pipeline


def numbered_pages(count: int) -> list[Image.Image]:
    """Pages with their number, of different sizes, so that they do not take equally long."""
    pages = []
    for number in range(count):
        width = 300 + 170 * (number % 4)
        page = np.full((160, width, 3), 255, np.uint8)
        cv2.putText(page, f"PAGE {number:02d}", (30, 100), cv2.FONT_HERSHEY_SIMPLEX, 2, (0, 0, 0), 5, cv2.LINE_AA)
        pages.append(Image.fromarray(page))
    return pages


def write(path: Path, count: int) -> Path:
    first, *others = numbered_pages(count)
    first.save(path, save_all=True, append_images=others)
    return path


def numbers_of(results: list) -> list[int]:
    """The number that stands on each page."""
    return [int("".join(result["rec_texts"])[-2:]) for result in results]


@pytest.mark.parametrize(("name", "count"), [("thirty.pdf", 30), ("one.pdf", 1), ("three.tiff", 3)])
@pytest.mark.parametrize("in_flight", [1, 4])
def test_a_result_a_page_in_order(server, tmp_path, name, count, in_flight):
    document = write(tmp_path / name, count)
    with create_pipeline("OCR", url=server.grpc_url, max_in_flight=in_flight) as pipeline:
        results = list(pipeline.predict(str(document)))
    assert [result["page_index"] for result in results] == list(range(count))
    assert {result["input_path"] for result in results} == {str(document)}
    assert numbers_of(results) == list(range(count))
    results[-1].save_to_json(tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{document.stem}_{count - 1}_res.json"]


def test_documents_and_pictures_in_a_row(server, tmp_path):
    inputs = [write(tmp_path / "a.pdf", 3), write(tmp_path / "b.tiff", 2), tmp_path / "c.png"]
    numbered_pages(10)[9].save(inputs[2])
    with create_pipeline("OCR", url=server.http_url, protocol="http", max_in_flight=8) as pipeline:
        results = list(pipeline.predict([str(path) for path in inputs]))
    assert numbers_of(results) == [0, 1, 2, 0, 1, 9]
    assert [result["page_index"] for result in results] == [0, 1, 2, 0, 1, None]


def test_a_result_a_page_in_order_with_asyncio(server, tmp_path):
    document = write(tmp_path / "twelve.pdf", 12)

    async def read() -> list:
        async with create_async_pipeline("OCR", url=server.grpc_url, max_in_flight=4) as pipeline:
            return [result async for result in pipeline.predict(str(document))]

    results = asyncio.run(read())
    assert [result["page_index"] for result in results] == list(range(12))
    assert numbers_of(results) == list(range(12))
