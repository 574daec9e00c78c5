"""Generated scenes on disk, a hundred to a shard: written whole, resumable, read by memory map.

A shard is a folder `seals-00007` or `pages-00007` of .npy files; the images lie in it as JPEG files one after the
other. It is written under another name and renamed. What is in it depends on the seed and its number alone, so a run
that was stopped goes on where it was, and one that asks for more adds to what is there.

`python -m paddlex_triton.export.training.scenes.shards FOLDER --seals 12000 --pages 6000 --seed 1 --workers 2`
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
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from paddlex_triton.export.errors import ExportError
from paddlex_triton.export.locks import locked
from paddlex_triton.export.training.errors import ShardError
from paddlex_triton.export.training.scenes import MIN_SIDE, PageScene, SealScene
from paddlex_triton.export.training.scenes.fonts import chinese_faces, latin_faces
from paddlex_triton.export.training.scenes.pages import draw_page_scene, draw_page_without_seals
from paddlex_triton.export.training.scenes.seals import draw_seal_scene

SCENES_PER_SHARD = 100
JPEG_QUALITY = 95
# Of the pages, those that have no seal and much that resembles one.
HARD_NEGATIVES = 0.18
# Raised whenever the generators draw something else from the same seed.
GENERATION = 1
_KINDS = ("seals", "pages")
_Arrays = dict[str, np.ndarray]


def write_seal_shards(
    folder: Path,
    count: int,
    seed: int,
    *,
    side: int = 576,
    workers: int = 1,
    tell: Callable[[int], object] | None = None,
) -> list[Path]:
    """Draw scenes for the seal text detector, as many as are not there yet.

    Runs that write into the same folder take turns.

    Args:
        folder: to write into; made where it is missing.
        count: of scenes, rounded up to whole shards.
        seed: of all of them.
        side: of the pictures, pixels.
        workers: processes.
        tell: called with the number of scenes on disk after each shard.

    Returns:
        The shards' folders, in order.

    Raises:
        ShardError: the folder holds shards of another seed, size or generation, or the side is below `MIN_SIDE`.
        FontsMissing: the system has too few fonts.
    """
    return _write("seals", Path(folder), count, seed, side, workers, tell)


def write_page_shards(
    folder: Path,
    count: int,
    seed: int,
    *,
    side: int = 640,
    workers: int = 1,
    tell: Callable[[int], object] | None = None,
) -> list[Path]:
    """Draw pages for the layout detector; as `write_seal_shards`. About a fifth are hard negatives."""
    return _write("pages", Path(folder), count, seed, side, workers, tell)


class _Shards:
    """All shards of one kind in a folder."""

    kind = ""

    def __init__(self, folder: Path) -> None:
        paths = sorted(Path(folder).glob(f"{self.kind}-[0-9]*"))
        if not paths:
            raise ShardError(f"No {self.kind} in {folder}: write some with write_{self.kind[:-1]}_shards")
        self._shards = [_load(path) for path in paths]
        self._ends = list(accumulate(len(shard["image_offsets"]) - 1 for shard in self._shards))

    def __len__(self) -> int:
        return self._ends[-1]

    def _find(self, index: int) -> tuple[_Arrays, int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = bisect_right(self._ends, index)
        return self._shards[number], index - (self._ends[number - 1] if number else 0)


class SealShards(_Shards):
    """Scenes of a folder by number: a sequence of `SealScene`.

    Raises:
        ShardError: there is none, or a shard cannot be read.
    """

    kind = "seals"

    def __getitem__(self, index: int) -> SealScene:
        shard, place = self._find(index)
        lines = range(*shard["line_offsets"][place : place + 2])
        ends = shard["point_offsets"]
        return SealScene(
            _image(shard, place),
            [np.array(shard["points"][ends[line] : ends[line + 1]]) for line in lines],
            [float(shard["glyph_heights"][line]) for line in lines],
            [str(shard["texts"][line]) for line in lines],
        )


class PageShards(_Shards):
    """Pages of a folder by number: a sequence of `PageScene`.

    Raises:
        ShardError: there is none, or a shard cannot be read.
    """

    kind = "pages"

    def __getitem__(self, index: int) -> PageScene:
        shard, place = self._find(index)
        rows = slice(*shard["box_offsets"][place : place + 2])
        return PageScene(_image(shard, place), np.array(shard["boxes"][rows]), np.array(shard["classes"][rows]))


def _write(
    kind: str, folder: Path, count: int, seed: int, side: int, workers: int, tell: Callable[[int], object] | None
) -> list[Path]:
    if side < MIN_SIDE:
        raise ShardError(f"side is {side}, at least {MIN_SIDE} pixels are needed")
    chinese_faces()
    latin_faces()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _claim(folder, kind, {"seed": seed, "side": side, "generation": GENERATION})
        paths = [folder / f"{kind}-{number:05d}" for number in range(-(-count // SCENES_PER_SHARD))]
        missing = [number for number, path in enumerate(paths) if not path.is_dir()]
        done = (len(paths) - len(missing)) * SCENES_PER_SHARD
        if tell:
            tell(done)
        for _ in _written(kind, paths, missing, seed, side, workers):
            done += SCENES_PER_SHARD
            if tell:
                tell(done)
    return paths


def _written(kind: str, paths: list[Path], missing: list[int], seed: int, side: int, workers: int) -> Iterator[object]:
    """Write the missing shards in processes; gives something after each."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, workers), mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        futures = [pool.submit(_write_shard, kind, paths[number], seed, number, side) for number in missing]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _claim(folder: Path, kind: str, made: dict[str, int]) -> None:
    """Write down what the folder's shards are made of, or refuse to mix."""
    card = folder / f"{kind}.json"
    if card.exists():
        there = json.loads(card.read_text(encoding="utf-8"))
        if there != made:
            raise ShardError(f"{folder} holds {kind} of {there}, {made} was asked for: take another folder")
        return
    temporary = card.with_suffix(".unfinished")
    temporary.write_text(json.dumps(made), encoding="utf-8")
    temporary.replace(card)


