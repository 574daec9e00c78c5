"""Every kind of input, as pages."""

import errno
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pypdfium2
import pytest
from PIL import Image

from paddlex_triton.client import inputs as inputs_module
from paddlex_triton.client import pages as pages_module
from paddlex_triton.client.contents import SUFFIXES
from paddlex_triton.client.exceptions import ImageTooLargeError, InputError, InvalidImageError
from paddlex_triton.client.inputs import PageReader
from paddlex_triton.client.pages import Page, check_pixels, check_size, page_from_array
from paddlex_triton.limits import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS

PNG = cv2.imencode(".png", np.arange(48, dtype=np.uint8).reshape(4, 4, 3))[1].tobytes()


def read(source):
    return list(PageReader(source))


def tiff(count: int) -> bytes:
    frames = [Image.fromarray(np.full((4, 6, 3), 10 * index, np.uint8)) for index in range(1, count + 1)]
    file = io.BytesIO()
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:])
    return file.getvalue()


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_travels_as_it_is(tmp_path, kind):
    path = tmp_path / "a.PNG"
    path.write_bytes(PNG)
    assert read(kind(path)) == [Page(PNG, str(path), None)]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_travel_as_they_are_without_a_path(kind):
    assert read(kind(PNG)) == [Page(PNG, None, None)]


@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7), (5, 7, 1), (1, 1), (3, 1, 3)])
def test_an_array_arrives_as_it_was(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    (page,) = read(array)
    assert page.payload.startswith(b"BM")
    assert (page.input_path, page.page_index) == (None, None)
    expected = array if array.ndim == 3 and array.shape[2] == 3 else np.repeat(array.reshape(*shape[:2], 1), 3, 2)
    assert np.array_equal(page.image(), expected)


def test_a_strided_view_arrives_as_it_was():
    array = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)[::2, ::-1]
    assert np.array_equal(read(array)[0].image(), array)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((4, 4, 4), np.uint8), r"\[4, 4, 4\]"),
        (np.zeros((2, 4, 4, 3), np.uint8), "as a list"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (np.zeros(4, np.uint8), r"\[4\]"),
    ],
)
def test_other_arrays_are_refused(array, says):
    with pytest.raises(InputError, match=says):
        read(array)


def test_an_array_too_large_for_bmp_travels_as_png(monkeypatch):
    array = np.zeros((30, 30, 3), np.uint8)
    monkeypatch.setattr(pages_module, "MAX_IMAGE_BYTES", 2000)
    page = page_from_array(array)
    assert page.payload.startswith(b"\x89PNG")
    assert np.array_equal(page.image(), array)


def test_size_limits():
    check_size(MAX_IMAGE_BYTES, None)
    with pytest.raises(ImageTooLargeError, match=f"at most {MAX_IMAGE_BYTES}"):
        check_size(MAX_IMAGE_BYTES + 1, "a")
    check_pixels(MAX_IMAGE_PIXELS, 1, None)
    with pytest.raises(ImageTooLargeError, match=f"at most {MAX_IMAGE_PIXELS}"):
        check_pixels(MAX_IMAGE_PIXELS + 1, 1, "a")


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "large.bmp"
    with path.open("wb") as file:
        file.truncate(MAX_IMAGE_BYTES + 1)
    with pytest.raises(ImageTooLargeError, match=r"large\.bmp"):
        read(str(path))


@pytest.mark.parametrize("wrap", [lambda x: {"img": x}, lambda x: [{"img": x}], lambda x: {"img": [x]}, lambda x: (x,)])
def test_dicts_and_lists(wrap):
    assert read(wrap(PNG)) == [Page(PNG)]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_list_keeps_its_order(count, numbered):
    assert [page.image()[0, 0, 0] for page in read([numbered(k) for k in range(count)])] == list(range(count))


@pytest.mark.parametrize("bad", [None, 7, {"image": PNG}, {}, {"img": PNG, "x": 1}, {PNG}, frozenset("a")])
def test_other_kinds_are_refused_at_once(bad):
    with pytest.raises(InputError):
        PageReader(bad)


