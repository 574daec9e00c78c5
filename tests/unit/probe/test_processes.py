"""Counting the processes of a server's models in a stand-in for /proc."""

import pytest

from paddlex_triton.probe.processes import ModelProcesses, model_processes

STUB = "triton_python_b"


@pytest.fixture
def proc(tmp_path):
    """`proc(pid, name, state, parent, *arguments)` writes a process; gives the folder."""

    def write(pid, name, state="S", parent=1, *arguments):
        folder = tmp_path / str(pid)
        folder.mkdir()
        (folder / "stat").write_text(f"{pid} ({name}) {state} {parent} 0 0\n")
        (folder / "cmdline").write_text("\0".join(arguments) + "\0")
        return tmp_path

    write("self", "x")
    return write


def test_children_of_the_server_on_the_port_are_counted(proc):
    proc(10, "tritonserver", "S", 1, "tritonserver", "--http-port=9000")
    proc(20, "tritonserver", "S", 1, "tritonserver", "--http-port=1", "--http-port=7000")
    for pid, state in enumerate("SSRDZZXT", start=100):
        proc(pid, STUB, state, 10)
    proc(200, STUB, "Z", 20)
    # An odd name, and a child that is no model's.
    proc(201, "a) Z 10 (b", "Z", 10)
    folder = proc(202, "sh", "Z", 10)
    assert model_processes(9000, folder) == ModelProcesses(8, 3, 1)
    assert model_processes(7000, folder) == ModelProcesses(1, 1, 0)
    assert model_processes(8000, folder) is None


def test_a_server_without_a_port_of_its_own_listens_on_8000(proc):
    proc(10, "tritonserver", "S", 1, "tritonserver", "--model-repository=/models")
    folder = proc(11, STUB, "S", 10)
    assert model_processes(8000, folder) == ModelProcesses(1, 0, 0)


def test_nothing_is_in_sight(proc, tmp_path):
    assert model_processes(8000, tmp_path / "nowhere") is None
    proc(10, "tritonserver", "S", 1, "tritonserver")
    (tmp_path / "10" / "cmdline").unlink()
    proc(11, "gone")
    (tmp_path / "11" / "stat").unlink()
    assert model_processes(8000, tmp_path) is None
