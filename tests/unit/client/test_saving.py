"""Names and formats of saved results."""

import errno
import json
import mimetypes
import os
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from paddlex_triton.client.exceptions import UnsupportedError
from paddlex_triton.client.pages import Page
from paddlex_triton.client.results import OCRResult
from paddlex_triton.client.saving import (
    SavedNameWarning,
    SavedStems,
    is_saved_picture,
    save_picture,
    usable_stem,
)

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


def test_equal_stems_are_numbered_with_one_warning(result):
    stems = SavedStems()
    pages = [("a/page.png", None), ("a.pdf", 2), ("page.jpg", None), ("a/page.png", None), ("page.jpg", None)]
    pages += [("page-3.png", None), ("a_2.png", None), ("page.webp", None), ("b/page-3.png", None), ("a.tif", 2)]
    found = [result(*page) for page in pages]
    with pytest.warns(
        UserWarning, match=r"page\.jpg: another input's results are called 'page'; .* 'page-2'"
    ) as caught:
        for each in found:
            stems.settle(each)
    assert len(caught) == 1
    assert [each.saved_stem for each in found] == [
        "page",
        "a_2",
        "page-2",
        "page",
        "page-2",
        "page-3",
        "a_2-2",
        "page-4",
        "page-3-2",
        "a_2-3",
    ]


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
def test_directories_called_like_a_file(result, tmp_path, name):
    (tmp_path / name).mkdir()
    result("in/page.png").save_all(tmp_path / name)
    assert names(tmp_path / name) == ["page_ocr_res_img.png", "page_res.json"]


@pytest.mark.parametrize(
    ("suffix", "most"), [(".webp", 16383), (".jpg", 65500), (".jfif", 65500), (".gif", 65535), (".tga", 65535)]
)
def test_pictures_that_a_format_cannot_hold(tmp_path, suffix, most):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_picture(Image.new("RGB", (most, 1)), tmp_path / f"held{suffix}")
    text = rf"too_wide{suffix}: {suffix} cannot hold this picture of {most + 1} x 1 pixels: saved as too_wide\.png"
    with pytest.warns(SavedNameWarning, match=text):
        save_picture(Image.new("RGB", (most + 1, 1)), tmp_path / f"too_wide{suffix}")
    assert names(tmp_path) == [f"held{suffix}", "too_wide.png"]
    with Image.open(tmp_path / "too_wide.png") as picture:
        assert picture.size == (most + 1, 1)


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


def test_a_full_disk_is_no_matter_of_the_format(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        save_picture(Image.new("RGB", (1, 1)), tmp_path / "x.jpg")
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jfif", ".webp", ".tif"])
def test_saved_pictures_are_known_by_what_is_in_them(result, tmp_path, suffix):
    result(f"in/page{suffix}", None).save_to_img(tmp_path)
    picture = tmp_path / f"page_ocr_res_img{suffix}"
    assert is_saved_picture(str(picture))
    Image.new("RGB", (9, 9)).save(picture)
    assert not is_saved_picture(str(picture))


@pytest.mark.parametrize("suffix", [".bmp", ".ppm"])
def test_other_saved_pictures_are_known_by_their_json(result, tmp_path, suffix):
    result(f"in/page{suffix}").save_all(tmp_path)
    picture = tmp_path / f"page_ocr_res_img{suffix}"
    assert is_saved_picture(str(picture))
    (tmp_path / "page_res.json").write_text('{"shapes": []}')
    assert not is_saved_picture(str(picture))
    (tmp_path / "page_res.json").unlink()
    assert not is_saved_picture(str(picture))


def test_pictures_are_as_without_the_mark(result, tmp_path):
    found = result("in/page.png")
    found.save_to_img(tmp_path)
    with Image.open(tmp_path / "page_ocr_res_img.png") as picture:
        assert np.array_equal(np.asarray(picture), np.asarray(found.img["ocr_res_img"]))
    assert cv2.imread(str(tmp_path / "page_ocr_res_img.png")).shape == (120, 400, 3)
