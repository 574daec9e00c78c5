"""The real thing: the networks of the zoo that are in wheels, downloaded with pip and exported."""

from __future__ import annotations

import pytest

from paddlex_triton.export.api import Options, run_export_network
from paddlex_triton.export.errors import SourceError
from paddlex_triton.export.lookup import find_network
from paddlex_triton.export.sources.wheel import pip_download
from paddlex_triton.network import NetworkInfo


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home for the downloads, with the wheel's requirement shown to be downloadable."""
    folder = tmp_path_factory.mktemp("home")
    source = find_network("PP-OCRv4_mobile_det").sources[0]
    assert source.kind == "wheel"
    try:
        pip_download(source.requirement, folder)
    except SourceError as error:
        pytest.skip(f"no package index: {error}")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "wheel", "characters"),
    [
        ("PP-OCRv4_mobile_det", "rapidocr-onnxruntime==1.4.4", None),
        ("PP-OCRv4_mobile_rec", "rapidocr-onnxruntime==1.4.4", (6625, "'")),
        ("PP-OCRv6_small_det", "rapidocr==3.10.0", None),
        ("PP-OCRv6_small_rec", "rapidocr==3.10.0", (18710, "!")),
    ],
)
def test_networks_of_the_zoo(home, tmp_path, monkeypatch, name, wheel, characters):
    monkeypatch.setenv("PADDLEX_TRITON_HOME", str(home))
    outcome = run_export_network(name, Options(into=tmp_path / "repository"))
    assert outcome.installed
    assert outcome.report.verification.max_edit_difference <= 1e-6
    assert outcome.report.verification.max_row_difference <= 1e-5
    info = NetworkInfo.load(outcome.path / "network.json")
    assert info.provenance.source == f"wheel:{wheel}"
    if characters is not None:
        assert info.characters is not None
        assert len(info.characters) == characters[0]
        assert (info.characters[0], info.characters[1], info.characters[-1]) == ("blank", characters[1], " ")
    assert not run_export_network(name, Options(into=tmp_path / "repository")).installed
