"""Names and formats of saved results."""

import copy
import errno
import json
import mimetypes
import os
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from paddlex_triton.client import AsyncPipeline, saving
from paddlex_triton.client.exceptions import UnsupportedError
from paddlex_triton.client.pages import Page
from paddlex_triton.client.results import KeypointDetectionResult, OCRResult, SealRecognitionResult
from paddlex_triton.client.saving import (
    SavedNameWarning,
    SavedStems,
    is_saved_picture,
    save_picture,
    usable_stem,
)
from paddlex_triton.client.transports.mock import AsyncMockTransport
from paddlex_triton.pipelines import find_pipeline

NOT_UTF8 = os.fsdecode(b"m_" + "发票".encode("gbk"))


@pytest.fixture
def result(tensors, page):
    """Makes results of pages by path and number."""
    return lambda input_path=None, page_index=None: OCRResult.from_tensors(
        tensors(["a"]), Page(page.payload, input_path, page_index)
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("stem", ["page", "a b", "发票", "x" * 215, "发" * 71, "a.b-c_d", "ä\u3000ö", NOT_UTF8, "..."])
def test_usable_stems_stay(stem):
    assert usable_stem(stem) == stem


@pytest.mark.parametrize("stem", ["x" * 216, "发" * 72, "x" + "发" * 83, "x" * 5000, os.fsdecode(b"\xb7" * 216)])
def test_stems_that_are_too_long_are_cut(stem):
    cut = usable_stem(stem)
    assert 200 < len(os.fsencode(cut)) <= 215
    assert stem.startswith(cut[:60])
    # Others with the same beginning stay apart.
    assert usable_stem(stem + "y") != cut
    assert usable_stem(stem) == cut


def test_stems_with_control_characters():
    assert usable_stem("a\nb\r\tc\0\x1b[1m\x7f\x85\u2028\u2029d") == "a_b__c__[1m____d"


@pytest.mark.parametrize(
    ("name", "stem"),
    [("发" * 83 + ".png", "发" * 68 + "-"), ("two\nlines.png", "two_lines"), ("x" * 251 + ".jpg", "x" * 206 + "-")],
)
def test_names_that_no_file_can_have(result, tmp_path, name, stem):
    for label, save in (
        ("all", lambda found, to: found.save_all(to)),
        ("json", lambda found, to: found.save_to_json(to)),
    ):
        with pytest.warns(SavedNameWarning, match="no file can be called so; saved as") as caught:
            save(result(f"in/{name}"), tmp_path / label)
        assert len(caught) == 1
    suffix = Path(name).suffix
    picture, text = names(tmp_path / "all")
    assert picture.startswith(stem)
    assert picture.endswith(f"_ocr_res_img{suffix}")
    assert text == picture.replace(f"_ocr_res_img{suffix}", "_res.json")
    assert json.loads((tmp_path / "all" / text).read_text(encoding="utf-8"))["input_path"] == f"in/{name}"


@pytest.mark.parametrize("ensure_ascii", [False, True])
def test_names_that_are_not_utf8(result, tmp_path, ensure_ascii):
    path = f"in/{NOT_UTF8}.png"
    found = result(path)
    found.save_to_json(tmp_path, ensure_ascii=ensure_ascii)
    found.save_to_img(tmp_path)
    assert names(tmp_path) == [f"{NOT_UTF8}_ocr_res_img.png", f"{NOT_UTF8}_res.json"]
    content = (tmp_path / f"{NOT_UTF8}_res.json").read_text(encoding="utf-8")
    assert json.loads(content)["input_path"] == path


def test_results_without_a_path_have_names_of_their_own(result, tmp_path):
    for _ in range(200):
        result().save_to_json(tmp_path)
    assert len(names(tmp_path)) == 200


def test_the_stem_can_be_set(result, tmp_path):
    found = result("in/page.png")
    assert found.saved_stem == "page"
    found.saved_stem = "other"
    found.save_all(tmp_path)
    assert names(tmp_path) == ["other_ocr_res_img.png", "other_res.json"]


def saved(folder):
    """Return every result's path, by its stem."""
    found = {path.name.removesuffix("_res.json"): path for path in folder.glob("*_res.json")}
    return {stem: json.loads(path.read_text(encoding="utf-8"))["input_path"] for stem, path in found.items()}


@pytest.fixture
def results(result):
    """Makes results of one call: of pages by path and number."""

    def make(*pages):
        stems, found = SavedStems(), [result(*page) for page in pages]
        for each in found:
            each.share_names(stems)
        return found

    return make


def test_equal_stems_are_numbered_with_one_warning(results, tmp_path):
    pages = [("a/page.png", None), ("a.pdf", 2), ("page.jpg", None), ("a/page.png", None), ("page.jpg", None)]
    pages += [("page-3.png", None), ("a_2.png", None), ("page.webp", None), ("b/page-3.png", None), ("a.tif", 2)]
    found = results(*pages)
    with pytest.warns(
        UserWarning, match=r"page\.jpg: another input's results are called 'page'; .* 'page-2'"
    ) as caught:
        stems = [each.stem_in(tmp_path) for each in found]
    assert len(caught) == 1
    expected = ["page", "a_2", "page-2", "page", "page-2", "page-3", "a_2-2", "page-4", "page-3-2", "a_2-3"]
    assert stems == expected
    assert [each.stem_in(tmp_path) for each in found] == expected
    assert [each.saved_stem for each in found[:3]] == ["page", "a_2", "page"]


@pytest.mark.filterwarnings("error")
def test_equal_stems_in_folders_of_their_own_keep_their_names(results, tmp_path):
    for number, found in enumerate(results(("a/page.png",), ("b/page.png",))):
        found.save_all(tmp_path / str(number))
        assert names(tmp_path / str(number)) == ["page_ocr_res_img.png", "page_res.json"]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("order", ["json, picture", "picture, json", "all"])
def test_files_of_a_result_keep_together(results, tmp_path, order):
    found = results(("a/page.png",), ("b/page.png",))
    (tmp_path / "page_res.json").write_text("{}")
    for each in found:
        for kind in order.split(", "):
            save = {"json": each.save_to_json, "picture": each.save_to_img, "all": each.save_all}[kind]
            save(tmp_path)
    (tmp_path / "page_res.json").unlink()
    assert saved(tmp_path) == {"page-2": "a/page.png", "page-3": "b/page.png"}
    assert len(names(tmp_path)) == 4


@pytest.mark.parametrize(("folded", "stems"), [(True, ["Page", "page-2", "\u00e9", "e\u0301-2"]), (False, None)])
def test_names_that_file_systems_take_for_the_same(results, tmp_path, monkeypatch, folded, stems):
    monkeypatch.setattr(saving, "_NAMES_ARE_FOLDED", folded)
    wanted = ["Page", "page", "\u00e9", "e\u0301"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert [each.stem_in(tmp_path) for each in results(*((f"{stem}.png",) for stem in wanted))] == stems or wanted
    assert len(caught) == folded


def test_threads_that_save_results_of_one_call(results, tmp_path):
    found = results(*((f"{number}/page.png",) for number in range(40)))
    with ThreadPoolExecutor(8) as threads, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        list(threads.map(lambda each: each.save_to_json(tmp_path), found))
    assert sorted(saved(tmp_path).values()) == sorted(f"{number}/page.png" for number in range(40))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_copies_and_pickled_results_can_be_saved(results, tmp_path):
    found = results(("a/page.png",), ("b/page.png",))
    found[0].save_to_json(tmp_path)
    for other in (copy.deepcopy(found[1]), pickle.loads(pickle.dumps(found[1]))):
        assert other.json == found[1].json
        other.save_to_json(tmp_path / "other")
        assert saved(tmp_path / "other") == {"page": "b/page.png"}
    assert len(pickle.dumps(found[1])) == len(pickle.dumps(results(("b/page.png",))[0]))


@pytest.mark.parametrize("name", ["page_ocr_res_img.png", "page_res.json"])
@pytest.mark.parametrize("kind", ["file", "folder", "pipe", "broken link"])
def test_files_that_are_no_results_stay(result, tmp_path, name, kind):
    other = tmp_path / name
    make = {
        "file": lambda: other.write_bytes(b'{"shapes": []}'),
        "folder": other.mkdir,
        "pipe": lambda: os.mkfifo(other),
        "broken link": lambda: other.symlink_to("nowhere"),
    }
    make[kind]()
    before = other.lstat()
    with pytest.warns(SavedNameWarning, match=rf"in/page\.png: .*{name} is there, and no result; saved as 'page-2'"):
        result("in/page.png").save_all(tmp_path)
    assert other.lstat() == before
    assert names(tmp_path) == sorted([name, "page-2_ocr_res_img.png", "page-2_res.json"])
    # As are the results of the next run, which replace their own.
    with pytest.warns(SavedNameWarning):
        result("in/page.png").save_all(tmp_path)
    assert len(names(tmp_path)) == 3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".PPM", ".jfif", ".gif", ".tmp", ""])
