"""Seal recognition on the networks that come along: seals whose text is known, read by a live server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from make_samples import CONTRACT_SEALS, PAPER, SEALS
from PIL import Image
from seals import Seal, print_seal

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


def edits(wanted: str, read: str) -> int:
    """Characters to be put in, taken out or replaced to get from one text to the other."""
    row = list(range(len(read) + 1))
    for i, a in enumerate(wanted, 1):
        corner, row[0] = row[0], i
        for j, b in enumerate(read, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (a != b))
    return row[-1]


def reads(seal: Seal, texts: list[str]) -> bool:
    """Whether the seal's first line, its name, was read with at most one character wrong."""
    return min((edits(seal.texts[0], text) for text in texts), default=99) <= 1


@pytest.mark.parametrize(("wanted", "read", "count"), [("", "", 0), ("ab", "ab", 0), ("abc", "xbcd", 2), ("ab", "", 2)])
def test_edits_are_counted(wanted, read, count):
    assert edits(wanted, read) == count


@pytest.mark.parametrize("index", range(len(SEALS)))
@pytest.mark.parametrize("layout", [True, False], ids=["layout", "whole"])
def test_a_seal_is_read(pipeline, index, layout):
    picture = SAMPLES / f"seal_{index + 1}.png"
    (result,) = pipeline.predict(str(picture), use_layout_detection=layout)
    (texts,) = texts_of(result)
    assert reads(SEALS[index], texts)


def test_five_seals_are_rendered_and_read(pipeline):
    font = find_font().path
    if font is None:
        pytest.skip("no font with Chinese glyphs on this system")
    page = Image.new("RGB", (1650, 1100), PAPER)
    places = [(275 + 550 * (index % 3), 275 + 550 * (index // 3)) for index in range(len(SEALS))]
    for seal, place in zip(SEALS, places, strict=True):
        print_seal(page, seal, place, 420, font)
    (result,) = pipeline.predict(np.asarray(page)[..., ::-1].copy())
    regions = [box["coordinate"] for box in result["layout_det_res"]["boxes"] if box["label"] == "seal"]
    assert len(regions) == len(texts_of(result)) == len(SEALS)
    for seal, (x, y) in zip(SEALS, places, strict=True):
        (found,) = (i for i, (x1, y1, x2, y2) in enumerate(regions) if x1 < x < x2 and y1 < y < y2)
        assert reads(seal, texts_of(result)[found])


def test_the_seals_of_a_contract_are_read_and_the_networks_named(pipeline):
    (result,) = pipeline.predict(str(SAMPLES / "contract.png"))
    found = texts_of(result)
    assert len(found) == len(CONTRACT_SEALS)
    for seal, _ in CONTRACT_SEALS:
        assert any(reads(seal, texts) and set(seal.lines) <= set(texts) for texts in found)
    named = [network["name"] for stage in result.settings.values() for network in stage.get("networks", {}).values()]
    assert named == list(NETWORKS)
