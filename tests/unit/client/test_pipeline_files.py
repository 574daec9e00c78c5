"""`create_pipeline` from PaddleX's files: their defaults, their networks, their remarks."""

from __future__ import annotations

import json
import sys
import warnings
from itertools import product
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pipeline_files
import pytest
import yaml
from stand_in_networks import write_network
from typer.testing import CliRunner

from paddlex_triton import cli, paths
from paddlex_triton.client import async_pipeline, configuration, create_async_pipeline, create_pipeline, embedded
from paddlex_triton.client import pipeline as pipeline_module
from paddlex_triton.client.cli import paddlex_spelling
from paddlex_triton.client.configuration import configure
from paddlex_triton.client.exceptions import EmbeddedServerError, InvalidParameterError, UnsupportedError
from paddlex_triton.client.networks import Networks
from paddlex_triton.client.requests import prepare_request
from paddlex_triton.client.transports.mock import AsyncMockTransport, MockTransport
from paddlex_triton.params import OCRParams
from paddlex_triton.pipeline_file import read_pipeline_config
from paddlex_triton.pipelines import PREPARATION_SWITCHES

PAGE = np.full((60, 100, 3), 255, np.uint8)
DETECTION, RECOGNITION = "SubModules.TextDetection", "SubModules.TextRecognition"


@pytest.fixture
def ocr_file(tmp_path):
    """Writes an OCR file without page preparation, with keys changed."""

    def write(changes=None):
        config = pipeline_files.changed(pipeline_files.shipped("OCR"), "use_doc_preprocessor", False)
        for path, value in (changes or {}).items():
            config = pipeline_files.changed(config, path, value)
        target = tmp_path / "my.yaml"
        target.write_text(yaml.safe_dump(config))
        return target

    return write


@pytest.fixture
def transport(monkeypatch, tensors, seal_tensors):
    """Where requests go instead of a server; those that were sent."""
    made = MockTransport(lambda request: tensors(["a"]) if request.model == "ocr" else seal_tensors([["a"]]))
    asynchronous = AsyncMockTransport(lambda request: tensors(["a"]))
    monkeypatch.setattr(pipeline_module, "open_transport", lambda endpoint: made)
    monkeypatch.setattr(async_pipeline, "open_async_transport", lambda endpoint: asynchronous)
    made.asynchronous = asynchronous  # pyright: ignore[reportAttributeAccessIssue]
    return made


def params_of(transport):
    """The parameters that were sent last."""
    return json.loads(transport.sent[-1].inputs["params"][0])


