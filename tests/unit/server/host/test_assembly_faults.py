"""What is put together of files that are damaged, and on a disk that is full."""

import errno
import re
import shutil
from pathlib import Path

import pytest
from stand_in_networks import write_network

from paddlex_triton import paths
from paddlex_triton.server.host import launcher
from paddlex_triton.server.host.assemble import assemble
from paddlex_triton.server.host.errors import AssemblyError, ServerStartError
from paddlex_triton.server.host.launcher import EmbeddedServer
from paddlex_triton.server.host.preflight import check_directory

DETECTOR, RECOGNISER = "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """The networks of OCR, and no other place to look for them."""
    folder = tmp_path / "networks"
    write_network(folder, DETECTOR, "db_detection")
    write_network(folder, RECOGNISER, "ctc_recognition")
    monkeypatch.setattr(paths, "networks_repository", lambda: tmp_path / "nowhere")
    return folder


def build(repository, target, **options):
    return assemble(target, pipelines=["OCR"], presets={"OCR": "PP-OCRv4_mobile"}, networks=[repository], **options)


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("flavour", [None, "cpu", "openvino", "gpu"])
@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        (flip, "is damaged: it is not the file that was exported"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "is damaged"),
        (lambda file: file.write_bytes(b""), "is damaged"),
        (Path.unlink, "is missing"),
        (lambda file: (file.unlink(), file.mkdir()), "cannot be read: Is a directory"),
    ],
    ids=["a bit", "cut", "empty", "gone", "a folder"],
)
def test_a_damaged_network_is_refused_by_name(repository, tmp_path, flavour, harm, fault):
    if flavour == "openvino":
        for name in (DETECTOR, RECOGNISER):
            shutil.copyfile(repository / name / "config.pbtxt", repository / name / "configs" / "openvino.pbtxt")
    build(repository, tmp_path / "models", flavour=flavour)
    file = repository / RECOGNISER / "1" / "model.onnx"
    harm(file)
    with pytest.raises(
        AssemblyError, match=f"^{re.escape(str(file))} {fault}.*Run: paddlex-triton export {RECOGNISER}$"
    ):
        build(repository, tmp_path / "models", flavour=flavour)
    assert (tmp_path / "models" / "assembly.json").is_file()


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("harm", [flip, Path.unlink])
def test_a_damaged_directory_is_refused(repository, tmp_path, copy, harm):
    target = tmp_path / "models"
    build(repository, target, copy=copy)
    check_directory(target)
    file = target / DETECTOR / "1" / "model.onnx"
    harm(file.resolve())
    said = "is damaged" if harm is flip else "is missing"
    with pytest.raises(ServerStartError, match=f"^{file} {said}.*Run: paddlex-triton assemble {target}, with"):
        EmbeddedServer(directory=target).start()


def test_directories_of_others_are_let_pass(tmp_path):
    check_directory(tmp_path)
    (tmp_path / "assembly.json").write_text("{")
    check_directory(tmp_path)


@pytest.mark.parametrize("copy", [False, True])
def test_a_full_disk_leaves_nothing_half_written(repository, tmp_path, monkeypatch, copy):
    target = tmp_path / "served" / "models"
    build(repository, target)
    before = sorted(target.rglob("*"))

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(AssemblyError, match=f"{target} cannot be written: .*No space left on device$"):
        build(repository, target, copy=copy)
    assert sorted(target.rglob("*")) == before
    assert list(target.parent.iterdir()) == [target]


def test_a_server_with_no_place_for_its_files(repository, tmp_path, monkeypatch):
    def full(folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(launcher, "link_backends", full)
    monkeypatch.setattr(launcher.tempfile, "tempdir", str(tmp_path))
    server = EmbeddedServer(["OCR"], presets={"OCR": "PP-OCRv4_mobile"}, networks=[repository])
    with pytest.raises(ServerStartError, match=f"cannot be put together in {tmp_path}/paddlex-triton-.*No space left"):
        server.start()
    assert [path.name for path in tmp_path.iterdir()] == ["networks"]
