"""The check on a live server: well, with a network's process dead, with a module's process dead."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from paddlex_triton.probe import check
from paddlex_triton.probe.command import main
from paddlex_triton.server.host.launcher import EmbeddedServer


def test_servers_that_answer_are_well(server, seal_server, people_server, capsys):
    for running, ensemble in ((server, "ocr"), (seal_server, "seal_recogn"), (people_server, "human_keypoint")):
        assert main([running.http_url, "--timeout", "30"]) == 0
        assert f"well: {ensemble}" in capsys.readouterr().out


def test_every_network_of_ocr_has_something_to_do(server, triton, capsys):
    before = network_runs(triton)
    assert main([server.http_url, "--timeout", "30"]) == 0
    assert "nothing found" not in capsys.readouterr().out
    deadline = time.monotonic() + 5
    while not all(network_runs(triton)[name] > count for name, count in before.items()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def network_runs(triton) -> dict[str, int]:
    names = ("PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec")
    return {name: triton.get_inference_statistics(name).model_stats[0].execution_count for name in names}


@pytest.fixture
def victim(networks, tmp_path):
    """A server of its own: a process that is killed stays dead."""
    log = tmp_path / "triton.log"
    with EmbeddedServer(["OCR"], presets={"OCR": "PP-OCRv4_mobile"}, log_file=log) as running:
        yield running
        # Asked to end, it would wait for its dead for half a minute.
        if running.pid is not None:
            os.kill(running.pid, signal.SIGKILL)


def test_dead_processes_are_seen_although_triton_is_ready(victim, monkeypatch, capsys):
    kill_one(victim, "PP-OCRv4_mobile_rec_0_")
    assert main([victim.http_url]) == 1
    assert "1 of " in capsys.readouterr().err
    # As from another machine.
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(check, "model_processes", lambda port: None)
        assert main([victim.http_url, "--timeout", "20"]) == 1
        assert "ocr: " in (said := capsys.readouterr().err)
        assert "PP-OCRv4_mobile_rec" in said
        # One of two: the other one answers half of the pages.
        kill_one(victim, "ocr.doc_preprocessor_0_0")
        assert main([victim.http_url, "--timeout", "20", "--pages", "2"]) == 1
        assert "doc_preprocessor" in capsys.readouterr().err
    assert main([victim.http_url]) == 1
    assert "2 of " in capsys.readouterr().err


def kill_one(server: EmbeddedServer, instance: str) -> None:
    """Kill the process of an instance, by the beginning of its name."""
    stats = [(path, path.read_text().rpartition(")")[2].split()) for path in Path("/proc").glob("[0-9]*/stat")]
    children = [path.parent for path, fields in stats if fields[1] == str(server.pid)]
    folder = next(folder for folder in children if f"\0{instance}" in (folder / "cmdline").read_text())
    os.kill(int(folder.name), signal.SIGKILL)
    end = time.monotonic() + 10
    while (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end
        time.sleep(0.01)
