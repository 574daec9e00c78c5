"""Page preparation alone, through a live server: PaddleX's own keys, JSON, printed text, pages and pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
import pytest
from constant_networks import constants_allowed
from PIL import features

from paddlex_triton import DocPreprocessorResult, create_pipeline
from paddlex_triton.export.api import export_directory
from paddlex_triton.server.host.launcher import EmbeddedServer

# Made by make_doc_preprocessor.py beside it, on the same networks.
GOLDEN = Path(__file__).parent / "golden" / "doc_preprocessor.npz"
NETWORKS = ("PP-LCNet_x1_0_doc_ori", "UVDoc")
CALLS = ("both", "no orientation", "no unwarping", "neither")
# Where Pillow, FreeType or OpenCV are of other versions, captions may look otherwise: so many pixels in all.
CAPTIONS_SHARE = 0.02


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as file:
        return dict(file)


@pytest.fixture(scope="module")
def server(shared, tmp_path_factory) -> Iterator[EmbeddedServer]:
    repository = tmp_path_factory.mktemp("standins")
    with constants_allowed():
        for name in NETWORKS:
            export_directory(shared / "reference" / "e2e_standin" / "networks" / name, into=repository, name=name)
    with EmbeddedServer(["doc_preprocessor"], networks=[repository], log_file=repository.parent / "log") as running:
        assert running.assembly is not None
        assert set(running.assembly.networks) == set(NETWORKS)
        yield running


@pytest.fixture(scope="module", params=["grpc", "http"])
def predict(request, server) -> Iterator[Any]:
    url = server.grpc_url if request.param == "grpc" else server.http_url
    with create_pipeline("doc_preprocessor", url=url, protocol=request.param) as pipeline:
        yield pipeline.predict


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("call", CALLS)
def test_a_page_is_prepared_as_paddlex_prepares_it(golden, predict, pillow_font, call, turns):
    page, case = golden[f"{turns}/page"], f"{turns}/{call}"
    switches = json.loads(str(golden["calls"]))[call]
    (result,) = predict(page, **switches)
    assert isinstance(result, DocPreprocessorResult)
    assert result.json == json.loads(str(golden[f"{case}/json"]))
    assert str(result.str) == str(golden[f"{case}/printed"])
    assert all(key in result for key in json.loads(str(golden[f"{case}/keys"])))
    assert np.array_equal(result["input_img"], page)
    for key in ("rot_img", "output_img"):
        assert np.array_equal(result[key], golden[f"{case}/{key}"]), key
    ((name, picture),) = result.img.items()
    wanted, got = golden[f"{case}/picture/{name}"], np.asarray(picture)
    assert got.shape == wanted.shape
    same_versions = json.loads(str(golden["made_with"])) == [
        PIL.__version__,
        features.version("freetype2"),
        cv2.__version__,
    ]
    assert (got != wanted).any(axis=-1).mean() <= (0 if same_versions else CAPTIONS_SHARE)


def test_files_are_named_and_numbered_as_in_paddlex(golden, predict, tmp_path):
    path = tmp_path / "scan.png"
    cv2.imwrite(str(path), golden["0/page"])
    (result,) = predict(str(path))
    assert result.json["res"]["input_path"] == str(path)
    result.save_all(tmp_path / "out")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["scan_preprocessed_img.png", "scan_res.json"]
    assert json.loads((tmp_path / "out" / "scan_res.json").read_text()) == result.json["res"]