class Tensor:
    """Like those of PyTorch: its rows are tensors, and a single number has none."""

    dtype = "torch.uint8"

    def __array__(self) -> np.ndarray:
        return np.zeros((4, 4), np.uint8)

    def __iter__(self) -> Iterator["Tensor"]:
        return iter([Tensor()])


class Column:
    """Like pandas' of paths."""

    dtype = np.dtype(object)

    def __array__(self) -> np.ndarray:
        return np.array(list(self), object)

    def __iter__(self) -> Iterator[Any]:
        return iter([np.zeros((4, 4), np.uint8)] * 2)


@pytest.mark.parametrize("bad", [Tensor(), Image.new("RGB", (4, 4)), np.float64(3)])
def test_what_is_like_an_array_is_refused_with_the_remedy(bad):
    with pytest.raises(InputError, match=r"is not read here; give numpy\.asarray\(\.\.\.\) of it, uint8 in BGR order"):
        read(bad)


def test_a_column_of_inputs_is_several():
    column: Any = Column()
    assert len(read(column)) == 2


class Failing:
    """A path, or a file, that raises."""

    def __fspath__(self) -> str:
        raise KeyError("mine")


class FailingFile:
    def read(self) -> bytes:
        raise KeyError("mine")


@pytest.mark.parametrize("bad", [Failing(), FailingFile()])
def test_what_paths_and_files_raise_is_named(bad):
    with pytest.raises(InputError, match="KeyError: 'mine'") as caught:
        read(bad)
    assert isinstance(caught.value.__cause__, KeyError)
    (outcome,) = PageReader([bad]).outcomes()
    assert isinstance(outcome, InputError)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "its name is empty"),
        (
            "ftp://us:pass@host/a.png",
            r"^ftp://host/a\.png: there is no such file; of URLs, http:// and https:// are fetched",
        ),
        ("s3://bucket/a.png?token=eyJ", r"^s3://bucket/a\.png\?token=\.\.\.: "),
        ("file:///a.png", "of URLs, http:// and https:// are fetched"),
    ],
)
def test_strings_that_are_no_paths(name, says):
    with pytest.raises(InputError, match=says):
        read(name)


def test_bytes_of_numpy_are_bytes():
    (page,) = read(np.bytes_(b"GIF89a"))
    assert type(page.payload) is bytes


@pytest.mark.parametrize("opened", [lambda path: path.open("rb"), lambda path: io.BytesIO(path.read_bytes())])
def test_a_file_object_is_read_as_bytes(tmp_path, opened):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    with opened(path) as file:
        assert read(file) == [Page(PNG, None)]
    with opened(path) as file:
        assert read([PNG, {"img": file}]) == [Page(PNG)] * 2
    with opened(path) as file:
        assert PageReader(file).total == 1


def test_other_file_objects_are_refused(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("text")
    with path.open() as file, pytest.raises(InputError, match="gives str: open it with 'rb'"):
        PageReader(file)  # pyright: ignore[reportArgumentType]
    with path.open("rb") as file:
        pass
    with pytest.raises(InputError, match=r"cannot be read: .*closed"):
        PageReader(file)


def test_inputs_without_a_path_are_counted_in_errors():
    bad = np.zeros((4, 4, 3), np.float32)
    with pytest.raises(InputError, match=r"^input 2: the array has dtype float32"):
        read([PNG, bad])
    with pytest.raises(InputError, match=r"^input 1: "):
        read(iter([bad]))
    with pytest.raises(InputError, match=r"^the array has dtype float32"):
        read(bad)
    with pytest.raises(InputError, match=r"^input 2: an input of type float"):
        read([PNG, 3.5])  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=r"^an input of type int"):
        PageReader(7)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=r"^input 2: the PDF cannot be opened"):
        read([PNG, b"%PDF-"])
    assert [page.label for page in read([PNG, tiff(2)])] == ["input 1", "page 1 of input 2", "page 2 of input 2"]
    assert [page.label for page in read(PNG)] == [None]


