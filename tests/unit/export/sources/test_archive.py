"""Archives: PaddleX's are unpacked, hostile ones are refused before anything is written."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hub_server import tar_of

from paddlex_triton.export.errors import SourceError
from paddlex_triton.export.limits import MAX_ARCHIVE_MEMBERS
from paddlex_triton.export.sources.archive import unpack

WANTED = ("inference.json", "inference.pdiparams", "inference.yml")
FILES = {"inference.json": b"{}", "inference.pdiparams": bytes(5000), "inference.yml": b"Global: {}"}


def archive(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "net.tar"
    path.write_bytes(content)
    return path


def with_member(member: tarfile.TarInfo, content: bytes = b"") -> bytes:
    """A good archive with one more member."""
    made = io.BytesIO(tar_of(FILES))
    with tarfile.open(fileobj=made, mode="a:") as tar:
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.fixture
def into(tmp_path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("folder", ["net_infer", ".", "a/b/c"])
def test_wanted_files_are_unpacked(tmp_path, into, folder):
    content = tar_of(FILES | {"README.md": b"read me", "._inference.yml": b"of a Mac"}, folder)
    assert unpack(archive(tmp_path, content), into, WANTED) == sorted(FILES)
    assert {path.name: path.read_bytes() for path in into.iterdir()} == FILES


def test_nothing_wanted_in_it(tmp_path, into):
    assert unpack(archive(tmp_path, tar_of({"README.md": b""})), into, WANTED) == []


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (member("../inference.yml"), "leads out of the archive"),
        (member("net/../../escape"), "leads out of the archive"),
        (member("/etc/passwd"), "leads out of the archive"),
        (member("..\\escape"), "leads out of the archive"),
        (member("C:/escape"), "leads out of the archive"),
        (member("net/link", tarfile.SYMTYPE, "/etc/passwd"), "neither a file nor a folder"),
        (member("net/inference.onnx", tarfile.SYMTYPE, "../../x"), "neither a file nor a folder"),
        (member("net/hard", tarfile.LNKTYPE, "net_infer/inference.yml"), "neither a file nor a folder"),
        (member("net/fifo", tarfile.FIFOTYPE), "neither a file nor a folder"),
        (member("net/null", tarfile.CHRTYPE), "neither a file nor a folder"),
        (member("net/disk", tarfile.BLKTYPE), "neither a file nor a folder"),
        (member("other/inference.yml"), "two files are called inference.yml"),
    ],
    ids=lambda value: value.name if isinstance(value, tarfile.TarInfo) else "",
)
def test_hostile_members_spoil_all_of_it(tmp_path, into, bad, message):
    with pytest.raises(SourceError, match=message):
        unpack(archive(tmp_path, with_member(bad)), into, WANTED)
    assert not list(into.iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"net.tar", "into"}


def test_file_with_holes_is_refused(tmp_path, into):
    """A sparse member claims gigabytes in a few bytes."""
    info = member("net/inference.onnx")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        content = b"1\n0\n1\n".ljust(512, b"\0")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    with pytest.raises(SourceError):
        unpack(archive(tmp_path, made.getvalue()), into, ("inference.onnx",))
    assert not list(into.iterdir())


@pytest.mark.parametrize(("spare", "allowed"), [(0, True), (1, False)])
def test_most_members(tmp_path, into, spare, allowed):
    # The folder counts as well.
    files = {f"{count}.txt": b"" for count in range(MAX_ARCHIVE_MEMBERS - 1 - len(FILES) + spare)}
    path = archive(tmp_path, tar_of(FILES | files))
    if allowed:
        assert len(unpack(path, into, WANTED)) == len(FILES)
        return
    with pytest.raises(SourceError, match=rf"more than {MAX_ARCHIVE_MEMBERS} members \(MAX_ARCHIVE_MEMBERS\)"):
        unpack(path, into, WANTED)
    assert not list(into.iterdir())


def test_most_bytes(tmp_path, into):
    path, most = archive(tmp_path, tar_of(FILES)), sum(map(len, FILES.values()))
    with pytest.raises(SourceError, match=rf"unpacks to more than {most - 1} bytes \(MAX_UNPACKED_BYTES\)"):
        unpack(path, into, WANTED, max_bytes=most - 1)
    assert not list(into.iterdir())
    assert len(unpack(path, into, WANTED, max_bytes=most)) == len(FILES)


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>log in</html>", gzip.compress(tar_of(FILES)), tar_of(FILES)[:3000]],
    ids=["empty", "a web page", "packed", "cut off"],
)
def test_no_archive(tmp_path, into, content):
    with pytest.raises(SourceError, match="no tar archive, or a damaged one"):
        unpack(archive(tmp_path, content), into, WANTED)
