"""Taking the files of a network out of an archive that nobody vouches for."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from paddlex_triton.export.errors import SourceError
from paddlex_triton.export.limits import MAX_ARCHIVE_MEMBERS, MAX_UNPACKED_BYTES


def unpack(
    archive: Path,
    into: Path,
    wanted: Collection[str],
    *,
    max_members: int = MAX_ARCHIVE_MEMBERS,
    max_bytes: int = MAX_UNPACKED_BYTES,
) -> list[str]:
    """Unpack the wanted files of a tar archive, whatever folder in it they are in, into one folder.

    Every member is looked at before anything is written; one that reaches outside the archive spoils all of it.

    Args:
        archive: not compressed, as PaddleX's are.
        into: an empty folder.
        wanted: names of files.
        max_members: limit of the archive's members.
        max_bytes: limit of the wanted files' bytes together.

    Returns:
        The names of the files that were there.

    Raises:
        SourceError: it is no such archive, or holds what no archive of a network holds.
        OSError: a file cannot be written.
    """
    try:
        # `r:` takes plain archives only: nothing that unpacks to a thousand times its size.
        with tarfile.open(archive, "r:") as tar:
            files = _choose(tar, wanted, max_members, max_bytes)
            for name, member in files.items():
                source = tar.extractfile(member)
                if source is None:
                    raise SourceError(f"{member.name!r} cannot be read")
                with source, (into / name).open("xb") as target:
                    shutil.copyfileobj(source, target)
    except tarfile.TarError as error:
        raise SourceError(f"no tar archive, or a damaged one: {error}") from None
    return sorted(files)


def _choose(
    tar: tarfile.TarFile, wanted: Collection[str], max_members: int, max_bytes: int
) -> dict[str, tarfile.TarInfo]:
    """Return the members that are wanted: name of the file -> member."""
    files: dict[str, tarfile.TarInfo] = {}
    for count, member in enumerate(tar, start=1):
        if count > max_members:
            raise SourceError(f"more than {max_members} members (MAX_ARCHIVE_MEMBERS)")
        _refuse_hostile(member)
        name = PurePosixPath(member.name).name
        if not member.isreg() or name not in wanted:
            continue
        if name in files:
            raise SourceError(f"two files are called {name}: {files[name].name!r} and {member.name!r}")
        files[name] = member
        if sum(each.size for each in files.values()) > max_bytes:
            raise SourceError(f"unpacks to more than {max_bytes} bytes (MAX_UNPACKED_BYTES)")
    return files


def _refuse_hostile(member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or any(":" in part for part in path.parts[:1]):
        raise SourceError(f"{member.name!r} leads out of the archive")
    if member.issparse() or not (member.isreg() or member.isdir()):
        raise SourceError(f"{member.name!r} is neither a file nor a folder; links and devices are not unpacked")