def test_outcomes_go_on_behind_an_error(tmp_path):
    for name in ("a.png", "c.png"):
        (tmp_path / name).write_bytes(PNG)
    for name in ("b.ppm", "d.tif"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
    outcomes = list(PageReader([str(tmp_path), "nowhere.png", np.zeros(4, np.uint8), PNG]).outcomes())
    shown = [str(found).split(":")[0] if isinstance(found, Exception) else found.label for found in outcomes]
    folder = [str(tmp_path / name) for name in ("a.png", "b.ppm", "c.png", "d.tif")]
    assert shown == [*folder, "nowhere.png", "input 3", "input 4"]
    assert [isinstance(found, InputError) for found in outcomes] == [False, True, False, True, True, True, False]


COLOURS = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)


def decoded_kinds() -> dict[str, bytes]:
    """Files that servers do not read, by suffix."""
    made = {suffix: cv2.imencode(f".{suffix}", COLOURS)[1].tobytes() for suffix in ("ppm", "pnm", "sr", "ras")}
    grey = {suffix: cv2.imencode(f".{suffix}", COLOURS[..., 0])[1].tobytes() for suffix in ("pgm", "pbm")}
    return {**made, **grey, "P3.ppm": b"P3\n# by hand\n1 2 255\n1 2 3\n4 5 6\n"}


@pytest.mark.parametrize("name", ["a.ppm", "a.PNM", "a.sr", "a.ras", "a.pgm", "a.pbm", "a.P3.ppm"])
def test_kinds_that_servers_do_not_read_are_decoded_here(tmp_path, name):
    content = decoded_kinds()[name[2:].lower() if name != "a.P3.ppm" else "P3.ppm"]
    path = tmp_path / name
    path.write_bytes(content)
    expected = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    for source, input_path in ((str(path), str(path)), (content, None)):
        (page,) = read(source)
        assert page.payload.startswith(b"BM")
        assert (page.input_path, page.page_index) == (input_path, None)
        assert np.array_equal(page.image(), expected)


def test_their_colours_are_in_order():
    (page,) = read(decoded_kinds()["P3.ppm"])
    assert page.image().tolist() == [[[3, 2, 1]], [[6, 5, 4]]]


@pytest.mark.parametrize("name", ["a.ppm", "a.pgm", "a.pbm", "a.pnm", "a.sr", "a.ras"])
@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"P6\n", b"\x59\xa6\x6a\x95"])
def test_broken_ones_are_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}: (the image cannot be decoded|the file is empty)"):
        read(str(path))


def test_their_size_limits(tmp_path, monkeypatch):
    path = tmp_path / "a.ppm"
    path.write_bytes(decoded_kinds()["ppm"])
    monkeypatch.setattr(pages_module, "MAX_IMAGE_PIXELS", 34)
    with pytest.raises(ImageTooLargeError, match=r"a\.ppm: .*35 pixels; at most 34"):
        read(str(path))
    with path.open("wb") as file:
        file.truncate(MAX_IMAGE_BYTES + 1)
    with pytest.raises(ImageTooLargeError, match=r"a\.ppm: .*at most"):
        read(str(path))


