"""Where plans are put together, beside the repository, and the step into a network's folder: whole, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paddlex_triton.export.errors import InstallError
from paddlex_triton.export.install import staging_folder, sync
from paddlex_triton.export.shared_folders import lock_open_folder, locked
from paddlex_triton.network import FILE_NAME, NetworkInfo
from paddlex_triton.tensorrt_plans import FOLDER

_OLD = "old"


def build_folder_of(repository: Path) -> Path:
    """Return the folder beside a repository in which its plans are made."""
    folder = staging_folder(repository)
    return folder.with_name(f"{folder.name}.plans")


@contextmanager
def locked_build_folder(repository: Path) -> Iterator[Path]:
    """Give an empty folder to make plans in, removed afterwards; what a killed run left is put right before.

    Builds take turns: each measures how fast kernels are, and another one on the same GPU would spoil it.

    Raises:
        InstallError: the folder cannot be made.
    """
    folder = build_folder_of(repository)
    try:
        with _locked_in_place(folder):
            _recover(folder, repository)
            try:
                yield folder
            finally:
                _recover(folder, repository)
                folder.rmdir()
    except OSError as error:
        raise InstallError(f"{folder}: {error.strerror or error}") from error


def recover_killed_build(repository: Path) -> None:
    """Put right what a killed build left, unless another one is at work there. For runs that may build nothing."""
    folder = build_folder_of(repository)
    if not folder.exists():
        return
    # What cannot be done here the next build does, or says why not.
    with suppress(OSError):
        handle = _lock(folder, wait=False)
        if handle is None:
            return
        try:
            _recover(folder, repository)
            folder.rmdir()
        finally:
            os.close(handle)


@contextmanager
def _locked_in_place(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder that its last user removes: whoever waited for that one starts over."""
    while (handle := _lock(folder, wait=True)) is None:
        pass
    try:
        yield
    finally:
        os.close(handle)


def _lock(folder: Path, *, wait: bool) -> int | None:
    """Make and lock a folder; None if somebody else has its lock, or removed it before the lock was got."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return None
    mine = False
    try:
        # As long as it is open, its number belongs to no other folder.
        mine = lock_open_folder(handle, wait=wait) and folder.stat().st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        pass
    finally:
        if not mine:
            os.close(handle)
    return handle if mine else None


def install_plan(made: Path, repository: Path, info: NetworkInfo) -> Path:
    """Move a plan's folder into its network's.

    Plans of other ONNX files, and others of the same target, go with it.

    Args:
        made: the folder, in the build folder, under the name that it is to have.
        repository: the network's.
        info: the network.json that the plan was made of.

    Returns:
        The plan's folder.

    Raises:
        InstallError: the network was exported anew meanwhile, or cannot be written.
    """
    repository = repository.resolve()
    network = repository / info.name
    target = network / FOLDER / made.name
    _sync(made)
    try:
        with locked(repository):
            _require_same(network, info)
            target.parent.mkdir(exist_ok=True)
            if target.exists():
                moved = made.parent / _OLD / info.name / made.name
                moved.parent.mkdir(parents=True)
                target.rename(moved)
            made.rename(target)
            _remove_others(target, info.sha256)
            _sync(target.parent)
    except OSError as error:
        raise InstallError(f"{target} cannot be written: {error.strerror or error}") from error
    return target


def _require_same(network: Path, info: NetworkInfo) -> None:
    try:
        present = NetworkInfo.load(network / FILE_NAME)
    except ValueError:
        present = None
    if present is None or present.sha256 != info.sha256:
        raise InstallError(
            f"{network.name} was exported anew while its plan was made; the plan is of no use. Run again"
        )


def _remove_others(target: Path, sha256: str) -> None:
    """Remove plans of other ONNX files, and one of the same target in another precision."""
    same = _without_precision(target)
    for other in target.parent.iterdir():
        if other == target:
            continue
        if not other.name.startswith(sha256[:12]) or _without_precision(other) == same:
            shutil.rmtree(other)


def _without_precision(plan: Path) -> str:
    return plan.name.rsplit("-", 1)[0]


def _recover(folder: Path, repository: Path) -> None:
    """Put back plans that were moved away and never replaced, and empty the folder."""
    for old in sorted((folder / _OLD).glob("*/*")):
        place = repository.resolve() / old.parent.name / FOLDER / old.name
        if not place.exists() and place.parent.is_dir():
            old.rename(place)
    for left in folder.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def _sync(folder: Path) -> None:
    """Make files and their names survive a power cut."""
    for path in (*(path for path in folder.iterdir() if path.is_file()), folder):
        sync(path)
