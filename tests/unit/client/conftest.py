"""Answers of the ensembles without a server, and pipelines that get them."""

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from ensemble_answers import make_person_tensors, make_seal_tensors, make_tensors

from paddlex_triton.client import NO_RETRIES, Pipeline
from paddlex_triton.client.pages import Page
from paddlex_triton.client.transports.mock import MockTransport, Sent
from paddlex_triton.pipelines import find_pipeline


@pytest.fixture
def person_tensors() -> Callable[..., dict[str, np.ndarray]]:
    """`make_person_tensors`."""
    return make_person_tensors


@pytest.fixture
def seal_tensors() -> Callable[..., dict[str, np.ndarray]]:
    """`make_seal_tensors`."""
    return make_seal_tensors


@pytest.fixture
def tensors() -> Callable[..., dict[str, np.ndarray]]:
    """`make_tensors`."""
    return make_tensors


@pytest.fixture
def page() -> Page:
    """A white page of 200 x 120 pixels in a file called scan.png."""
    return Page(cv2.imencode(".png", np.full((120, 200, 3), 255, np.uint8))[1].tobytes(), "in/scan.png")


@pytest.fixture
def numbered() -> Callable[[int], np.ndarray]:
    """An image that carries a number, for `number_of` to find again on the other side."""
    return lambda number: np.full((8, 8), number, np.uint8)


def number_of(request: Sent) -> int:
    image = Page(request.inputs["image"][0]).image()
    return int(image[0, 0, 0])


def echo(request: Sent) -> dict[str, np.ndarray]:
    """One line of text: the number in the image."""
    return make_tensors([str(number_of(request))])


@pytest.fixture
def number() -> Callable[[Sent], int]:
    """`number_of`."""
    return number_of


@pytest.fixture
def pipeline() -> Iterator[Callable[..., tuple[Pipeline, MockTransport]]]:
    """Makes pipelines on mock transports; closes them in the end."""
    made = []

    def make(
        answer: Callable[[Sent], dict[str, np.ndarray]] = echo, name: str = "OCR", **options: Any
    ) -> tuple[Pipeline, MockTransport]:
        transport = MockTransport(answer)
        made.append(Pipeline(find_pipeline(name), transport, **{"retry": NO_RETRIES, **options}))
        return made[-1], transport

    yield make
    for pipeline in made:
        pipeline.close()
