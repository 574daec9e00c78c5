"""Finding perf_analyzer and its libraries, and the command line it gets."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath

import pytest

from paddlex_triton.bench import perf_analyzer
from paddlex_triton.bench.perf_analyzer import PerfAnalyzerMissing, run_perf_analyzer
from paddlex_triton.errors import InvalidParameter
from paddlex_triton.pipelines import ChoiceError

LIBRARIES = ("nvidia_pytriton.libs/libb64-98cb6333.so.0d", "nvidia_pytriton.libs/libcudart-09529672.so.12.6.77")
# Tells what it was given; its status is the number of arguments that it did not know.
RECORDER = """#!/bin/sh
printf '%s\\n' "$@" > "$RECORD/arguments"
ls -1 "${LD_LIBRARY_PATH%%:*}" > "$RECORD/libraries"
while [ "$1" != --input-data ]; do shift; done
cp "$2" "$RECORD/inputs.json"
exit 3
"""


class Installed(PurePosixPath):
    """A file of a distribution, under a folder of the test."""

    site: Path

    def locate(self):
        return self.site / self


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A site-packages with a recording perf_analyzer and empty libraries."""
    root = tmp_path / "site"
    for name in ("bin/perf_analyzer", *LIBRARIES):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(RECORDER)
    (root / "bin/perf_analyzer").chmod(0o755)
    monkeypatch.setattr(Installed, "site", root, raising=False)
    files = {"tritonclient": ["bin/perf_analyzer"], "nvidia-pytriton": list(LIBRARIES)}
    monkeypatch.setattr(perf_analyzer, "_files", lambda name: [Installed(file) for file in files[name]])
    monkeypatch.setenv("RECORD", str(tmp_path))
    return files


def test_command_inputs_and_libraries(installed, tmp_path):
    status = run_perf_analyzer([b"one", b"two"], url="h:1", params='{"text_det_thresh": 0.5}', arguments=["-v", "-p9"])
    assert status == 3
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments[:7] == ["-m", "ocr", "-i", "grpc", "-u", "h:1", "--input-data"]
    assert arguments[8:] == ["-v", "-p9"]
    assert (tmp_path / "libraries").read_text().split() == ["libb64.so.0d", "libcudart.so.12"]
    assert len(json.loads((tmp_path / "inputs.json").read_text())["data"]) == 2
    assert not Path(arguments[7]).exists()


def test_the_callers_library_path_is_kept(installed, monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/somewhere")
    with perf_analyzer.environment() as variables:
        folder, rest = variables["LD_LIBRARY_PATH"].split(os.pathsep)
        assert rest == "/somewhere"
        assert Path(folder, "libb64.so.0d").resolve().name == "libb64-98cb6333.so.0d"
    assert not Path(folder).exists()


@pytest.mark.parametrize("missing", ["tritonclient", "nvidia-pytriton"])
def test_what_is_missing_is_named_with_the_remedy(installed, missing):
    installed[missing].clear()
    with pytest.raises(PerfAnalyzerMissing, match=rf"{missing} .*pip install"):
        run_perf_analyzer([b"one"], url="h:1")


def test_a_distribution_that_is_not_installed_has_no_files():
    assert perf_analyzer._files("no-such-distribution") == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"protocol": "ftp"}, ValueError),
        ({"params": '{"nonsense": 1}'}, InvalidParameter),
        ({"pipeline": "nonsense"}, ChoiceError),
        ({"pages": []}, ValueError),
    ],
)
def test_refusals_come_before_the_start(installed, tmp_path, arguments, error):
    with pytest.raises(error):
        run_perf_analyzer(**{"pages": [b"one"], "url": "h:1", **arguments})
    assert not (tmp_path / "arguments").exists()
