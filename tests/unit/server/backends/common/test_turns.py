"""Networks that take turns: one run at a time, in whatever process; none waits for a process that is gone."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from paddlex_triton.server.backends.common.batch import Request
from paddlex_triton.server.backends.common.errors import LoadError
from paddlex_triton.server.backends.common.turns import TURNS_FILE, Turns, turns_of_server
from paddlex_triton.server.backends.onnxruntime.runner import OnnxModel

_SOON_S, _LATE_S = 0.3, 20.0
_HOLDER = """
import sys, time
from pathlib import Path
from paddlex_triton.server.backends.common.turns import Turns
with Turns(Path(sys.argv[1])).mine():
    print("mine", flush=True)
    time.sleep(600)
"""
_TURNS = {"take_turns": {"string_value": "1"}}


def load(folder: Path, parameters: dict[str, dict[str, str]], instance: str = "m_0_0") -> OnnxModel:
    tensor = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", tensor[:1], tensor[1:])
    folder.mkdir(exist_ok=True)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx"
    )
    dims = [{"name": name, "data_type": "TYPE_FP32", "dims": [-1]} for name in ("x", "y")]
    config = {"name": "m", "input": dims[:1], "output": dims[1:], "parameters": parameters}
    return OnnxModel(config, folder, instance)


def run_aside(model: OnnxModel) -> tuple[threading.Event, threading.Thread]:
    """Run in a thread; the event says that there is an answer."""
    done = threading.Event()

    def run() -> None:
        (answer,) = model.execute([Request({"x": np.ones(2, np.float32)}, ("y",))])
        assert isinstance(answer, dict)
        assert answer["y"].tolist() == [-1, -1]
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    return done, thread


@pytest.fixture
def row(tmp_path, monkeypatch) -> Path:
    """The file of a server's row."""
    monkeypatch.setenv(TURNS_FILE, str(tmp_path / "turns"))
    return tmp_path / "turns"


def test_a_run_waits_for_its_turn(tmp_path, row):
    model = load(tmp_path / "m", _TURNS)
    with Turns(row).mine():
        done, thread = run_aside(model)
        assert not done.wait(_SOON_S)
    assert done.wait(_LATE_S)
    thread.join()


@pytest.mark.parametrize("parameters", [{}, {"take_turns": {"string_value": "0"}}])
def test_others_do_not_wait(tmp_path, row, parameters):
    model = load(tmp_path / "m", parameters)
    with Turns(row).mine():
        done, thread = run_aside(model)
        assert done.wait(_LATE_S)
        thread.join()


def test_without_a_file_nobody_waits(tmp_path, monkeypatch):
    monkeypatch.delenv(TURNS_FILE, raising=False)
    assert turns_of_server(1, "m_0_0") is None
    done, thread = run_aside(load(tmp_path / "m", _TURNS))
    assert done.wait(_LATE_S)
    thread.join()


def test_a_failed_run_gives_its_turn_away(tmp_path, row):
    model = load(tmp_path / "m", _TURNS)
    model._session.run = _raising  # pyright: ignore[reportAttributeAccessIssue]
    (answer,) = model.execute([Request({"x": np.ones(2, np.float32)}, ("y",))])
    assert isinstance(answer, Exception)
    done, thread = run_aside(load(tmp_path / "other", _TURNS))
    assert done.wait(_LATE_S)
    thread.join()


def _raising(*_: object) -> None:
    raise RuntimeError("no run")


def test_without_places_nobody_waits(row):
    assert turns_of_server(0, "m_0_0") is None


@pytest.mark.parametrize("own", [0, 1, 2, 7])
def test_there_are_as_many_at_once_as_there_are_places(tmp_path, row, own):
    places = {"take_turns": {"string_value": "2"}}
    model = load(tmp_path / "m", places, f"m_0_{own}")
    with Turns(row, 2).mine():
        done, thread = run_aside(model)
        assert done.wait(_LATE_S)
        thread.join()
        with Turns(row, 2).mine():
            done, thread = run_aside(model)
            assert not done.wait(_SOON_S)
    assert done.wait(_LATE_S)
    thread.join()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_is_gone_holds_no_turn(tmp_path, row, number):
    model = load(tmp_path / "m", _TURNS)
    with subprocess.Popen([sys.executable, "-c", _HOLDER, str(row)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mine\n"
        done, thread = run_aside(model)
        assert not done.wait(_SOON_S)
        holder.send_signal(number)
    assert done.wait(_LATE_S)
    thread.join()


@pytest.mark.parametrize("make", [lambda path: path / "no" / "folder", lambda path: path])
def test_a_file_that_cannot_be_opened_is_named(tmp_path, monkeypatch, make: Callable[[Path], Path]):
    monkeypatch.setenv(TURNS_FILE, str(make(tmp_path)))
    with pytest.raises(LoadError, match=f"named by {TURNS_FILE}, cannot be opened: "):
        load(tmp_path / "m", _TURNS)
