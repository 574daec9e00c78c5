"""The converter's environment, made of packages with nothing in them."""

from __future__ import annotations

import re
import threading
import zipfile
from pathlib import Path

import pytest

from paddlex_triton.export.errors import ConversionError
from paddlex_triton.export.paddle import environment
from paddlex_triton.export.paddle.environment import PACKAGES, environment_folder, find_converter, pins
from paddlex_triton.export.process import last_lines, run_limited

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder of wheels in place of the package index, pins that are in it, and a home."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in PACKAGES:
        add_wheel(folder, name, "1.0")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("".join(f"{name}==1.0\n" for name in PACKAGES))
    monkeypatch.setattr(environment, "REQUIREMENTS", requirements)
    monkeypatch.setenv("PADDLEX_TRITON_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.delenv("PADDLEX_TRITON_CONVERTER_PYTHON", raising=False)
    pins.cache_clear()
    yield folder
    pins.cache_clear()


def add_wheel(folder: Path, name: str, version: str) -> None:
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def find(phrases: list[str] | None = None):
    return find_converter((phrases if phrases is not None else []).append)


def test_made_once_and_anew_for_other_pins(index, tmp_path, monkeypatch):
    left = tmp_path / "home" / "converter" / ".making-abc"
    left.mkdir(parents=True)
    phrases: list[str] = []
    made = find(phrases)
    assert made.python.is_file()
    assert made.versions == dict.fromkeys(PACKAGES, "1.0")
    assert [phrase.split(",")[0] for phrase in phrases] == [
        "making the converter's environment",
        "installing PaddlePaddle 1.0 for conversion",
    ]
    assert not left.exists()
    assert find(phrases) == made
    assert len(phrases) == 2
    # As a Python that is named it has all that is needed, and is where it was made.
    monkeypatch.setenv("PADDLEX_TRITON_CONVERTER_PYTHON", str(made.python))
    assert find().versions == made.versions
    monkeypatch.delenv("PADDLEX_TRITON_CONVERTER_PYTHON")
    add_wheel(index, "paddlepaddle", "2.0")
    environment.REQUIREMENTS.write_text(
        environment.REQUIREMENTS.read_text().replace("paddlepaddle==1.0", "paddlepaddle==2.0")
    )
    pins.cache_clear()
    other = find()
    assert other.versions["paddlepaddle"] == "2.0"
    assert other.python != made.python
    assert [path.name for path in (tmp_path / "home" / "converter").iterdir()] == [environment_folder().name]


def test_two_at_once_make_one(index):
    phrases: list[str] = []
    threads = [threading.Thread(target=find, args=(phrases,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(phrases) == 2
    assert environment_folder().is_dir()


def test_pip_failing_is_one_message_and_leaves_nothing(index, tmp_path):
    (index / "paddle2onnx-1.0-py3-none-any.whl").unlink()
    with pytest.raises(
        ConversionError, match=r"pip cannot install .*No matching distribution found for paddle2onnx==1.0"
    ) as e:
        find()
    assert "PADDLEX_TRITON_CONVERTER_PYTHON" in str(e.value)
    assert not list((tmp_path / "home" / "converter").iterdir())


def test_python_without_venv(index, monkeypatch):
    monkeypatch.setattr(environment.sys, "executable", "/bin/false")
    with pytest.raises(ConversionError, match=r"/bin/false cannot make a virtual environment .*python3-venv"):
        find()


def test_pip_hanging(index, monkeypatch):
    monkeypatch.setattr(environment, "INSTALL_TIMEOUT", 0.01)
    with pytest.raises(ConversionError, match=r"it was stopped after 0.01 s"):
        find()
    assert not list(environment_folder().parent.iterdir())


def test_home_that_cannot_be_written(index, tmp_path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(ConversionError, match="cannot be made"):
        find()


def test_all_packages_are_pinned_and_packaged():
    assert set(PACKAGES) <= set(pins())
    assert (pins()["paddlepaddle"], pins()["paddle2onnx"]) == ("3.2.2", "2.1.0")
    lines = [line for line in environment.REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][^ ;]*(; python_version .*)?", line) for line in lines)
    assert '"paddle/requirements.txt"' in (ROOT / "pyproject.toml").read_text()


def test_product_never_imports_paddlepaddle(tmp_path):
    code = "import sys, paddlex_triton.export.paddle.convert; assert 'paddle' not in sys.modules"
    assert run_limited([environment.sys.executable, "-c", code], seconds=60, log=tmp_path / "log").succeeded


def test_last_lines_are_those_that_tell():
    output = "\n".join(
        [
            *(f"line {number}" for number in range(9)),
            "",
            "\x1b[0;33m2026 [WARNING]\tdeprecated\x1b[0m",
            "[ERROR][Paddle2ONNX] Can not get input.",
            "--------------",
            "C++ Traceback (most recent call last):",
            "0   paddle2onnx::Export(char const*)",
            "Error Message Summary:",
            "FatalError: `Process abort signal` is detected by the operating system.",
            "  [TimeInfo: *** Aborted at 1 ***]",
            "x" * 1000,
        ]
    )
    assert last_lines(output) == f"line 7 | line 8 | [ERROR][Paddle2ONNX] Can not get input. | {'x' * 300}"
    assert last_lines("") == ""
