"""Lines padded together in batches of other sizes, against PaddleX's own reading of the sample page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paddlex_triton import create_pipeline
from paddlex_triton.pipeline_file.writing import make_config
from paddlex_triton.pipelines import PIPELINES

PAGE = Path(__file__).resolve().parent.parent.parent / "samples" / "page.png"
READ = json.loads((Path(__file__).parent / "golden" / "recognition_batches.json").read_text(encoding="utf-8"))
DETECTION = {"text_det_limit_side_len": 736, "text_det_limit_type": "min"}


def assert_same(result, size):
    assert result["rec_texts"] == READ[str(size)]["texts"]
    np.testing.assert_allclose(result["rec_scores"], READ[str(size)]["scores"], rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def pipeline(server):
    with create_pipeline("OCR", url=server.grpc_url) as created:
        yield created


@pytest.mark.parametrize("size", [1, 2, 6, 8])
def test_as_a_parameter(pipeline, size):
    (result,) = pipeline.predict(str(PAGE), text_recognition_batch_size=size, **DETECTION)
    assert_same(result, size)


def test_by_default_it_is_six(pipeline):
    (result,) = pipeline.predict(str(PAGE), **DETECTION)
    assert_same(result, 6)


@pytest.mark.parametrize("size", [1, 8])
def test_from_a_pipeline_file(server, size):
    config = make_config(PIPELINES["OCR"])
    config["SubModules"]["TextRecognition"]["batch_size"] = size
    with create_pipeline(config=config, url=server.grpc_url) as created:
        (result,) = created.predict(str(PAGE), **DETECTION)
    assert_same(result, size)


def test_the_sizes_can_be_told_apart():
    for size in ("1", "2", "8"):
        assert np.abs(np.subtract(READ[size]["scores"], READ["6"]["scores"])).max() > 0.01
