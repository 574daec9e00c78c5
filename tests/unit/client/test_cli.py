"""`paddlex-triton predict`."""

import json
import re
import warnings

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from paddlex_triton import cli
from paddlex_triton.client import NO_RETRIES, Pipeline, options
from paddlex_triton.client import pipeline as pipeline_module
from paddlex_triton.client.cli import paddlex_spelling
from paddlex_triton.client.exceptions import (
    InvalidImageError,
    PipelineClosedError,
    ServerBusyError,
    ServerUnavailableError,
    UnsupportedError,
)
from paddlex_triton.client.transports.mock import MockTransport
from paddlex_triton.params import OCRParams, SealRecognitionParams
from paddlex_triton.pipelines import PIPELINES, find_pipeline
from paddlex_triton.version import __version__


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "page.png"
    cv2.imwrite(str(path), np.full((60, 100, 3), 255, np.uint8))
    return path


@pytest.fixture
def run(monkeypatch, tensors, seal_tensors):
    """Runs a command line on a mock transport."""

    def read(request):
        return tensors(["文字"]) if request.model == "ocr" else seal_tensors([["文字"]])

    made = {}

    def create(name, **arguments):
        pipeline_module.warn_about_ignored(
            **{key: arguments.get(key) for key in ("device", "engine", "use_hpip", "hpi_config")}
        )
        made["arguments"] = arguments
        pipeline_module.check_options(arguments["timeout"], arguments["max_in_flight"])
        return Pipeline(
            find_pipeline(name), made["transport"], retry=NO_RETRIES, max_in_flight=arguments["max_in_flight"]
        )

    monkeypatch.setattr(pipeline_module, "create_pipeline", create)

    def invoke(*arguments, answer=read):
        made["transport"] = MockTransport(answer)
        result = CliRunner().invoke(cli.app, paddlex_spelling([str(argument) for argument in arguments]))
        sent = [json.loads(request.inputs["params"][0]) for request in made["transport"].sent]
        return result, sent, made.get("arguments", {})

    return invoke


def test_version():
    result = CliRunner().invoke(cli.app, ["--version"])
    assert result.output.strip() == f"paddlex-triton {__version__}"