def test_a_directory_is_read_sorted_with_its_subfolders(tmp_path):
    for name in ("b.png", "a/z.jpg", "a.png", "C.BMP", "notes.txt", "png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(PNG)
    reader = PageReader(str(tmp_path))
    names = [page.input_path for page in reader]
    assert names == sorted(str(tmp_path / name) for name in ("b.png", "a/z.jpg", "a.png", "C.BMP"))
    assert reader.total == 4


def test_hidden_files_and_folders_are_left_out_of_a_directory(tmp_path):
    hidden = ["._page.png", ".page.png", "__MACOSX/page.png", "__MACOSX/a/._page.png", ".trash/page.png"]
    hidden += ["@eaDir/page.png/small.jpg", "$RECYCLE.BIN/page.png", "a/.cache/b/page.png"]
    seen = ["a/page.png", "page.png", "page._.png"]
    for name in hidden + seen:
        (tmp_path / ".in" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / ".in" / name).write_bytes(PNG)
    reader = PageReader(str(tmp_path / ".in"))
    assert [page.input_path for page in reader] == sorted(str(tmp_path / ".in" / name) for name in seen)
    assert reader.total == 3
    # One that is named is read.
    assert len(read([str(tmp_path / ".in" / name) for name in hidden])) == len(hidden)


def test_a_folder_that_cannot_be_looked_into_is_named(tmp_path, monkeypatch):
    for name in ("a/page.png", "b/page.png", "c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(PNG)
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "a":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    reader = PageReader(str(tmp_path))
    *pages, error = reader.outcomes()
    assert [page.label for page in pages if isinstance(page, Page)] == [
        str(tmp_path / "b/page.png"),
        str(tmp_path / "c.png"),
    ]
    assert str(error) == f"{tmp_path}/a: the folder cannot be read: Permission denied"
    assert reader.total == 3


def test_names_that_are_not_utf8(tmp_path):
    folder = tmp_path / os.fsdecode("发票".encode("gbk"))
    folder.mkdir()
    contents = {"a.pdf": pdf(1), "b.png": PNG, "c.ppm": decoded_kinds()["ppm"], "d.tif": tiff(1)}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    names = [str(folder / name) for name in contents]
    for source in (str(folder), os.fsencode(folder).decode(errors="surrogateescape"), names):
        assert [page.input_path for page in read(source)] == names


def pdf(count: int) -> bytes:
    document = pypdfium2.PdfDocument.new()
    for _ in range(count):
        document.new_page(30, 20)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


WRONG_NAMES = ("photo.jfif", "photo.jpe", "no_suffix", "upload_1.tmp", "a.pdf", "a.tif", "a.jpg", "a.PPM", "a.txt")


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_a_file_that_is_named_is_read_as_its_bytes_are(tmp_path, name):
    path = tmp_path / name
    for content in (PNG, *(cv2.imencode(suffix, COLOURS)[1].tobytes() for suffix in (".jpg", ".bmp", ".webp"))):
        path.write_bytes(content)
        assert read(str(path)) == read([path]) == [Page(content, str(path), None)]
    path.write_bytes(pdf(2))
    assert [(page.page_index, page.image().shape) for page in read(str(path))] == [(0, (40, 60, 3)), (1, (40, 60, 3))]
    path.write_bytes(tiff(2))
    assert [(page.page_index, page.image()[0, 0, 0]) for page in read(str(path))] == [(0, 10), (1, 20)]
    path.write_bytes(decoded_kinds()["ppm"])
    (page,) = read(str(path))
    assert page.payload.startswith(b"BM")
    assert np.array_equal(page.image(), COLOURS)


def test_in_a_directory_suffixes_choose_and_bytes_decide(tmp_path):
    for name in WRONG_NAMES:
        (tmp_path / name).write_bytes(PNG)
    (tmp_path / "b.jpg").write_bytes(pdf(2))
    found = [(Path(str(page.input_path)).name, page.page_index) for page in read(str(tmp_path))]
    chosen = [(name, None) for name in sorted(WRONG_NAMES) if name not in ("no_suffix", "upload_1.tmp", "a.txt")]
    assert found == [*chosen[:-2], ("b.jpg", 0), ("b.jpg", 1), *chosen[-2:]]


@pytest.mark.parametrize("name", ["a.png", "no_suffix"])
def test_paths_of_bytes_are_paths(tmp_path, name):
    (tmp_path / name).write_bytes(PNG)
    with os.scandir(os.fsencode(tmp_path)) as entries:
        assert read(list(entries)) == [Page(PNG, str(tmp_path / name), None)]


def test_an_empty_directory_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="no image or PDF"):
        read(str(tmp_path))


def test_a_missing_file_and_an_unknown_kind_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.png: there is no such file"):
        read(str(tmp_path / "nowhere.png"))
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match=r"a\.txt: the bytes are text, not an image; allowed: .*PNG"):
        read(str(tmp_path / "a.txt"))
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    with pytest.raises(InputError, match=r"a\.gif: GIF is not read here; allowed: .*PNG"):
        read(str(tmp_path / "a.gif"))
    (tmp_path / "upload").write_bytes(b"")
    with pytest.raises(InputError, match=r"upload: the file is empty"):
        read(str(tmp_path / "upload"))
    with pytest.raises(InputError, match="there is no such file"):
        read("x" * 5000)