def test_results_replace_their_own(result, tmp_path, monkeypatch, suffix):
    monkeypatch.chdir(tmp_path)
    for path in (f"in/page{suffix}", f"in/page{suffix}", f"{tmp_path}/in/page{suffix}", f"./in/../in/page{suffix}"):
        result(path).save_all(tmp_path / "out")
        shown = suffix if suffix not in (".gif", ".tmp", "") else ".png"
        assert names(tmp_path / "out") == [f"page_ocr_res_img{shown}", "page_res.json"]


def test_results_of_another_call_and_input_are_replaced_with_a_warning(result, tmp_path):
    result("a/page.png").save_all(tmp_path)
    with pytest.warns(UserWarning, match=r"page_res\.json: the results of a/page\.png are replaced by those of b/page"):
        result("b/page.png").save_all(tmp_path)
    assert saved(tmp_path) == {"page": "b/page.png"}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("path", ['"x', "null", "3", '"a\\u0000b"', '"\\ud800"', '"' + "x" * 9000 + '"'])
def test_json_that_tells_no_path_is_replaced(result, tmp_path, path):
    (tmp_path / "page_res.json").write_text(f'{{"input_path": {path}')
    result("in/page.png").save_to_json(tmp_path)
    assert saved(tmp_path) == {"page": "in/page.png"}


