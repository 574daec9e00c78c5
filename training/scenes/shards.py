"""Generated pages on disk, a hundred to a shard: written whole, resumable, read by memory map.

A shard is a folder `pages-00007` of .npy files; the images lie in it as JPEG files one after the other. It is written
under another name and renamed. What is in it depends on the seed and its number alone, so a run that was stopped goes
on where it was, and one that asks for more adds to what is there.

`python -m training.scenes.shards FOLDER --pages 6000 --seed 1 --workers 2`
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import accumulate
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from paddlex_triton.export.shared_folders import locked
from training.console import errors_said
from training.errors import ShardError
from training.files import write_whole
from training.inputs import SIDE
from training.scenes import MIN_SIDE, PageScene
from training.scenes.fonts import chinese_faces, latin_faces
from training.scenes.pages import draw_page_scene, draw_page_without_seals, draw_photograph

PAGES_PER_SHARD = 100
JPEG_QUALITY = 95
# Of the pages: those that have no seal and much that resembles one, and pictures that are no pages.
HARD_NEGATIVES, PHOTOGRAPHS = 0.3, 0.1
# Raised whenever the generators draw something else from the same seed.
GENERATION = 2
# Stands between the seed and a shard's number in what a shard is drawn from; another one would draw other pages.
_STREAM = 1
_COMMAND = "training.scenes.shards"
_Arrays = dict[str, np.ndarray]


def write_shards(
    folder: Path,
    count: int,
    seed: int,
    *,
    side: int = SIDE,
    workers: int = 1,
    tell: Callable[[int], object] | None = None,
) -> list[Path]:
    """Draw pages, as many as are not there yet; about three in ten have no seal and much that resembles one.

    Runs that write into the same folder take turns.

    Args:
        folder: to write into; made where it is missing.
        count: of pages, rounded up to whole shards.
        seed: of all of them.
        side: of the pictures, pixels.
        workers: processes.
        tell: called with the number of pages on disk after each shard.

    Returns:
        The shards' folders, in order.

    Raises:
        ShardError: the folder holds shards of another seed, size or generation, or the side is below `MIN_SIDE`.
        FontsMissing: the system has too few fonts.
    """
    if side < MIN_SIDE:
        raise ShardError(f"side is {side}, at least {MIN_SIDE} pixels are needed")
    chinese_faces()
    latin_faces()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _claim(folder, {"seed": seed, "side": side, "generation": GENERATION})
        paths = [folder / f"pages-{number:05d}" for number in range(-(-count // PAGES_PER_SHARD))]
        missing = [number for number, path in enumerate(paths) if not path.is_dir()]
        done = (len(paths) - len(missing)) * PAGES_PER_SHARD
        if tell:
            tell(done)
        for _ in _written(paths, missing, seed, side, workers):
            done += PAGES_PER_SHARD
            if tell:
                tell(done)
    return paths


class PageShards:
    """Pages of a folder by number.

    Raises:
        ShardError: there is none, or a shard cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        paths = sorted(folder.glob("pages-[0-9]*"))
        if not paths:
            raise ShardError(f"there are no pages in {folder}: draw some with python -m {_COMMAND} {folder}")
        self._shards = [_load(path) for path in paths]
        self._ends = list(accumulate(len(shard["image_offsets"]) - 1 for shard in self._shards))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> PageScene:
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = bisect_right(self._ends, index)
        shard, place = self._shards[number], index - (self._ends[number - 1] if number else 0)
        rows = slice(*shard["box_offsets"][place : place + 2])
        return PageScene(_image(shard, place), np.array(shard["boxes"][rows]), np.array(shard["classes"][rows]))


def _written(paths: list[Path], missing: list[int], seed: int, side: int, workers: int) -> Iterator[object]:
    """Write the missing shards in processes; gives something after each."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, workers), mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        futures = [pool.submit(_write_shard, paths[number], seed, number, side) for number in missing]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _claim(folder: Path, made: dict[str, int]) -> None:
    """Write down what the folder's shards are made of, or refuse to mix."""
    card = folder / "pages.json"
    if not card.exists():
        write_whole(card, json.dumps(made).encode())
    elif (there := json.loads(card.read_text(encoding="utf-8"))) != made:
        raise ShardError(f"{folder} holds pages of {there}, {made} was asked for: take another folder")


def _write_shard(path: Path, seed: int, number: int, side: int) -> None:
    generators = np.random.SeedSequence([seed, _STREAM, number]).spawn(PAGES_PER_SHARD)
    pages = [_draw(np.random.default_rng(state), side) for state in generators]
    arrays = _pack(pages)
    # The next run finds what a killed one left, and writes over it.
    temporary = path.with_name(f".{path.name}.unfinished")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _draw(rng: np.random.Generator, side: int) -> PageScene:
    kind = rng.random()
    if kind < HARD_NEGATIVES:
        return draw_page_without_seals(rng, side)
    return draw_photograph(rng, side) if kind < HARD_NEGATIVES + PHOTOGRAPHS else draw_page_scene(rng, side)


def _pack(pages: Sequence[PageScene]) -> _Arrays:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    files = [cv2.imencode(".jpg", page.image, quality)[1].reshape(-1) for page in pages]
    return {
        "images": np.concatenate(files),
        "image_offsets": _offsets([len(file) for file in files]),
        "box_offsets": _offsets([len(page.boxes) for page in pages]),
        "boxes": np.concatenate([page.boxes for page in pages]),
        "classes": np.concatenate([page.classes for page in pages]),
    }


def _offsets(lengths: Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def _load(path: Path) -> _Arrays:
    try:
        return {
            file.stem: np.load(file, mmap_mode="r" if file.stem == "images" else None, allow_pickle=False)
            for file in sorted(path.glob("*.npy"))
        }
    except (OSError, ValueError) as error:
        raise ShardError(f"{path} cannot be read: {error}") from error


def _image(shard: _Arrays, place: int) -> np.ndarray:
    start, end = shard["image_offsets"][place : place + 2]
    return np.asarray(cv2.imdecode(np.asarray(shard["images"][start:end]), cv2.IMREAD_COLOR))


def generate(
    folder: Annotated[Path, typer.Argument(help="To write the shards into; one that was stopped is gone on with.")],
    pages: Annotated[int, typer.Option(min=1, help="How many, rounded up to hundreds.")] = 6000,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
) -> None:
    """Draw synthetic pages to train on."""
    columns = (TextColumn("pages"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with errors_said(), Progress(*columns) as progress:
        shown = progress.add_task("", total=-(-pages // PAGES_PER_SHARD) * PAGES_PER_SHARD)
        write_shards(folder, pages, seed, workers=workers, tell=lambda done: progress.update(shown, completed=done))


if __name__ == "__main__":
    typer.run(generate)