def test_it_prints_and_saves(run, image, tmp_path):
    result, sent, _ = run("predict", "OCR", "--input", image, "--save_path", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{{'res': {{'input_path': '{image}'")
    assert "'rec_texts': ['文字']" in result.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["page_ocr_res_img.png", "page_res.json"]
    assert sent == [{}]


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "OCR", "--input", "IMAGE"],
        ["predict", "ocr", "--input=IMAGE"],
        ["predict", "OCR", "IMAGE"],
        ["--pipeline", "OCR", "--input", "IMAGE"],
        ["--pipeline=OCR", "--input", "IMAGE"],
        ["--input", "IMAGE", "--pipeline", "OCR"],
        ["predict", "--pipeline", "OCR", "--input", "IMAGE"],
    ],
)
def test_spellings(run, image, arguments):
    result, sent, _ = run(*[argument.replace("IMAGE", str(image)) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert sent == [{}]


def test_other_commands_keep_their_pipeline_option():
    assert paddlex_spelling(["serve", "--pipeline", "OCR"]) == ["serve", "--pipeline", "OCR"]
    assert paddlex_spelling([]) == []
    assert paddlex_spelling(["--version"]) == ["--version"]
    assert paddlex_spelling(["--pipeline"]) == ["--pipeline"]


def test_several_inputs(run, image):
    result, sent, _ = run("predict", "OCR", "--input", image, "--input", image, image)
    assert result.exit_code == 0
    assert len(sent) == 3
    assert result.stdout.count("'rec_texts'") == 3


def test_parameters_in_paddlex_forms(run, image):
    arguments = "--text_det_limit_side_len 736 --text_det_limit_type max --text_det_thresh 0.25 --text-det-box-thresh 1"
    flags = "--use_textline_orientation False --return_word_box false --use_doc_unwarping None"
    result, sent, _ = run("predict", "OCR", "--input", image, *arguments.split(), *flags.split())
    assert result.exit_code == 0, result.output
    assert sent == [
        {
            "text_det_limit_side_len": 736,
            "text_det_limit_type": "max",
            "text_det_thresh": 0.25,
            "text_det_box_thresh": 1,
            "use_textline_orientation": False,
            "return_word_box": False,
        }
    ]


@pytest.mark.parametrize(("pipeline", "schema"), [("OCR", OCRParams), ("seal_recognition", SealRecognitionParams)])
def test_every_parameter_is_in_the_help(run, pipeline, schema):
    result, _, _ = run("predict", pipeline, "--help")
    plain = " ".join(result.output.replace("│", " ").split())
    for name, field in schema.model_fields.items():
        assert f"--{name}"[:24] in plain
        assert str(field.description).split()[0] in plain


@pytest.mark.parametrize("prefix", [["predict", "seal_recognition"], ["--pipeline", "seal_recognition"]])
def test_seals(run, image, tmp_path, prefix):
    result, sent, arguments = run(*prefix, "--input", image, "--save_path", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{{'res': {{'input_path': '{image}', 'model_settings': ")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "page_layout_det_res.png",
        "page_res.json",
        "page_seal_res_region1.png",
    ]
    assert sent == [{}]
    assert (arguments["preset"], arguments["models"]) == (None, None)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("layout_threshold", "0.4", 0.4),
        ("layout_threshold", '{"16": 0.5}', {"16": 0.5}),
        ("layout_threshold", "{16: 0.5}", {"16": 0.5}),
        ("layout_unclip_ratio", "1.2", 1.2),
        ("layout_unclip_ratio", "[1.1, 1.2]", [1.1, 1.2]),
        ("layout_unclip_ratio", "(1.1, 1.2)", [1.1, 1.2]),
        ("layout_unclip_ratio", '{"16": [1.1, 1.2], "2": 1.5}', {"16": [1.1, 1.2], "2": 1.5}),
        ("layout_nms", "False", False),
        ("layout_nms", "1", True),
        ("layout_merge_bboxes_mode", "small", "small"),
        ("layout_merge_bboxes_mode", "'small'", "small"),
        ("layout_merge_bboxes_mode", '{"16": "union"}', {"16": "union"}),
    ],
)
def test_parameters_of_several_forms(run, image, name, text, value):
    result, sent, _ = run("predict", "seal_recognition", "--input", image, f"--{name}", text)
    assert result.exit_code == 0, result.output
    assert sent == [{name: value}]


def test_networks_of_the_embedded_server(run, image):
    chosen = "--preset nopp-lightweight --model layout_detection=PP-DocLayout-S --model text_recognition=x,y"
    result, _, arguments = run("predict", "seal_recognition", image, *chosen.split())
    assert result.exit_code == 0, result.output
    assert arguments["preset"] == "nopp-lightweight"
    assert arguments["models"] == {"layout_detection": ("PP-DocLayout-S",), "text_recognition": ("x", "y")}
    assert run("predict", "OCR", image, "--model", "text_recognition=")[2]["models"] == {"text_recognition": ()}


def test_where_to_send_it(run, image):
    result, _, arguments = run(
        *f"predict OCR {image} --url http://host:8000 --protocol http --timeout 9 --max-in-flight 2".split()
    )
    assert result.exit_code == 0, result.output
    given = {name: arguments[name] for name in ("url", "protocol", "timeout", "max_in_flight")}
    assert given == {"url": ["http://host:8000"], "protocol": "http", "timeout": 9.0, "max_in_flight": 2}


def test_what_the_server_decides_is_one_line(run, image):
    result, _, _ = run("--pipeline", "OCR", "--input", image, "--device", "cpu", "--use_hpip")
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: device='cpu', use_hpip=True: ignored.")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--input", "nowhere.png"], "nowhere.png: there is no such file"),
        (["--timeout", "inf", "IMAGE"], "timeout is inf; it must be a number of seconds above 0 and at most 86400"),
        (["--max_in_flight", "0", "IMAGE"], "max_in_flight is 0; it must be a whole number from 1 to 256"),
        (["--text_det_thresh", "2", "IMAGE"], "text_det_thresh is 2"),
        (["--text_det_thresh", "high", "IMAGE"], "text_det_thresh is 'high'"),
        (["--use_textline_orientation", "maybe", "IMAGE"], "use_textline_orientation is 'maybe'"),
    ],
)
def test_errors_are_one_line(run, image, arguments, says):
    result, sent, _ = run("predict", "OCR", *[str(image) if given == "IMAGE" else given for given in arguments])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert sent == []


def test_a_refusal_of_the_server_comes_after_the_pages_before_it(run, image, tensors):
    answers = iter([tensors(["a"]), InvalidImageError("no [red]image[/red]")])

    def answer(request):
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    result, _, _ = run("predict", "OCR", "--max_in_flight", "1", image, image, answer=answer)
    assert result.exit_code == 1
    assert "'rec_texts': ['a']" in result.stdout
    assert result.stderr == f"Error: {image}: no [red]image[/red]\n"


@pytest.mark.parametrize("as_folder", [False, True])
def test_other_inputs_are_read_when_one_fails(run, tmp_path, tensors, as_folder):
    for name in ("a.png", "b.ppm", "c.png", "d.png"):
        (tmp_path / name).write_bytes(name.encode())

    def answer(request):
        if request.inputs["image"][0] == b"c.png":
            raise InvalidImageError("no\nimage")
        return tensors([request.inputs["image"][0].decode()])

    inputs = [tmp_path] if as_folder else sorted(tmp_path.iterdir())
    result, sent, _ = run("predict", "OCR", *inputs, answer=answer)
    assert result.exit_code == 1
    assert [name for name in ("a.png", "c.png", "d.png") if f"'rec_texts': ['{name}']" in result.stdout] == [
        "a.png",
        "d.png",
    ]
    broken, refused, *report = result.stderr.splitlines()
    assert broken.startswith(f"Error: {tmp_path}/b.ppm: the image cannot be decoded")
    assert refused == f"Error: {tmp_path}/c.png: no image"
    assert len(report) == 5 * as_folder
    assert len(sent) == 3


@pytest.mark.parametrize("error", [ServerUnavailableError, ServerBusyError, UnsupportedError, PipelineClosedError])
def test_what_fails_for_all_inputs_stops_at_once(run, image, error):
    def answer(request):
        raise error("no server")

    result, sent, _ = run("predict", "OCR", "--max_in_flight", "1", *[image] * 5, answer=answer)
    assert result.exit_code == 1
    assert result.stderr == f"Error: {image}: no server\n"
    assert len(sent) <= 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "OCR"],
        ["predict", "nothing"],
        ["predict", "OCR", "--nonsense", "1"],
        ["predict", "OCR", "page.png", "--model", "text_recognition"],
        ["predict", "OCR", "page.png", "--model", "=x"],
    ],
)
def test_wrong_usage(run, arguments):
    result, sent, _ = run(*arguments)
    assert result.exit_code == 2
    assert sent == []


