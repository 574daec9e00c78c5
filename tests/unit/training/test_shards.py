"""Shards of pages on disk: whole, resumable, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from training.errors import ShardError
from training.scenes import shards

pytestmark = pytest.mark.usefixtures("drawing_fonts")


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.npy"))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    shards.write_shards(folder, 150, 3, side=192, workers=2)
    return folder


def test_counts_are_rounded_up_to_whole_shards(folder: Path) -> None:
    assert len(shards.PageShards(folder)) == 200


def test_pages_come_back(folder: Path) -> None:
    pages = shards.PageShards(folder)
    for page in (pages[0], pages[99], pages[100], pages[199]):
        assert page.image.shape == (192, 192, 3)
        assert page.boxes.shape == (len(page.classes), 4)
    assert sum(len(pages[index].boxes) for index in range(200)) > 100


def test_a_page_is_the_one_drawn(folder: Path) -> None:
    seed = np.random.SeedSequence([3, 1, 1]).spawn(shards.PAGES_PER_SHARD)[7]
    drawn = shards._draw(np.random.default_rng(seed), 192)
    read = shards.PageShards(folder)[107]
    assert np.array_equal(read.boxes, drawn.boxes) and np.array_equal(read.classes, drawn.classes)
    assert np.abs(read.image.astype(int) - drawn.image).mean() < 8


@pytest.mark.parametrize("index", [-1, 200])
def test_numbers_beyond_the_ends_are_refused(folder: Path, index: int) -> None:
    with pytest.raises(IndexError):
        shards.PageShards(folder)[index]


def test_a_stopped_run_goes_on_with_what_is_missing(folder: Path, tmp_path: Path) -> None:
    shards.write_shards(tmp_path, 100, 3, side=192)
    first = (tmp_path / "pages-00000" / "images.npy").stat().st_mtime_ns
    told: list[int] = []
    shards.write_shards(tmp_path, 200, 3, side=192, tell=told.append)
    assert told == [100, 200]
    assert (tmp_path / "pages-00000" / "images.npy").stat().st_mtime_ns == first
    assert _bytes(tmp_path) == _bytes(folder)


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        shards._write_shard(tmp_path / "pages-00000", 1, 0, 192)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_written_over(tmp_path: Path) -> None:
    left = tmp_path / ".pages-00000.unfinished"
    left.mkdir()
    (left / "boxes.npy").write_bytes(b"half")
    shards.write_shards(tmp_path, 1, 3, side=192)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pages-00000", "pages.json"]
    assert len(shards.PageShards(tmp_path)) == 100


@pytest.mark.parametrize(("seed", "side"), [(4, 192), (3, 193)])
def test_shards_of_other_pages_are_not_mixed(folder: Path, seed: int, side: int) -> None:
    with pytest.raises(ShardError, match="take another folder"):
        shards.write_shards(folder, 100, seed, side=side)


def test_pictures_that_are_too_small_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="side is 191, at least 192"):
        shards.write_shards(tmp_path, 1, 1, side=191)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="there are no pages in"):
        shards.PageShards(tmp_path)


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    shards.write_shards(tmp_path, 1, 1, side=192)
    (tmp_path / "pages-00000" / "boxes.npy").write_bytes(b"nothing")
    with pytest.raises(ShardError, match="pages-00000 cannot be read"):
        shards.PageShards(tmp_path)


def test_the_command_says_what_is_wrong(folder: Path) -> None:
    app = shards.typer.Typer()
    app.command()(shards.generate)
    result = CliRunner().invoke(app, [str(folder), "--pages", "1", "--seed", "9"])
    assert result.exit_code == 1
    assert "take another folder" in result.output
