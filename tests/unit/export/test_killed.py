"""An export that is killed at any moment, from the first question to a hub to the last rename.

It leaves no half network, and nothing that the next export does not finish, use or remove.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import converter_stub
import killed_export
import pytest
import yaml
from hub_server import HubServer, tar_of

from paddlex_triton.network import NetworkInfo

NAME = "PP-OCRv5_server_det"
ARCHIVE = f"/paddlex/official_inference_model/paddle3.0.0/{NAME}_infer.tar"
# Of about 124: a run and the one after it take more than a second. They are spread over all of it.
MOMENTS = 32


@pytest.fixture
def hub(kit, no_network, tmp_path, monkeypatch):
    """A hub with PaddlePaddle's package of a network alone, and a converter that turns it into the tiny detector."""
    python, made = tmp_path / "python", tmp_path / "made.onnx"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {converter_stub.__file__} "$@"\n')
    python.chmod(0o755)
    made.write_bytes(kit.detector().SerializeToString())
    variables = {"PADDLEX_TRITON_CONVERTER_PYTHON": python, "STUB_LOG": tmp_path / "stub.log", "STUB_ONNX": made}
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    with HubServer().running() as server:
        no_network(bos=server.url)
        server.files[ARCHIVE] = tar_of(
            {
                "inference.json": b'{"base_code": {"magic": "pir", "version": 3}, "program": {"regions": []}}',
                # Weights: they must not fit into one piece of a download.
                "inference.pdiparams": os.urandom(600_000),
                "inference.yml": yaml.safe_dump(kit.detector_yml(NAME)).encode(),
            }
        )
        yield server


def is_whole(network: Path) -> bool:
    """Whether a network's files are all there, and those that belong together."""
    info = NetworkInfo.load(network / "network.json")
    files = {path.relative_to(network).as_posix() for path in network.rglob("*") if path.is_file()}
    wanted = {"1/model.onnx", "network.json", "export.json", "config.pbtxt", "configs/gpu.pbtxt"}
    return wanted <= files and info.sha256 == hashlib.sha256((network / "1" / "model.onnx").read_bytes()).hexdigest()


@pytest.mark.slow
def test_killed_at_moments_all_over_the_way(hub, tmp_path):
    base = tmp_path / "runs"
    base.mkdir()
    command = [sys.executable, killed_export.__file__, NAME, str(base), str(MOMENTS)]
    subprocess.run(command, check=True, timeout=500)
    whole = set(killed_export.files_in(base / "whole"))
    network = f"repository/{NAME}"
    assert is_whole(base / "whole" / network)
    assert not [path for path in whole if path.startswith("tmp/")]
    results = {int(path.stem): json.loads(path.read_text()) for path in base.glob("*.json")}
    assert len(results) == MOMENTS
    stages = set()
    for moment, result in sorted(results.items()):
        between = set(result["between"])
        assert result["killed"] == -signal.SIGKILL, moment
        # There whole, as what was there between is what the whole run made; or not at all.
        inside = {path for path in between if path.startswith(network)}
        assert inside in (set(), {path for path in whole if path.startswith(network)}), moment
        assert result["again"] == 0, moment
        assert set(result["after"]) == whole, f"leftovers after moment {moment}"
        assert is_whole(base / str(moment) / network), moment
        stages |= {stage for stage in STAGES if any(STAGES[stage] in path for path in between - whole)}
    assert stages == STAGES.keys(), "killed at too few places to prove anything"


# What a run leaves that is killed there, and a whole one does not.
STAGES = {
    "downloading": ".tar.part",
    "unpacking": "/.unpack-",
    "asking the converter": "asking/.making-",
    "converting": "/.converting-",
    "installing": ".paddlex-triton-export-repository/",
}


EXPORT = """
import sys
from pathlib import Path
from paddlex_triton.export.api import export_network
export_network(sys.argv[1], Path(sys.argv[2]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="others have nothing that ends a child with its parent")
def test_a_worker_ends_with_its_export(hub, tmp_path, monkeypatch):
    """It has gigabytes, and would write on into a folder that the next export removes."""
    monkeypatch.setenv("STUB_MODE", "convert hangs")
    monkeypatch.setenv("PADDLEX_TRITON_HOME", str(tmp_path / "home"))
    export = subprocess.Popen([sys.executable, "-c", EXPORT, NAME, str(tmp_path / "repository")])
    pids = tmp_path / "stub.pids"
    deadline = time.monotonic() + 60
    while not (pids.is_file() and len(pids.read_text().split()) == 2):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    worker, child = map(int, pids.read_text().split())
    try:
        export.kill()
        export.wait()
        while is_running(worker):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.kill(child, signal.SIGKILL)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