def pillow_suffixes():
    """Suffixes of formats that Pillow writes on its own."""
    not_pictures = {"PDF", "EPS", "BUFR", "GRIB", "HDF5", "WMF"}
    registered = Image.registered_extensions().items()
    return sorted(suffix for suffix, kind in registered if kind in Image.SAVE and kind not in not_pictures)


@pytest.mark.parametrize("suffix", [*pillow_suffixes(), ".WEBP", ".Jpg"])
def test_every_suffix_that_pillow_writes_is_a_file(result, tmp_path, monkeypatch, suffix):
    # Machines differ in the types that they know.
    monkeypatch.setattr(mimetypes, "guess_type", lambda *_: (None, None))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result("in/page.png").save_to_img(tmp_path / f"x{suffix}")
    (saved,) = tmp_path.iterdir()
    assert saved.is_file()
    # Some hold one bit a pixel, or a palette.
    renamed = suffix in (".xbm", ".msp", ".palm", ".blp")
    assert saved.name == ("x.png" if renamed else f"x{suffix}")
    assert [warning.category for warning in caught].count(SavedNameWarning) == renamed
    with Image.open(saved) as picture:
        assert picture.size == (400, 120) or suffix in (".ico", ".icns")


@pytest.mark.parametrize("name", ["x", "x.y", "x.pdf", "x.h5", "x.txt", "x.json"])
def test_other_names_are_directories_of_pictures(result, tmp_path, name):
    result("in/page.png").save_to_img(tmp_path / name)
    assert names(tmp_path / name) == ["page_ocr_res_img.png"]


@pytest.mark.parametrize("name", ["x.png", "x.json"])
@pytest.mark.parametrize("there", [True, False])
def test_directories_called_like_a_file(result, tmp_path, name, there):
    if there:
        (tmp_path / name).mkdir()
    result("in/page.png").save_all(tmp_path / name)
    assert names(tmp_path / name) == ["page_ocr_res_img.png", "page_res.json"]


@pytest.mark.parametrize(
    ("suffix", "most"), [(".webp", 16383), (".jpg", 65500), (".jfif", 65500), (".gif", 65535), (".tga", 65535)]
)
def test_pictures_that_a_format_cannot_hold(tmp_path, capfd, suffix, most):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_picture(Image.new("RGB", (most, 1)), tmp_path / f"held{suffix}")
    text = rf"too_wide{suffix}: {suffix} cannot hold this picture of {most + 1} x 1 pixels: saved as too_wide\.png"
    with pytest.warns(SavedNameWarning, match=text):
        save_picture(Image.new("RGB", (most + 1, 1)), tmp_path / f"too_wide{suffix}")
    assert names(tmp_path) == [f"held{suffix}", "too_wide.png"]
    with Image.open(tmp_path / "too_wide.png") as picture:
        assert picture.size == (most + 1, 1)
    assert capfd.readouterr().err == ""


def test_a_result_that_webp_cannot_hold(tensors, tmp_path):
    wide = Page(cv2.imencode(".webp", np.full((30, 8192, 3), 255, np.uint8))[1].tobytes(), "in/wide.webp")
    with pytest.warns(SavedNameWarning, match="16384 x 30"):
        OCRResult.from_tensors(tensors(["a"]), wide).save_all(tmp_path)
    assert names(tmp_path) == ["wide_ocr_res_img.png", "wide_res.json"]


def test_a_result_without_pictures(result, tmp_path):
    preparation = result("in/page.png")["doc_preprocessor_res"]
    preparation.save_to_img(tmp_path)
    with pytest.raises(UnsupportedError, match=r"in/page\.png: this result has no picture"):
        preparation.save_to_img(tmp_path / "x.png")
    assert names(tmp_path) == []
    preparation.save_to_json(tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text()) == {}