def test_what_is_there_and_no_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "broken.png").symlink_to("nowhere.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "whole.png").write_bytes(PNG)
    (tmp_path / "link.png").symlink_to("whole.png")
    found = list(PageReader(str(tmp_path)).outcomes())
    assert [str(outcome) for outcome in found if isinstance(outcome, InputError)] == [
        f"{tmp_path}/broken.png: a link to a file that is not there",
        f"{tmp_path}/loop.png: a link to a file that is not there",
        f"{tmp_path}/pipe.png: a pipe or a device, no file",
    ]
    assert [page.payload for page in found if isinstance(page, Page)] == [PNG, PNG]
    with pytest.raises(InputError, match=r"^/dev/null: a pipe or a device, no file$"):
        read("/dev/null")


def test_a_file_in_a_folder_that_may_not_be_entered_is_not_said_to_be_missing(monkeypatch):
    def deny(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "stat", deny)
    with pytest.raises(InputError, match=r"^locked/a\.png: the file cannot be read: Permission denied$"):
        read("locked/a.png")


@pytest.mark.parametrize("url", ["ftp://me:secret@host/a.png", "file:///a.png", "S3://bucket/a.png", "gs://a/b"])
def test_other_urls_are_named_without_secrets(url):
    with pytest.raises(InputError, match="there is no such file; of URLs, http:// and https:// are fetched") as caught:
        read(url)
    assert "secret" not in str(caught.value)
    assert caught.value.source == url.replace("me:secret@", "")


class Unreadable:
    def __fspath__(self):
        raise LookupError("gone")


def failing(*items):
    yield from items
    raise LookupError("gone")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (None, "of type NoneType"),
        (3.5, "of type float"),
        ({"image": PNG}, "the one key 'img'"),
        ({"img": 3}, "of type int"),
        ({PNG}, "a set has no order"),
        (Unreadable(), "LookupError: gone"),
        (failing, "LookupError: gone"),
        (io.StringIO("text"), "gives str"),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_one_of_another_kind_among_others_is_an_outcome(bad, says, lazy):
    entries = [PNG, bad() if bad is failing else bad, PNG]
    reader = PageReader(iter(entries) if lazy else entries)
    before, error, after = reader.outcomes()
    assert isinstance(before, Page)
    assert isinstance(after, Page)
    assert isinstance(error, InputError)
    assert says in str(error)
    assert str(error).startswith("input 2: ")
    assert reader.total == 3


def test_what_an_iterator_in_a_list_raises_is_in_its_place():
    reader = PageReader([failing(PNG, PNG), PNG])
    kinds = [type(outcome) for outcome in reader.outcomes()]
    assert kinds == [Page, Page, InputError, Page]
    assert reader.total == 4


def nested(depth):
    source = PNG
    for _ in range(depth):
        source = [source]
    return source


def test_lists_are_in_lists_up_to_a_depth():
    assert read(nested(9)) == [Page(PNG)]
    with pytest.raises(InputError, match="lists are in lists more than 8 deep"):
        read(nested(10))
    itself = [PNG]
    itself += [itself, itself]
    assert sum(isinstance(outcome, Page) for outcome in PageReader(itself).outcomes()) == 2**9 - 1


def test_a_list_that_changes_later_is_read_as_it_was():
    entries = [PNG, PNG]
    reader = PageReader(entries)
    entries.clear()
    assert len(list(reader)) == reader.total == 2


def test_nothing_is_opened_before_its_turn(tmp_path):
    reader = iter(PageReader([PNG, str(tmp_path / "nowhere.png")]))
    assert next(reader) == Page(PNG)
    with pytest.raises(InputError):
        next(reader)


def test_a_generator_is_not_run_ahead(numbered):
    made = []

    def images():
        for k in range(3):
            made.append(k)
            yield numbered(k)

    reader = PageReader(images())
    pages = iter(reader)
    assert (made, reader.total) == ([], 0)
    next(pages)
    assert (made, reader.total) == ([0], 1)
    assert len(list(pages)) == 2


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("suffix", ["tif", "tiff", None])
def test_every_frame_of_a_tiff_is_a_page(tmp_path, count, suffix):
    source, name = tiff(count), None
    if suffix:
        path = tmp_path / f"scan.{suffix}"
        path.write_bytes(source)
        source = name = str(path)
    reader = PageReader(source)
    found = list(reader)
    assert [(page.input_path, page.page_index) for page in found] == [(name, index) for index in range(count)]
    assert [int(page.image()[0, 0, 0]) for page in found] == [10 * index for index in range(1, count + 1)]
    assert reader.total == count


def test_tiff_colours_are_turned_to_bgr(tmp_path):
    path = tmp_path / "red.tif"
    Image.fromarray(np.full((3, 3, 3), (255, 1, 2), np.uint8)).save(path)
    assert read(str(path))[0].image()[0, 0].tolist() == [2, 1, 255]


@pytest.mark.parametrize(
    ("array", "mode", "value"),
    [(np.full((3, 3), 30000, np.uint16), "I;16", 255), (np.full((3, 3), 0.5, np.float32), "F", 0)],
)
def test_wide_tiffs_keep_paddlex_pixels_with_one_warning(tmp_path, array, mode, value):
    path = tmp_path / "wide.tif"
    frames = [Image.fromarray(array)] * 2
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.warns(UserWarning, match=rf"wide\.tif: pixels of mode {mode}") as caught:
        pages = read(str(path))
    assert len(caught) == 1
    assert [page.image().max() for page in pages] == [value] * 2


def test_ordinary_tiffs_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(tiff(2))


@pytest.mark.parametrize("name", ["broken.tif", "broken.pdf"])
@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"II*\0\x08\0\0\0", b"%PDF-1.4\n%%EOF"])
def test_broken_documents_are_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=name):
        read(str(path))


