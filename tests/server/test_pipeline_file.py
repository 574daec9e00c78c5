"""PaddleX's pipeline files on a live server: their thresholds and switches change answers, given options win."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import seal_world
import yaml
from typer.testing import CliRunner

from paddlex_triton import cli, create_async_pipeline, create_pipeline
from paddlex_triton.client.exceptions import UnsupportedError
from paddlex_triton.pipeline_file.writing import make_config
from paddlex_triton.pipelines import PIPELINES

PAGE = Path(__file__).resolve().parent.parent.parent / "samples" / "page.png"


@pytest.fixture
def ocr_file(tmp_path):
    """Writes a file that is like what `get-pipeline-config` writes, but for some keys of its recogniser."""

    def write(**values):
        config = make_config(PIPELINES["OCR"])
        config["SubModules"]["TextRecognition"].update(values)
        path = tmp_path / "my.yaml"
        path.write_text(yaml.safe_dump(config))
        return str(path)

    return write


@pytest.fixture
def seal_config(seal_models):
    """Return a file of the seal server's own networks."""
    config = make_config(PIPELINES["seal_recognition"], "nopp")
    modules = config["SubPipelines"]["SealOCR"]["SubModules"]
    config["SubModules"]["LayoutDetection"]["model_name"] = seal_models["layout_detection"]
    modules["TextDetection"]["model_name"] = seal_models["seal_text_detection"]
    modules["TextRecognition"]["model_name"] = seal_models["text_recognition"]
    return config


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


def test_a_threshold(server, ocr_file):
    with create_pipeline("OCR", url=server.grpc_url) as plain:
        (everything,) = plain.predict(str(PAGE))
    scores = sorted(everything["rec_scores"])
    threshold = (scores[0] + scores[-1]) / 2
    with create_pipeline(ocr_file(score_thresh=threshold), url=server.grpc_url) as pipeline:
        (few,) = pipeline.predict(str(PAGE))
        (given,) = pipeline.predict(str(PAGE), text_rec_score_thresh=0)
        (default,) = pipeline.predict(str(PAGE), text_rec_score_thresh=None)
    assert few["rec_texts"] == [
        text
        for text, score in zip(everything["rec_texts"], everything["rec_scores"], strict=True)
        if score >= threshold
    ]
    assert 0 < len(few["rec_texts"]) < len(everything["rec_texts"])
    assert given["rec_texts"] == everything["rec_texts"]
    assert default["rec_texts"] == few["rec_texts"]


async def test_asyncio(server, ocr_file):
    async with create_async_pipeline(ocr_file(return_word_box=True), url=server.grpc_url) as pipeline:
        (words,) = [result async for result in pipeline.predict(str(PAGE))]
        (plain,) = [result async for result in pipeline.predict(str(PAGE), return_word_box=False)]
    assert words["text_word"]
    assert "text_word" not in plain


def test_a_switch(seal_server, seal_config):
    page = seal_world.draw_page(1000, 800, [(250, 180, 150, "FIRST 12")])
    seal_config["use_layout_detection"] = False
    with create_pipeline(config=seal_config, url=seal_server.grpc_url) as pipeline:
        (off,) = pipeline.predict(page)
        (on,) = pipeline.predict(page, use_layout_detection=True)
    assert (off["model_settings"]["use_layout_detection"], on["model_settings"]["use_layout_detection"]) == (
        False,
        True,
    )
    assert "boxes" not in off.get("layout_det_res", {})
    assert [box["label"] for box in on["layout_det_res"]["boxes"]] == ["seal"]


def test_regions_are_not_grown_where_the_file_does_not_say_so(seal_server, seal_config):
    page = seal_world.draw_page(1000, 800, [(250, 180, 150, "FIRST 12")])
    for key in ("layout_unclip_ratio", "layout_nms", "layout_merge_bboxes_mode", "threshold"):
        del seal_config["SubModules"]["LayoutDetection"][key]
    with create_pipeline(config=seal_config, url=seal_server.grpc_url) as pipeline:
        (plain,) = pipeline.predict(page)
        (grown,) = pipeline.predict(page, layout_unclip_ratio=2.0)
    (small,), (large,) = plain["layout_det_res"]["boxes"], grown["layout_det_res"]["boxes"]
    assert large["coordinate"][2] > small["coordinate"][2]


def test_a_step_that_the_server_does_not_have(server, ocr_file):
    path = Path(ocr_file())
    path.write_text(path.read_text().replace("use_textline_orientation: false", "use_textline_orientation: true"))
    with create_pipeline(str(path), url=server.grpc_url) as pipeline:
        with pytest.raises(UnsupportedError, match="textline_orientation"):
            list(pipeline.predict(str(PAGE)))
        assert list(pipeline.predict(str(PAGE), use_textline_orientation=False))


def test_other_networks_than_the_files(server, ocr_file):
    with (
        create_pipeline(ocr_file(model_name="mine"), url=server.grpc_url) as pipeline,
        pytest.warns(UserWarning, match="text_recognition is PP-OCRv4_mobile_rec instead of mine"),
    ):
        list(pipeline.predict(str(PAGE)))


def test_the_command(server, ocr_file, tmp_path):
    arguments = ["predict", ocr_file(score_thresh=1.0), "--input", str(PAGE), "--url", server.grpc_url]
    runs = {"none": [], "all": ["--text_rec_score_thresh", "0"]}
    for name, options in runs.items():
        done = CliRunner().invoke(cli.app, [*arguments, "--save_path", str(tmp_path / name), *options])
        assert done.exit_code == 0, done.output
    texts = {name: json.loads((tmp_path / name / "page_res.json").read_text())["rec_texts"] for name in runs}
    assert texts["none"] == []
    assert len(texts["all"]) > 5