def test_a_full_disk_is_no_matter_of_the_format(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        save_picture(Image.new("RGB", (1, 1)), tmp_path / "x.jpg")
    assert caught.value.filename == str(tmp_path / "x.jpg")
    assert names(tmp_path) == []


def test_a_disk_that_gets_full_in_the_middle_keeps_the_result_before(result, tmp_path, monkeypatch):
    def half(path, content):
        path.open("wb").write(content[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    result("in/page.png").save_to_json(tmp_path)
    before = (tmp_path / "page_res.json").read_bytes()
    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match=r"No space left on device: '.*page_res\.json'"):
        result("in/page.png").save_to_json(tmp_path)
    assert names(tmp_path) == ["page_res.json"]
    assert (tmp_path / "page_res.json").read_bytes() == before


@pytest.mark.parametrize("suffix", sorted(saving.PICTURE_SUFFIXES))
def test_saved_pictures_are_known_by_what_is_in_them(result, tmp_path, suffix):
    found = result(f"in/page{suffix}", None)
    found.save_to_img(tmp_path)
    picture = tmp_path / f"page_ocr_res_img{suffix}"
    assert is_saved_picture(str(picture))
    with Image.open(picture) as image:
        assert image.size == (400, 120)
    # What Pillow writes there, OpenCV does not read.
    assert suffix == ".dib" or cv2.imread(str(picture)).shape == (120, 400, 3)
    Image.new("RGB", (9, 9)).save(picture)
    assert not is_saved_picture(str(picture))
    # Whatever is in the JSON.
    found.save_to_json(tmp_path)
    assert not is_saved_picture(str(picture))


def test_a_pipe_is_no_picture(tmp_path):
    os.mkfifo(tmp_path / "a_res.png")
    assert not is_saved_picture(str(tmp_path / "a_res.png"))


def test_a_picture_saved_as_png_replaces_nothing_else(tmp_path):
    (tmp_path / "x.png").write_bytes(b"other")
    for _ in range(2):
        with pytest.warns(SavedNameWarning, match=r"saved as x-2\.png"):
            save_picture(Image.new("RGB", (16384, 1)), tmp_path / "x.webp")
    assert names(tmp_path) == ["x-2.png", "x.png"]
    assert (tmp_path / "x.png").read_bytes() == b"other"


def test_pictures_are_as_without_the_mark(result, tmp_path):
    found = result("in/page.png")
    found.save_to_img(tmp_path)
    with Image.open(tmp_path / "page_ocr_res_img.png") as picture:
        assert np.array_equal(np.asarray(picture), np.asarray(found.img["ocr_res_img"]))
    assert cv2.imread(str(tmp_path / "page_ocr_res_img.png")).shape == (120, 400, 3)


PREPARED = {"use_doc_orientation_classify": True}


def test_names_of_files_are_known_before_anything_is_drawn(tensors, seal_tensors, person_tensors, page, tmp_path):
    seals = [seal_tensors(texts, preparation=used) for texts in ([], [["a"], ["b"]]) for used in (None, PREPARED)]
    found = [SealRecognitionResult.from_tensors(answer, page) for answer in seals]
    found += [each["layout_det_res"] for each in found]
    found += [each["doc_preprocessor_res"] for each in (found[1], found[3])]
    found += [KeypointDetectionResult.from_tensors(person_tensors(1), page), OCRResult.from_tensors(tensors([]), page)]
    for number, each in enumerate(found):
        each.save_all(tmp_path / str(number))
        assert names(tmp_path / str(number)) == sorted(each.file_names(each.saved_stem))


async def test_results_of_a_call_share_their_names(pipeline, tensors, tmp_path):
    for folder in "abc":
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "page.png"), np.full((8, 8), 255, np.uint8))
    ocr, _ = pipeline(lambda _: tensors(["a"]))
    twin = AsyncPipeline(
        find_pipeline("OCR"), lambda: (lambda: AsyncMockTransport(lambda _: tensors(["a"])), lambda: None)
    )
    inputs = [str(tmp_path / folder / "page.png") for folder in "abc"]
    stems = dict(zip(["page", "page-2", "page-3"], inputs, strict=True))
    with pytest.warns(UserWarning, match="another input's results are called 'page'"):
        for result in ocr.predict(inputs):
            result.save_to_json(tmp_path / "out")
        async with twin:
            async for result in twin.predict(inputs):
                result.save_to_json(tmp_path / "twin")
    assert saved(tmp_path / "out") == saved(tmp_path / "twin") == stems