def test_a_truncated_tiff_fails_at_its_page(tmp_path):
    path = tmp_path / "cut.tif"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"cut\.tif"):
        read(str(path))


def test_a_tiff_frame_with_too_many_pixels(tmp_path, monkeypatch):
    path = tmp_path / "big.tif"
    path.write_bytes(tiff(1))
    monkeypatch.setattr(pages_module, "MAX_IMAGE_PIXELS", 23)
    with pytest.raises(ImageTooLargeError, match=r"page 1 of .*24 pixels; at most 23"):
        read(str(path))


def test_an_image_that_cannot_be_decoded_is_named():
    with pytest.raises(InvalidImageError, match=r"a\.png"):
        Page(b"nonsense", "a.png").image()


def test_suffixes_are_paddlex_ones_and_all_of_jpeg():
    assert " ".join(sorted(SUFFIXES)) == "bmp dib jfif jpe jpeg jpg pbm pdf pgm png pnm ppm ras sr tif tiff webp"


def test_what_is_to_be_left_out_is_not_opened(tmp_path, monkeypatch):
    """A file or URL is asked for by its name, a page of a document by its index as well."""
    seen = []
    pdf = pypdfium2.PdfDocument.new()
    for _ in range(3):
        pdf.new_page(10, 10)
    pdf.save(tmp_path / "three.pdf")
    document = str(tmp_path / "three.pdf")
    monkeypatch.setattr(inputs_module, "download", lambda url: pytest.fail("it was fetched"))

    def skip(path, index):
        seen.append((path, index))
        return (path, index) != (document, None) and index != 1

    reader = PageReader(["nowhere.png", "http://user:password@host/a.png", document], skip)
    assert [(page.input_path, page.page_index) for page in reader] == [(document, 1)]
    named = [("nowhere.png", None), ("http://host/a.png", None), (document, None)]
    assert seen == [*named, *((document, index) for index in range(3))]
    assert reader.total == 1
