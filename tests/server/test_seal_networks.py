"""Seal recognition on the networks that come along: seals whose text is known, read by a live server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from make_samples import CONTRACT_SEALS, PAPER, SEALS
from PIL import Image
from seals import print_seal

from paddlex_triton import create_pipeline
from paddlex_triton.client.results.fonts import find_font
from paddlex_triton.export.api import export_network
from paddlex_triton.export.zoo import networks_of
from paddlex_triton.server.launcher import EmbeddedServer

SAMPLES = Path(__file__).resolve().parent.parent.parent / "samples"
NETWORKS = networks_of("seal_recognition", "offline")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """The seal pipeline on a live Triton with the networks that come along."""
    for name in NETWORKS:
        export_network(name)
    log = tmp_path_factory.mktemp("triton") / "triton.log"
    presets = {"seal_recognition": "offline"}
    with (
        EmbeddedServer(["seal_recognition"], presets=presets, log_file=log) as server,
        create_pipeline("seal_recognition", url=server.grpc_url) as client,
    ):
        yield client


def texts_of(result) -> list[list[str]]:
    """The texts of each seal that was found."""
    return [seal["rec_texts"] for seal in result["seal_res_list"]]


@pytest.mark.parametrize("index", range(len(SEALS)))
@pytest.mark.parametrize("layout", [True, False], ids=["layout", "whole"])
def test_a_seal_is_read(pipeline, index, layout):
    picture = SAMPLES / f"seal_{index + 1}.png"
    (result,) = pipeline.predict(str(picture), use_layout_detection=layout)
    assert len(texts_of(result)) == 1
    assert set(SEALS[index].texts) <= set(texts_of(result)[0])


def test_five_seals_are_rendered_and_read(pipeline):
    font = find_font().path
    if font is None:
        pytest.skip("no font with Chinese glyphs on this system")
    page = Image.new("RGB", (1500, 1000), PAPER)
    places = [(250 + 500 * (index % 3), 250 + 500 * (index // 3)) for index in range(len(SEALS))]
    for seal, place in zip(SEALS, places, strict=True):
        print_seal(page, seal, place, 330, font)
    (result,) = pipeline.predict(np.asarray(page)[..., ::-1].copy())
    regions = [box for box in result["layout_det_res"]["boxes"] if box["label"] == "seal"]
    assert len(regions) == len(SEALS)
    for box, texts in zip(regions, texts_of(result), strict=True):
        x1, y1, x2, y2 = box["coordinate"]
        (inside,) = [i for i, (x, y) in enumerate(places) if x1 < x < x2 and y1 < y < y2]
        assert set(SEALS[inside].texts) <= set(texts)


def test_the_seals_of_a_contract_are_read_and_the_networks_named(pipeline):
    (result,) = pipeline.predict(str(SAMPLES / "contract.png"))
    found = texts_of(result)
    assert len(found) == len(CONTRACT_SEALS)
    for seal, _ in CONTRACT_SEALS:
        assert any(set(seal.texts) <= set(texts) for texts in found)
    named = [network["name"] for stage in result.settings.values() for network in stage.get("networks", {}).values()]
    assert named == list(NETWORKS)
