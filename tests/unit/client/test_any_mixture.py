"""Any mixture of good and bad inputs: one outcome for each, in order, and never another library's error."""

import asyncio
import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from ensemble_answers import make_tensors
from hypothesis import given, settings
from hypothesis import strategies as st

from paddlex_triton.client import NO_RETRIES, AsyncPipeline, BaseResult, Pipeline
from paddlex_triton.client.exceptions import InputError, InvalidImageError, PaddleXTritonError, ServerError
from paddlex_triton.client.pages import Page
from paddlex_triton.client.transports.mock import AsyncMockTransport, MockTransport, Sent
from paddlex_triton.pipelines import find_pipeline

OCR = find_pipeline("OCR")
GOOD = cv2.imencode(".png", np.full((8, 8), 255, np.uint8))[1].tobytes()
REFUSED = cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes()
FAILS = cv2.imencode(".png", np.full((8, 8), 7, np.uint8))[1].tobytes()

# Kind of input -> what it is, in a folder, and what becomes of it.
KINDS: dict[str, Any] = {
    "array": (lambda folder: np.full((8, 8), 255, np.uint8), BaseResult),
    "bytes": (lambda folder: GOOD, BaseResult),
    "data URI": (lambda folder: f"data:image/png;base64,{base64.b64encode(GOOD).decode()}", BaseResult),
    "file": (lambda folder: written(folder, "good.png", GOOD), BaseResult),
    "file of another name": (lambda folder: written(folder, "good.tmp", GOOD), BaseResult),
    "refused by the server": (lambda folder: REFUSED, InvalidImageError),
    "failing on the server": (lambda folder: FAILS, ServerError),
    "no image": (lambda folder: b"GIF89a", PaddleXTritonError),
    "floats": (lambda folder: np.zeros((4, 4)), InputError),
    "no pixels": (lambda folder: np.zeros((0, 4), np.uint8), InputError),
    "nowhere": (lambda folder: folder / "nowhere.png", InputError),
    "broken PDF": (lambda folder: b"%PDF-1.7 broken", InputError),
    "broken TIFF": (lambda folder: b"II*\0broken", PaddleXTritonError),
    "empty folder": (lambda folder: folder / "empty", InputError),
    "NUL in the name": (lambda folder: "a\0b.png", InputError),
    "half a letter": (lambda folder: "a\ud800.png", InputError),
    "dead URL": (lambda folder: "http://127.0.0.1:1/a.png", InputError),
}
MIXTURES = st.lists(st.sampled_from(sorted(KINDS)), max_size=9)


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def answer(request: Sent) -> dict[str, np.ndarray]:
    shade = int(Page(request.inputs["image"][0]).image()[0, 0, 0])
    if shade == 0:
        raise InvalidImageError("black")
    if shade == 7:
        raise ServerError("seven")
    return make_tensors(["text"])


def inputs(kinds: list[str], folder: Path, *, fails: bool) -> Iterator[Any]:
    for kind in kinds:
        yield KINDS[kind][0](folder)
    if fails:
        raise RuntimeError("the caller's own")


@settings(max_examples=40, deadline=None)
@given(kinds=MIXTURES, fails=st.booleans(), lazy=st.booleans())
def test_one_outcome_for_each_input(kinds, fails, lazy):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "empty").mkdir()
        given_inputs: Any = inputs(kinds, folder, fails=fails) if lazy else list(inputs(kinds, folder, fails=False))
        with Pipeline(OCR, MockTransport(answer), retry=NO_RETRIES) as pipeline:
            found = list(pipeline.predict_outcomes(given_inputs))
        check(found, kinds, fails and lazy)
        given_inputs = inputs(kinds, folder, fails=fails) if lazy else list(inputs(kinds, folder, fails=False))
        check(asyncio.run(outcomes_of_the_twin(given_inputs)), kinds, fails and lazy)


async def outcomes_of_the_twin(given_inputs: Any) -> list[Any]:
    transport = AsyncMockTransport(answer)
    async with AsyncPipeline(OCR, lambda: (lambda: transport, lambda: None), retry=NO_RETRIES) as pipeline:
        return [outcome async for outcome in pipeline.predict_outcomes(given_inputs)]


def check(found: list[Any], kinds: list[str], failed: bool) -> None:
    wanted = [KINDS[kind][1] for kind in kinds] + [InputError] * failed
    assert len(found) == len(wanted), found
    for outcome, kind in zip(found, wanted, strict=True):
        assert isinstance(outcome, kind), outcome
    if failed:
        assert isinstance(found[-1].__cause__, RuntimeError)
        assert "the caller's own" in str(found[-1])
