"""Seal recognition with PaddleX's small seal detector: every line of the samples, read by a live server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from make_samples import CONTRACT_SEALS, SEALS
from PIL import Image

from paddlex_triton import create_pipeline
from paddlex_triton.export.api import export_network
from paddlex_triton.server.host.launcher import EmbeddedServer

SAMPLES = Path(__file__).resolve().parent.parent.parent / "samples"
PICTURES = [SAMPLES / f"seal_{index}.png" for index in range(1, len(SEALS) + 1)]
NETWORKS = {
    "layout_detection": "offline_seal_layout",
    "seal_text_detection": "PP-OCRv4_mobile_seal_det",
    "text_recognition": "PP-OCRv4_mobile_rec",
}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """The seal pipeline on a live Triton."""
    for name in NETWORKS.values():
        export_network(name)
    log = tmp_path_factory.mktemp("triton") / "triton.log"
    # A preset that is named takes in nothing else that may be exported where the tests run.
    presets = {"seal_recognition": "offline"}
    with (
        EmbeddedServer(["seal_recognition"], presets=presets, models=NETWORKS, log_file=log) as server,
        create_pipeline("seal_recognition", url=server.grpc_url) as client,
    ):
        yield client


def texts_of(result) -> list[list[str]]:
    """The texts of each seal that was found, sorted, as seals are."""
    return sorted(sorted(seal["rec_texts"]) for seal in result["seal_res_list"])


@pytest.mark.parametrize(("seal", "picture"), list(zip(SEALS, PICTURES, strict=True)), ids=[p.stem for p in PICTURES])
@pytest.mark.parametrize("layout", [True, False], ids=["layout", "whole"])
def test_every_line_of_a_seal_is_read(pipeline, seal, picture, layout):
    (result,) = pipeline.predict(str(picture), use_layout_detection=layout)
    assert texts_of(result) == [sorted(seal.texts)]


def test_five_seals_side_by_side_are_found_and_read(pipeline):
    page = np.hstack([np.asarray(Image.open(picture).convert("RGB")) for picture in PICTURES])
    (result,) = pipeline.predict(page[..., ::-1].copy())
    assert texts_of(result) == sorted(sorted(seal.texts) for seal in SEALS)


def test_the_seals_of_a_contract_are_read_and_the_networks_named(pipeline):
    (result,) = pipeline.predict(str(SAMPLES / "contract.png"))
    assert texts_of(result) == sorted(sorted(seal.texts) for seal, _ in CONTRACT_SEALS)
    named = [network["name"] for stage in result.settings.values() for network in stage.get("networks", {}).values()]
    assert named == list(NETWORKS.values())