@pytest.fixture(autouse=True)
def quiet():
    """Answers of the mock name networks of their own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the server does not run on")
        yield


def test_a_files_values_are_defaults_and_given_ones_win(transport, ocr_file):
    path = ocr_file({f"{DETECTION}.thresh": 0.25, f"{RECOGNITION}.score_thresh": 0.7})
    with create_pipeline(str(path), url="localhost:1") as pipeline:
        assert pipeline.name == "OCR"
        list(pipeline.predict(PAGE))
        assert params_of(transport) == {
            "use_doc_orientation_classify": False,
            "use_doc_unwarping": False,
            "use_textline_orientation": True,
            "textline_orientation_batch_size": 6,
            "text_det_limit_side_len": 64,
            "text_det_limit_type": "min",
            "text_det_max_side_limit": 4000,
            "text_det_thresh": 0.25,
            "text_det_box_thresh": 0.6,
            "text_det_unclip_ratio": 1.5,
            "text_recognition_batch_size": 6,
            "text_rec_score_thresh": 0.7,
            "return_word_box": False,
        }
        list(pipeline.predict(PAGE, text_det_thresh=0.5, use_textline_orientation=False, text_rec_score_thresh=None))
        sent = params_of(transport)
    assert (sent["text_det_thresh"], sent["use_textline_orientation"], sent["text_rec_score_thresh"]) == (
        0.5,
        False,
        0.7,
    )


@pytest.mark.parametrize("create", [create_pipeline, create_async_pipeline])
def test_a_path_is_taken_as_it_is(ocr_file, create):
    assert create(ocr_file(), url="localhost:1").name == "OCR"


async def test_asyncio(transport, ocr_file):
    async with create_async_pipeline(str(ocr_file({f"{DETECTION}.thresh": 0.25})), url="localhost:1") as pipeline:
        assert [result async for result in pipeline.predict(PAGE, text_det_box_thresh=0.9)]
    sent = params_of(transport.asynchronous)
    assert (sent["text_det_thresh"], sent["text_det_box_thresh"]) == (0.25, 0.9)


def test_what_a_file_holds(transport):
    config = pipeline_files.changed(pipeline_files.shipped("seal_recognition"), "use_layout_detection", False)
    with pytest.warns(UserWarning, match=r"config: .*max_side_len"):
        pipeline = create_pipeline(config=config, url="localhost:1")
    with pipeline:
        list(pipeline.predict(PAGE))
    sent = params_of(transport)
    assert (transport.sent[-1].model, sent["use_layout_detection"]) == ("seal_recognition", False)
    assert "layout_threshold" not in sent


@pytest.mark.filterwarnings("ignore:config. Global.input")
async def test_what_a_file_holds_for_asyncio(transport):
    async with create_async_pipeline(config=pipeline_files.beta("OCR"), url="localhost:1") as pipeline:
        assert [result async for result in pipeline.predict(PAGE)]
    assert params_of(transport.asynchronous)["text_recognition_batch_size"] == 1


@pytest.mark.parametrize(
    ("given", "warned"), [("OCR", 0), ("ocr", 0), (None, 0), ("seal_recognition", 1), ("x.yaml", 1)]
)
def test_what_a_file_holds_wins_over_the_name(given, warned):
    config = pipeline_files.shipped("OCR")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        create_pipeline(given, config, url="localhost:1").close()
    assert len(caught) == warned
    if warned:
        assert str(caught[0].message) == f"config is for pipeline OCR, which is used; {given!r} is not"
        assert caught[0].filename == __file__


@pytest.mark.parametrize("create", [create_pipeline, create_async_pipeline])
def test_remarks_are_warnings_of_the_callers_line(create):
    config = {**pipeline_files.shipped("OCR"), "engine": "onnxruntime", "colour": "red"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        create(config=config, url="localhost:1")
    assert [str(one.message).split(":")[1] for one in caught] == [" engine is 'onnxruntime'", " colour is 'red'"]
    assert {(one.filename, one.category) for one in caught} == {(__file__, UserWarning)}


def test_what_a_step_of_page_preparation_given_means_for_the_other(transport):
    with create_pipeline(config=pipeline_files.shipped("OCR"), url="localhost:1") as pipeline:
        list(pipeline.predict(PAGE))
        both = params_of(transport)
        list(pipeline.predict(PAGE, use_doc_unwarping=True))
        other = params_of(transport)
        list(pipeline.predict(PAGE, use_doc_unwarping=False))
        one = params_of(transport)
    assert (both["use_doc_orientation_classify"], both["use_doc_unwarping"]) == (True, True)
    # The file has it on, whatever the server does by default.
    assert (other["use_doc_orientation_classify"], other["use_doc_unwarping"]) == (True, True)
    # PaddleX does neither then.
    assert "use_doc_orientation_classify" not in one
    assert one["use_doc_unwarping"] is False


def taken(wanted, there):
    """The steps that are taken, by default those that are there; None if one is wanted that is not."""
    steps = tuple(step if on is None else on for on, step in zip(wanted, there, strict=True))
    return steps if all(step or not on for on, step in zip(steps, there, strict=True)) else None


@pytest.mark.parametrize("given", list(product((None, True, False), repeat=2)))
@pytest.mark.parametrize("in_file", list(product((True, False), repeat=3)))
def test_pages_are_prepared_as_in_paddlex(in_file, given):
    """On servers with the file's own networks, with all, with some and with none."""
    together, *steps = in_file
    config = pipeline_files.changed(pipeline_files.shipped("OCR"), "use_doc_preprocessor", together)
    for switch, on in zip(PREPARATION_SWITCHES, steps, strict=True):
        config = pipeline_files.changed(config, f"SubPipelines.DocPreprocessor.{switch}", on)
    file = read_pipeline_config(config)
    work = prepare_request(file.spec, dict(zip(PREPARATION_SWITCHES, given, strict=True)), file.params)
    params = OCRParams.model_validate_json(work.params)
    sent = (params.use_doc_orientation_classify, params.use_doc_unwarping)
    off = (False, False)
    has = (together and steps[0], together and steps[1])
    # PaddleX takes none of them if one is switched off and none on.
    expected = off if set(given) != {None} and True not in given else taken(given, has)
    for there in (has, *product((True, False), repeat=2)):
        got = off if params.leaves_pages_as_they_are else taken(sent, there)
        if expected is not None:
            assert got == taken(expected, there)
        elif there == has:
            assert got is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"pipeline": "missing.yaml"}, "missing.yaml: no such file"),
        ({"config": {}}, "config: pipeline_name is missing"),
        ({"config": "OCR.yaml"}, "config is a str; it must be a dict"),
        ({"config": pipeline_files.shipped("OCR"), "preset": "PP-OCRv4_mobile"}, "but config says which networks"),
        ({"config": pipeline_files.shipped("OCR"), "models": {"text_detection": "A"}}, "models is for the embedded"),
        ({"config": {**pipeline_files.shipped("OCR"), "pipeline_name": "x"}}, "allowed: OCR, seal_recognition"),
    ],
)
@pytest.mark.parametrize("create", [create_pipeline, create_async_pipeline])
def test_refusals(create, arguments, says):
    with pytest.raises(InvalidParameterError, match=says):
        create(**arguments, url="localhost:1")


