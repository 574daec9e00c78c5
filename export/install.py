"""Writes a network into a repository in one step: it is there whole, or not at all.

Everything is written into a staging folder beside the repository and renamed into place. Not inside it: Triton takes
any folder there, hidden ones too, for a model. An old version is renamed into the staging folder first; a run killed
between the two renames is finished by the next one, which puts the old version back.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from paddlex_triton.export.errors import InstallError
from paddlex_triton.export.shared_folders import locked
from paddlex_triton.network import FILE_NAME

_NEW, _OLD = "new", "old"


def staging_folder(repository: Path) -> Path:
    """Return the folder beside a repository in which its networks are put together."""
    repository = repository.resolve()
    return repository.parent / f".paddlex-triton-export-{repository.name}"


def _nothing() -> Sequence[Path]:
    return ()


def install_network(
    repository: Path, name: str, files: Mapping[str, bytes], kept: Callable[[], Sequence[Path]] = _nothing
) -> Path:
    """Install a network, replacing an older one of the same name.

    Args:
        repository: a folder of Triton models, made if missing.
        name: the network's name.
        files: path within the network's folder -> content.
        kept: tells the folders within the old network's folder that the new one has as well; asked once nobody else
            can add to them.

    Returns:
        The network's folder.

    Raises:
        InstallError: the repository cannot be written, is a mount point of its own, or a folder of that name holds
            something that is no exported network.
    """
    target = repository.resolve() / name
    try:
        repository.mkdir(parents=True, exist_ok=True)
        with locked(repository):
            staging = staging_folder(repository)
            _recover(staging, repository.resolve())
            _refuse_foreign(target)
            staging.mkdir()
            _require_same_file_system(staging, repository)
            try:
                _link_kept(kept(), target, staging / _NEW / name)
                _write_all(staging / _NEW / name, files)
                _swap(staging, target)
            finally:
                _recover(staging, repository.resolve())
    except OSError as error:
        raise InstallError(f"{target} cannot be written: {error.strerror or error}") from error
    return target


def replace_file(repository: Path, name: str, file: str, content: bytes) -> None:
    """Write a file of an exported network anew, in one step.

    Args:
        repository: the folder of Triton models.
        name: the network's name.
        file: path within the network's folder.
        content: of the file.

    Raises:
        InstallError: it cannot be written.
    """
    target = repository.resolve() / name / file
    try:
        with locked(repository):
            staging = staging_folder(repository)
            _recover(staging, repository.resolve())
            try:
                _write_all(staging / _NEW / name, {file: content})
                (staging / _NEW / name / file).replace(target)
                sync(target.parent)
            finally:
                _recover(staging, repository.resolve())
    except OSError as error:
        raise InstallError(f"{target} cannot be written: {error.strerror or error}") from error


def clean(repository: Path) -> None:
    """Finish or remove what a killed export left beside a repository.

    Raises:
        InstallError: it cannot be removed.
    """
    if not staging_folder(repository).exists():
        return
    try:
        repository.mkdir(parents=True, exist_ok=True)
        with locked(repository):
            _recover(staging_folder(repository), repository.resolve())
    except OSError as error:
        raise InstallError(f"{staging_folder(repository)} cannot be removed: {error.strerror or error}") from error


def _recover(staging: Path, repository: Path) -> None:
    """Put back an old network that was moved away and never replaced, and remove the staging folder."""
    if not staging.exists():
        return
    moved_away = staging / _OLD
    for old in sorted(moved_away.iterdir()) if moved_away.is_dir() else ():
        if not (repository / old.name).exists():
            old.rename(repository / old.name)
    shutil.rmtree(staging)


def _swap(staging: Path, target: Path) -> None:
    if target.exists():
        (staging / _OLD).mkdir()
        target.rename(staging / _OLD / target.name)
    (staging / _NEW / target.name).rename(target)
    sync(target.parent)


def _link_kept(kept: Sequence[Path], old: Path, new: Path) -> None:
    """Link the same files under both: whichever of the two stays has them."""
    for folder in kept:
        shutil.copytree(folder, new / folder.resolve().relative_to(old), copy_function=os.link)


def _write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    for relative, content in files.items():
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
    for inner in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync(inner)


def sync(path: Path) -> None:
    """Make a file's content, or the names in a folder, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse_foreign(target: Path) -> None:
    """Never replace what export did not write: the modules lie in the same repository."""
    if target.exists() and not (target / FILE_NAME).is_file():
        raise InstallError(f"{target} is there and is no exported network (it has no {FILE_NAME}); not replaced")


def _require_same_file_system(staging: Path, repository: Path) -> None:
    if staging.stat().st_dev != repository.stat().st_dev:
        raise InstallError(
            f"{repository} is a mount point: a network can only be moved into it in one step from the same file "
            "system. Choose a folder below it"
        )
