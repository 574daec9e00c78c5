"""`get-pipeline-config`: files that say what is so anyway."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from paddlex_triton import cli
from paddlex_triton.client.cli import paddlex_spelling
from paddlex_triton.pipeline_file import read_pipeline_file
from paddlex_triton.pipeline_file.writing import config_text, save_text
from paddlex_triton.pipelines import PIPELINES, find_preset

PRESETS = [(name, preset) for name, spec in PIPELINES.items() for preset in (None, *spec.presets)]


def step_of(parameter):
    """The optional step that a parameter belongs to."""
    return {"layout": "layout_detection", "textline": "textline_orientation"}.get(parameter.partition("_")[0])


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli.app, paddlex_spelling(list(arguments)))


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_what_is_written_reads_as_what_is_so_anyway(tmp_path, name, preset):
    spec, path = PIPELINES[name], tmp_path / "my.yaml"
    save_text(config_text(spec, preset), path)
    file = read_pipeline_file(path)
    networks = find_preset(spec, preset)
    assert file.models() == {step: networks.get(step, "") for step in spec.steps}
    assert file.remarks == ()
    defaults = spec.params()
    for parameter, value in file.params.items():
        step = spec.switches.get(parameter)
        assert value == (step in networks if step else getattr(defaults, parameter)), parameter
    # All are written, less those of steps that are off and those that no file has.
    missing = {
        parameter for parameter in set(spec.params.model_fields) - set(file.params) if "_model_name" not in parameter
    }
    assert missing - {"return_preprocessed_img", "det_threshold", "text_recognition_padding"} == {
        parameter for parameter in missing if step_of(parameter) in file.off
    }


def test_it_can_be_turned_on_again(tmp_path):
    path = tmp_path / "my.yaml"
    text = config_text(PIPELINES["OCR"]).replace("use_doc_preprocessor: false", "use_doc_preprocessor: true")
    path.write_text(text.replace("use_textline_orientation: false", "use_textline_orientation: true"))
    assert read_pipeline_file(path).off == ()


@pytest.mark.parametrize(
    "arguments",
    [
        ["get-pipeline-config", "OCR"],
        ["get-pipeline-config", "ocr", "--save_path", "."],
        ["--get_pipeline_config", "OCR"],
        ["--get-pipeline-config=OCR"],
        ["--save_path", ".", "--get_pipeline_config", "OCR"],
        ["--get_pipeline_config", "OCR", "--save_path", "OCR.yaml"],
    ],
)
def test_spellings(run, tmp_path, arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout == "The pipeline config has been saved to: OCR.yaml\n"
    assert [path.name for path in tmp_path.iterdir()] == ["OCR.yaml"]
    assert (tmp_path / "OCR.yaml").read_text() == config_text(PIPELINES["OCR"])


def test_folders_are_made(run, tmp_path):
    assert run("get-pipeline-config", "seal_recognition", "--save-path", "a/b").exit_code == 0
    assert (
        run("get-pipeline-config", "seal_recognition", "--save_path", "c/mine.yml", "--preset", "nopp").exit_code == 0
    )
    assert (tmp_path / "a" / "b" / "seal_recognition.yaml").read_text() == (tmp_path / "c" / "mine.yml").read_text()


def test_a_preset(run, tmp_path):
    assert run("get-pipeline-config", "seal_recognition", "--preset", "seal_recognition-nopp-nolayout").exit_code == 0
    assert "preset nopp-nolayout\n" in (tmp_path / "seal_recognition.yaml").read_text()


def test_nothing_is_replaced_unless_told_to(run, tmp_path):
    (tmp_path / "OCR.yaml").write_text("mine")
    result = run("get-pipeline-config", "OCR")
    assert result.exit_code == 1
    assert result.stderr == "Error: OCR.yaml is there already; --force replaces it\n"
    assert (tmp_path / "OCR.yaml").read_text() == "mine"
    assert run("get-pipeline-config", "OCR", "--force").exit_code == 0
    assert (tmp_path / "OCR.yaml").read_text() == config_text(PIPELINES["OCR"])
    assert [path.name for path in tmp_path.iterdir()] == ["OCR.yaml"]


@pytest.mark.parametrize("force", [False, True])
def test_a_failure_leaves_nothing(tmp_path, monkeypatch, force):
    def fail(part, target):
        raise OSError("disk full")

    monkeypatch.setattr(*(("pathlib.Path.replace", fail) if force else ("os.link", fail)))
    path = tmp_path / "OCR.yaml"
    if force:
        path.write_text("mine")
    with pytest.raises(OSError, match="disk full"):
        save_text("x", path, force=force)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == ([("OCR.yaml", "mine")] if force else [])


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["PP-StructureV3"], 2, "known: OCR, seal_recognition"),
        (["OCR", "--preset", "nopp"], 2, "has no preset 'nopp'"),
        (["OCR", "--save_path", "file/sub"], 1, "cannot be written: Not a directory"),
        (["OCR", "--save_path", "file"], 1, "cannot be written: Not a directory"),
        ([], 2, "Missing argument"),
    ],
)
def test_refusals(run, tmp_path, arguments, code, says):
    (tmp_path / "file").write_text("mine")
    result = run("get-pipeline-config", *arguments)
    assert result.exit_code == code, result.output
    assert says in " ".join(result.stderr.replace("│", " ").split())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