def test_neither_a_name_nor_what_a_file_holds():
    with pytest.raises(UnsupportedError, match="known: OCR"):
        create_pipeline(url="localhost:1")


def test_other_networks_than_the_files_are_warned_about(ocr_file):
    configured = configure(str(ocr_file()), None, None, None, "localhost:1")
    answered = {"text_detection": {"networks": {"text_detection": {"name": "other"}}}}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        configured.watch.compare(answered)
        configured.watch.compare(answered)
    (warning,) = caught
    assert "my.yaml: text_detection is other instead of PP-OCRv6_medium_det." in str(warning.message)


def test_a_folder_that_is_not_here_is_nothing_to_compare_with(tmp_path):
    config = pipeline_files.changed(pipeline_files.beta("OCR"), "Pipeline.text_rec_model", str(tmp_path / "gone"))
    configured = configure(None, config, None, None, "localhost:1")
    assert any("Global.input" in remark for remark in configured.remarks)
    assert dict(configured.networks.models) == {"text_detection": ("PP-OCRv4_mobile_det",)}
    with pytest.raises(InvalidParameterError, match="does not tell what it is called"):
        configure(None, config, None, None, None)


@pytest.fixture
def started(monkeypatch):
    """Give what embedded servers were started with."""
    made = []

    class FakeServer:
        pid, assembly, grpc_url = 1, None, "127.0.0.1:1"

        def __init__(self, pipelines, *, presets, models, log_file):
            made.append((list(pipelines), presets, {step: ",".join(names) for step, names in models.items()}))

        def start(self):
            pass

        def stop(self):
            self.pid = None

        def fault(self):
            return None

    module = ModuleType("paddlex_triton.server.host.launcher")
    module.EmbeddedServer = FakeServer  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "paddlex_triton.server.host.launcher", module)
    monkeypatch.setattr(embedded, "serves", lambda endpoint, spec: True)
    return made


def test_it_runs_on_the_files_networks(started, ocr_file):
    create_pipeline(str(ocr_file())).close()
    assert started == [
        (
            ["OCR"],
            {},
            {
                "doc_orientation_classify": "",
                "doc_unwarping": "",
                "text_detection": "PP-OCRv6_medium_det",
                "text_recognition": "PP-OCRv6_medium_rec",
                "textline_orientation": "PP-LCNet_x1_0_textline_ori",
            },
        )
    ]


def test_networks_that_are_given_win(started, ocr_file):
    models = {"text_detection": ["A", "B"], "textline_orientation": "", "doc_unwarping": "UVDoc"}
    create_pipeline(str(ocr_file()), models=models).close()
    assert started[0][2] == {
        "doc_orientation_classify": "",
        "doc_unwarping": "UVDoc",
        "text_detection": "A,B",
        "text_recognition": "PP-OCRv6_medium_rec",
        "textline_orientation": "",
    }
    defaults = configure(str(ocr_file()), None, None, models, None).defaults
    assert (defaults["use_doc_unwarping"], defaults["use_textline_orientation"]) == (True, False)
    assert defaults["text_det_thresh"] == 0.3


@pytest.mark.parametrize(
    ("source", "folder", "said"),
    [
        ("dir:best", "my/best", None),
        ("official:bos/x", None, None),
        ("dir:first", "my/best", "is made from dir:first, the file names dir:best"),
        ("official:bos/x", "my/best", "is made from official:bos/x, the file names dir:best"),
        ("dir:best", None, "is made from dir:best, the file names the official weights"),
    ],
)
def test_networks_made_from_something_else_are_warned_about(
    started, ocr_file, tmp_path, monkeypatch, source, folder, said
):
    monkeypatch.setattr(paths, "networks_repository", lambda: tmp_path / "networks")
    write_network(tmp_path / "networks", "PP-OCRv6_medium_rec", "ctc_recognition", source=source)
    # One that cannot be read is the server's to refuse.
    (write_network(tmp_path / "networks", "PP-OCRv6_medium_det", "db_detection") / "network.json").write_text("{")
    path = ocr_file({f"{RECOGNITION}.model_dir": folder})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        create_pipeline(str(path)).close()
        create_pipeline(str(path), models={"text_recognition": "other"}).close()
        create_async_pipeline(str(path), url="localhost:1")
    assert [str(one.message) for one in caught] == (
        [f"{path}: text_recognition: PP-OCRv6_medium_rec {said}: paddlex-triton export --config {path} --force"]
        if said
        else []
    )
    assert {one.filename for one in caught} <= {__file__}


