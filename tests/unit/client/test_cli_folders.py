"""`paddlex-triton predict` on folders: what is read, what is saved, and what is said in the end."""

import json
import os
import re

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from paddlex_triton import cli
from paddlex_triton.client import NO_RETRIES, Pipeline
from paddlex_triton.client import pipeline as pipeline_module
from paddlex_triton.client.exceptions import InvalidImageError, ServerUnavailableError
from paddlex_triton.client.report import RunReport
from paddlex_triton.client.transports.mock import MockTransport
from paddlex_triton.pipelines import find_pipeline


@pytest.fixture
def predict(monkeypatch, tensors):
    """Runs `predict OCR` on a folder, with answers that are the width of the page."""

    def width(request):
        image = cv2.imdecode(np.frombuffer(request.inputs["image"][0], np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise InvalidImageError("no image")
        return tensors([str(image.shape[1])])

    def run(*inputs, save_path=None, answer=width, pipeline="OCR"):
        def create(name, **_):
            return Pipeline(find_pipeline(name), MockTransport(answer), retry=NO_RETRIES)

        monkeypatch.setattr(pipeline_module, "create_pipeline", create)
        more = [] if save_path is None else ["--save_path", str(save_path)]
        return CliRunner().invoke(cli.app, ["predict", pipeline, *map(str, inputs), *more])

    return run


def make(path, width, height=40):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, np.full((height, width, 3), 255, np.uint8))[1].tobytes())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def saved(folder):
    """Return the one text of every JSON, by the path that it names."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*_res.json")]
    return {data["input_path"]: data["rec_texts"] for data in found}


def test_equal_stems_lose_nothing(predict, tmp_path):
    inputs = ["a/page.png", "b/page.png", "page.jpg", "page.png", "page.webp"]
    for number, name in enumerate(inputs):
        make(tmp_path / "in" / name, 100 + number)
    result = predict(tmp_path / "in", save_path=tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert saved(tmp_path / "out") == {str(tmp_path / "in" / name): [str(100 + k)] for k, name in enumerate(inputs)}
    stems = ["page", "page-2", "page-3", "page-4", "page-5"]
    suffixes = [".png", ".png", ".jpg", ".png", ".webp"]
    pictures = [f"{stem}_ocr_res_img{suffix}" for stem, suffix in zip(stems, suffixes, strict=True)]
    assert names(tmp_path / "out") == sorted([*pictures, *(f"{stem}_res.json" for stem in stems)])
    warning, *report = result.stderr.splitlines()
    assert warning.startswith(f"Warning: {tmp_path}/in/b/page.png: another input's results are called 'page'")
    renamed = [f"  {tmp_path}/in/{name}: {stem}" for name, stem in zip(inputs, stems, strict=True)][1:]
    assert report == ["Pages read: 5", "Refused: 0", "Saved under another name: 4", *renamed]


def test_names_that_are_hard_to_save(predict, tmp_path):
    not_utf8 = os.fsdecode(b"m_" + "发票".encode("gbk") + b".png")
    inputs = ["a.png", "发" * 80 + ".png", "发" * 83 + ".png", "x\ny.png", not_utf8, "z.png"]
    for number, name in enumerate(inputs):
        make(tmp_path / "in" / name, 100 + number)
    result = predict(tmp_path / "in", save_path=tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert saved(tmp_path / "out") == {str(tmp_path / "in" / name): [str(100 + k)] for k, name in enumerate(inputs)}
    assert len(names(tmp_path / "out")) == 12
    assert result.stderr.count("Warning: ") == 3
    assert "Saved under another name: 3\n" in result.stderr
    assert "x_y" in result.stderr


def test_a_picture_that_its_format_cannot_hold(predict, tmp_path):
    make(tmp_path / "in" / "a.png", 100)
    make(tmp_path / "in" / "b.webp", 8192, 30)
    make(tmp_path / "in" / "c.png", 102)
    result = predict(tmp_path / "in", save_path=tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert names(tmp_path / "out") == [f"{stem}_{rest}" for stem in "abc" for rest in ("ocr_res_img.png", "res.json")]
    assert "Pages read: 3\nRefused: 0\nSaved under another name: 1\n" in result.stderr


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".ppm", ".tiff"])
@pytest.mark.parametrize("below", ["", "out", "a/out"])
def test_own_results_are_no_inputs_of_the_next_run(predict, tmp_path, suffix, below):
    make(tmp_path / f"page{suffix}", 100)
    make(tmp_path / "a" / f"page{suffix}", 101)
    make(tmp_path / "page_res.png", 102)
    runs = []
    for _ in range(3):
        result = predict(tmp_path, save_path=tmp_path / below)
        assert result.exit_code == 0, result.output
        assert "Pages read: 3\nRefused: 0\n" in result.stderr
        warned = f"Warning: {tmp_path}: pictures of earlier results are left out (3); name one to read it\n"
        assert (warned in result.stderr) == bool(runs)
        runs.append((saved(tmp_path / below), sorted(tmp_path.rglob("*"))))
    assert runs[0] == runs[1] == runs[2]
    (picture, *_) = (tmp_path / below).glob("page*_ocr_res_img*")
    assert "Pages read" not in predict(picture).stderr
    assert "'rec_texts': ['" in predict(picture).stdout


def test_pictures_of_a_user_beside_the_input(predict, tmp_path, person_tensors):
    make(tmp_path / "page.png", 300, 200)
    make(tmp_path / "page_res.png", 301, 200)
    before = (tmp_path / "page_res.png").read_bytes()
    for _ in range(2):
        result = predict(
            tmp_path, save_path=tmp_path, answer=lambda _: person_tensors(1), pipeline="human_keypoint_detection"
        )
        assert result.exit_code == 0, result.output
        assert "Pages read: 2\nRefused: 0\nSaved under another name: 1\n" in result.stderr
        assert result.stderr.count("page_res.png is there, and no result; saved as 'page-2'") == 2
        stems = ["page-2", "page_res"]
        own = [f"{stem}_res.{kind}" for stem in stems for kind in ("json", "png")]
        assert names(tmp_path) == sorted([*own, "page.png", "page_res.png"])
    assert (tmp_path / "page_res.png").read_bytes() == before


def test_names_like_those_of_results_are_read(predict, tmp_path):
    inputs = ["a.bmp", "a_res.bmp", "a_ocr_res_img.ppm", "a_res_res.png"]
    for number, name in enumerate(inputs):
        make(tmp_path / name, 100 + number)
    for _ in range(2):
        result = predict(tmp_path, save_path=tmp_path)
        assert result.exit_code == 0, result.output
        assert "Pages read: 4\n" in result.stderr
        assert saved(tmp_path) == {str(tmp_path / name): [str(100 + k)] for k, name in enumerate(inputs)}


def test_one_name_in_several_runs(predict, tmp_path):
    for folder in ("a", "b"):
        make(tmp_path / folder / "page.png", 100)
        result = predict(tmp_path / folder / "page.png", save_path=tmp_path / "out")
        assert result.exit_code == 0, result.output
    replaced = f"the results of {tmp_path}/a/page.png are replaced by those of {tmp_path}/b/page.png"
    assert result.stderr == f"Warning: {tmp_path}/out/page_res.json: {replaced}\n"


@pytest.mark.parametrize("name", ["file", "x.json"])
def test_a_save_path_that_is_a_file_is_refused_before_anything_is_read(predict, tmp_path, name):
    make(tmp_path / "a.png", 100)
    (tmp_path / name).write_text("mine")
    result = predict(tmp_path / "a.png", save_path=tmp_path / name)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "a folder is needed" in " ".join(result.stderr.replace("│", "").split())
    assert (tmp_path / name).read_text() == "mine"


def test_a_save_path_that_cannot_be_made(predict, tmp_path):
    make(tmp_path / "a.png", 100)
    (tmp_path / "file").write_text("mine")
    result = predict(tmp_path / "a.png", save_path=tmp_path / "file" / "out")
    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path}/file/out: results cannot be saved there: Not a directory\n"


def test_a_save_path_with_a_suffix_is_a_folder(predict, tmp_path):
    make(tmp_path / "a.png", 100)
    for name in ("x.json", "x.png"):
        assert predict(tmp_path / "a.png", save_path=tmp_path / name).exit_code == 0
        assert names(tmp_path / name) == ["a_ocr_res_img.png", "a_res.json"]


def test_own_results_of_all_pipelines(predict, tmp_path, seal_tensors, person_tensors):
    make(tmp_path / "page.png", 300, 200)
    used = {"use_doc_orientation_classify": True}
    answers = {
        "seal_recognition": lambda _: seal_tensors([["a"], ["b"]]),
        "human_keypoint_detection": lambda _: person_tensors(1),
        "doc_preprocessor": lambda _: seal_tensors([["a"]], preparation=used),
    }
    for pipeline, answer in answers.items():
        for _ in range(2):
            result = predict(tmp_path, save_path=tmp_path, answer=answer, pipeline=pipeline)
            assert result.exit_code == 0, result.output
            assert "Pages read: 1\n" in result.stderr
    assert len(list(tmp_path.glob("*.png"))) >= 5


def test_what_was_refused_is_reported(predict, tmp_path):
    make(tmp_path / "in" / "a.png", 100)
    (tmp_path / "in" / "b.png").write_bytes(b"none")
    (tmp_path / "in" / "c.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "in" / "._d.png").write_bytes(b"none")
    result = predict(tmp_path / "in", "nowhere.png")
    assert result.exit_code == 1
    report = result.stderr.splitlines()[-6:]
    assert report[:3] == ["Pages read: 1", "Refused: 3", f"  {tmp_path}/in/b.png: no image"]
    assert report[3].startswith(f"  {tmp_path}/in/c.pdf: the PDF cannot be opened")
    assert report[4:] == ["  nowhere.png: there is no such file", "Saved under another name: 0"]


def test_single_files_are_not_reported(predict, tmp_path):
    make(tmp_path / "a.png", 100)
    assert predict(tmp_path / "a.png").stderr == ""


def test_a_run_that_ends_early_is_reported(predict, tmp_path):
    make(tmp_path / "in" / "a.png", 100)

    def answer(request):
        raise ServerUnavailableError("no server")

    result = predict(tmp_path / "in", answer=answer)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "Pages read: 0"
    assert result.stderr.splitlines()[-1] == f"Error: {tmp_path}/in/a.png: no server"


def test_reports_are_short():
    report = RunReport()
    for number in range(21):
        report.refuse(InvalidImageError(f"{number} " + "no\n" * 5000, source=f"{'in/' * 5000}{number}.png"))
    lines = list(report.lines())
    assert len(lines) == 24
    assert lines[1] == "Refused: 21"
    assert lines[22:] == ["  and 1 more", "Saved under another name: 0"]
    assert all(
        re.fullmatch(rf"  \.\.\..{{30,120}}{k}\.png: {k} no .*\.\.\.", line) for k, line in enumerate(lines[2:22])
    )
    assert max(map(len, lines)) < 250
