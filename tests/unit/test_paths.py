"""Where the product keeps what it makes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from paddlex_triton import paths


def test_home_that_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PADDLEX_TRITON_HOME", str(tmp_path / "home"))
    assert paths.home() == tmp_path / "home"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other folders for caches")
@pytest.mark.parametrize("named", [True, False])
def test_home_in_the_users_cache(monkeypatch, tmp_path, named):
    monkeypatch.delenv("PADDLEX_TRITON_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache") if named else "")
    assert paths.home() == (tmp_path / "cache" if named else Path.home() / ".cache") / "paddlex-triton"