def test_equal_files_share_a_server(started, ocr_file):
    with create_pipeline(str(ocr_file())), create_pipeline(str(ocr_file({f"{DETECTION}.thresh": 0.5}))):
        assert len(started) == 1


def test_networks_of_a_name_are_as_before():
    assert configure("OCR", None, None, None, None).networks == Networks()


@pytest.fixture
def run(transport, tmp_path):
    """Runs a command line on a page."""
    page = tmp_path / "page.png"
    cv2.imwrite(str(page), PAGE)

    def invoke(*arguments):
        given = [str(page) if argument == "PAGE" else str(argument) for argument in arguments]
        return CliRunner().invoke(cli.app, paddlex_spelling(given))

    return invoke


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "FILE", "--input", "PAGE"],
        ["predict", "FILE", "PAGE"],
        ["--pipeline", "FILE", "--input", "PAGE"],
        ["--input", "PAGE", "--pipeline=FILE"],
        ["predict", "--pipeline", "FILE", "--input", "PAGE"],
    ],
)
def test_spellings_of_the_command(run, transport, ocr_file, arguments):
    path = str(ocr_file({f"{DETECTION}.thresh": 0.25}))
    given = [argument.replace("FILE", path) for argument in arguments]
    result = run(*given, "--url", "localhost:1", "--text_det_box_thresh", "0.9")
    assert result.exit_code == 0, result.output
    sent = params_of(transport)
    assert (sent["text_det_thresh"], sent["text_det_box_thresh"]) == (0.25, 0.9)


def test_options_are_those_of_the_files_pipeline(run, tmp_path):
    path = tmp_path / "SEAL.YML"
    path.write_text(yaml.safe_dump(pipeline_files.shipped("seal_recognition")))
    result = run("predict", path, "--help")
    assert result.exit_code == 0, result.output
    assert "seal_det_thresh" in result.output
    assert run("predict", path, "PAGE", "--text_det_thresh", "0.3").exit_code == 2


def test_remarks_are_shown_once(run, ocr_file):
    result = run("predict", ocr_file({"engine": "paddle"}), "PAGE", "--url", "localhost:1")
    assert result.exit_code == 0
    assert result.stderr.count("Warning: ") == result.stderr.count("engine is 'paddle'") == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [({f"{DETECTION}.thresh": 2}, "TextDetection.thresh is 2"), ({"pipeline_name": "x"}, "allowed: OCR")],
)
def test_a_file_that_cannot_be_honoured(run, ocr_file, changes, says):
    result = run("predict", ocr_file(changes), "PAGE")
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.replace("│", " ").split())


def test_a_file_that_is_not_there(run):
    result = run("predict", "missing.yaml", "PAGE")
    assert result.exit_code == 2
    assert "missing.yaml: no such file" in result.stderr


def test_a_preset_beside_a_file(run, ocr_file):
    result = run("predict", ocr_file(), "PAGE", "--preset", "PP-OCRv4_mobile")
    assert result.exit_code == 1
    assert "says which networks are meant" in result.stderr


@pytest.mark.parametrize(
    ("device", "devices", "told"),
    [
        (None, {}, None),
        ("cpu", {"text_rec": "cpu"}, None),
        ("gpu:0", {}, "device is 'gpu:0': decided"),
        ("cpu", {"text_rec": "gpu:1"}, "device of text_recognition is 'gpu:1': decided"),
    ],
)
def test_devices_are_the_servers(device, devices, told):
    config = pipeline_files.changed(pipeline_files.beta("OCR"), "Global.input")
    config["Pipeline"].update({"device": device}, **{f"{step}_device": value for step, value in devices.items()})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        create_pipeline(config=config, url="localhost:1").close()
    assert len(caught) == (told is not None)
    if told:
        assert told in str(caught[0].message)


@pytest.mark.parametrize(("as_file", "exported"), [(True, False), (False, False), (True, True)])
def test_missing_networks_are_said_with_the_command(monkeypatch, ocr_file, tmp_path, as_file, exported):
    def refuse(*_):
        raise EmbeddedServerError("no server answers, and the embedded one cannot start: not exported: A")

    monkeypatch.setattr(configuration, "find_server", refuse)
    monkeypatch.setattr(paths, "networks_repository", lambda: tmp_path / "networks")
    for name in ("PP-OCRv6_medium_det", "PP-OCRv6_medium_rec", "PP-LCNet_x1_0_textline_ori") * exported:
        write_network(tmp_path / "networks", name, "db_detection")
    path = ocr_file()
    arguments: dict[str, Any] = {"pipeline": str(path)} if as_file else {"config": yaml.safe_load(path.read_text())}
    with pytest.raises(EmbeddedServerError, match="not exported: A") as refused:
        create_pipeline(**arguments)
    command = f"What {path} names is exported by: paddlex-triton export --config {path}"
    assert (command in str(refused.value)) is (as_file and not exported)