def _write_shard(kind: str, path: Path, seed: int, number: int, side: int) -> None:
    generators = np.random.SeedSequence([seed, _KINDS.index(kind), number]).spawn(SCENES_PER_SHARD)
    scenes = [_draw(kind, np.random.default_rng(state), side) for state in generators]
    arrays = _pack_images([scene.image for scene in scenes])
    arrays |= _pack_lines(scenes) if kind == "seals" else _pack_boxes(scenes)
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


def _draw(kind: str, rng: np.random.Generator, side: int) -> Any:
    if kind == "seals":
        return draw_seal_scene(rng, side)
    return draw_page_without_seals(rng, side) if rng.random() < HARD_NEGATIVES else draw_page_scene(rng, side)


def _pack_images(images: Sequence[np.ndarray]) -> _Arrays:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    files = [cv2.imencode(".jpg", image, quality)[1].reshape(-1) for image in images]
    return {"images": np.concatenate(files), "image_offsets": _offsets([len(file) for file in files])}


def _pack_lines(scenes: Sequence[SealScene]) -> _Arrays:
    polygons = [polygon for scene in scenes for polygon in scene.polygons]
    return {
        "line_offsets": _offsets([len(scene.polygons) for scene in scenes]),
        "point_offsets": _offsets([len(polygon) for polygon in polygons]),
        "points": np.concatenate([np.zeros((0, 2), np.float32), *polygons]),
        "glyph_heights": np.array([height for scene in scenes for height in scene.glyph_heights], np.float32),
        "texts": np.array([text for scene in scenes for text in scene.texts], np.str_),
    }


def _pack_boxes(scenes: Sequence[PageScene]) -> _Arrays:
    return {
        "box_offsets": _offsets([len(scene.boxes) for scene in scenes]),
        "boxes": np.concatenate([scene.boxes for scene in scenes]),
        "classes": np.concatenate([scene.classes for scene in scenes]),
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
    seals: Annotated[int, typer.Option(min=0, help="Scenes of seals.")] = 12000,
    pages: Annotated[int, typer.Option(min=0, help="Pages.")] = 6000,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
) -> None:
    """Draw synthetic seals and pages to train on."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, TimeRemainingColumn()) as progress:
            for kind, count, write in (("seals", seals, write_seal_shards), ("pages", pages, write_page_shards)):
                if not count:
                    continue
                task = progress.add_task(kind, total=-(-count // SCENES_PER_SHARD) * SCENES_PER_SHARD)
                write(
                    folder,
                    count,
                    seed,
                    workers=workers,
                    tell=lambda done, task=task: progress.update(task, completed=done),
                )
    except ExportError as error:
        Console(stderr=True).print(f"[red]{error}[/red]", soft_wrap=True)
        raise typer.Exit(error.exit_code) from None


if __name__ == "__main__":
    typer.run(generate)