@pytest.mark.parametrize("name", PIPELINES)
def test_networks_of_a_call(run, image, name, tensors, seal_tensors, person_tensors, monkeypatch):
    answers = {
        "OCR": lambda: tensors(["a"]),
        "seal_recognition": lambda: seal_tensors([["a"]]),
        # All outputs of the others: a result takes its own.
        "doc_preprocessor": lambda: seal_tensors([["a"]]),
    }
    chosen = {f"{step}_model_name": f"net-{number}" for number, step in enumerate(PIPELINES[name].steps)}
    options = [part for option, network in chosen.items() for part in (f"--{option.replace('_', '-')}", network)]
    answer = answers.get(name, lambda: person_tensors(1))
    result, sent, _ = run("predict", name, image, *options, answer=lambda _: answer())
    assert result.exit_code == 0, result.output
    assert sent == [chosen]
    monkeypatch.setenv("COLUMNS", "200")
    shown, _, _ = run("predict", name, "--help")
    panel = shown.output.partition("Networks, where the server has several for a step")[2]
    assert all(f"--{option}" in panel for option in chosen)
    assert "NETWORK" in panel


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("return_word_box", "1", True),
        ("return_word_box", "TRUE", True),
        ("text_det_thresh", "1", 1),
        ("text_det_thresh", "none", None),
        ("text_det_limit_type", "736", "736"),
        ("text_det_limit_side_len", "7e2x", "7e2x"),
        ("text_det_thresh", "__import__('os')", "__import__('os')"),
        ("text_det_thresh", "(" * 10_000, "(" * 10_000),
    ],
)
def test_values(name, text, value):
    found = options.parse_option(OCRParams, name, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "metavar", "says"),
    [
        ("layout_threshold", "FLOAT|JSON", "dropped.* Allowed: a number from 0 to 1, or an object .* Default: 0.5."),
        ("layout_unclip_ratio", "FLOAT|JSON", "Allowed: a factor above 0 and up to 10, a pair .* Default: 1.0."),
        (
            "layout_merge_bboxes_mode",
            "TEXT|JSON",
            "Allowed: 'large', 'small', 'union', or an object .* Default: large.",
        ),
        ("layout_nms", "True|False", "Default: True."),
        ("seal_det_limit_side_len", "INT", "At least 1 and at most 8000. Default: 736."),
        ("seal_det_limit_type", "TEXT", "One of 'min', 'max', 'resize_long'. Default: min."),
    ],
)
def test_help_of_parameters(name, metavar, says):
    field = SealRecognitionParams.model_fields[name]
    assert options.option_metavar(field) == metavar
    assert re.search(f"{says}$", options.option_help(field))


def test_main_ends_with_the_exit_code(capsys):
    with pytest.raises(SystemExit) as caught, warnings.catch_warnings():
        cli.main(["--version"])
    assert caught.value.code == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize("command", ["predict", "export", "serve"])
def test_ctrl_c_before_a_command_has_begun(monkeypatch, command):
    def interrupt(module):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_commands_of", interrupt)
    done = CliRunner().invoke(cli.app, [command])
    assert (done.exit_code, done.stdout, done.stderr) == (130, "", "Interrupted\n")
