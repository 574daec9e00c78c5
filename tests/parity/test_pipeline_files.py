"""Pipeline files against PaddleX itself: what its pipelines make of them, key by missing key.

PaddleX runs where PADDLEX_TRITON_PEER names an interpreter that has it; otherwise its stored answers count. They are
stored anew, with tests/support on the path, by

    python test_pipeline_files.py files.json && $PADDLEX_TRITON_PEER paddlex_pipeline_files.py files.json \\
        golden/pipeline_files.json
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pipeline_files
import pytest

from paddlex_triton.pipeline_file import PipelineFile, PipelineFileError, read_pipeline_config
from paddlex_triton.pipeline_file.writing import make_config
from paddlex_triton.pipelines import PIPELINES

SCRIPT = Path(__file__).with_name("paddlex_pipeline_files.py")
GOLDEN = Path(__file__).parent / "golden" / "pipeline_files.json"
PEER = os.environ.get("PADDLEX_TRITON_PEER")
NAMES = ("OCR", "seal_recognition", "human_keypoint_detection")
SWITCHES = ("use_doc_preprocessor", *(name for spec in PIPELINES.values() for name in spec.switches))
# Parameter -> PaddleX's step, and the argument that the step is made with.
DETECTION = ("limit_side_len", "limit_type", "thresh", "box_thresh", "unclip_ratio")
ARGUMENTS = {
    "OCR": {
        **{f"text_det_{key}": ("text_detection", key) for key in (*DETECTION, "max_side_limit")},
        "textline_orientation_batch_size": ("textline_orientation", "batch_size"),
        "text_recognition_batch_size": ("text_recognition", "batch_size"),
    },
    "seal_recognition": {
        "layout_threshold": ("layout_detection", "threshold"),
        **{f"layout_{key}": ("layout_detection", f"layout_{key}") for key in ("nms", "unclip_ratio")},
        "layout_merge_bboxes_mode": ("layout_detection", "layout_merge_bboxes_mode"),
        **{f"seal_det_{key}": ("seal_text_detection", key) for key in DETECTION},
        "text_recognition_batch_size": ("text_recognition", "batch_size"),
    },
    "human_keypoint_detection": {"det_threshold": ("object_detection", "threshold")},
}
VALUES = {
    "OCR": {"text_rec_score_thresh": "text_rec_score_thresh", "return_word_box": "return_word_box"},
    "seal_recognition": {"seal_rec_score_thresh": "text_rec_score_thresh"},
    "human_keypoint_detection": {"det_threshold": "det_threshold"},
}
# PaddleX leaves a layout step alone that it is not told about; this is what has the same effect here.
NOT_TOLD = {
    "layout_threshold": 0.5,
    "layout_nms": False,
    "layout_unclip_ratio": {},
    "layout_merge_bboxes_mode": "union",
}
STEPS = {
    "doc_orientation_classify": "doc_text_orientation",
    "doc_unwarping": "image_unwarping",
    "human_detection": "object_detection",
}


def make_cases() -> dict[str, pipeline_files.Config]:
    """Shipped files; files without one of their keys; files with a switch turned; files that are written here."""
    cases = {f"OCR/{version}": pipeline_files.shipped("OCR", version) for version in pipeline_files.VERSIONS}
    for name in NAMES:
        config = cases[f"{name}/shipped"] = pipeline_files.shipped(name)
        for path in pipeline_files.key_paths(config):
            if path == "pipeline_name" or path.endswith("module_name"):
                continue
            cases[f"{name}/{path}=missing"] = pipeline_files.changed(config, path)
            if path.rpartition(".")[2] in SWITCHES and "SealOCR" not in path:
                cases[f"{name}/{path}=False"] = pipeline_files.changed(config, path, False)
        for preset in PIPELINES[name].presets:
            cases[f"{name}/written/{preset}"] = make_config(PIPELINES[name], preset)
    return cases


CASES = make_cases()


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, Any]:
    """PaddleX's answers by case."""
    if not PEER:
        return json.loads(GOLDEN.read_text(encoding="utf-8"))
    folder = tmp_path_factory.mktemp("paddlex")
    (folder / "files.json").write_text(json.dumps(CASES), encoding="utf-8")
    command = [PEER, str(SCRIPT), str(folder / "files.json"), str(folder / "answers.json")]
    subprocess.run(command, check=True, cwd=folder, timeout=300, capture_output=True)
    return json.loads((folder / "answers.json").read_text(encoding="utf-8"))


def test_the_stored_answers_are_of_these_files(answers):
    stored = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert stored.keys() == CASES.keys()
    assert stored == answers


@pytest.mark.parametrize("case", CASES)
def test_a_file_says_what_it_says_to_paddlex(case, answers):
    expected = answers[case]
    if "error" in expected:
        with pytest.raises(PipelineFileError):
            read_pipeline_config(CASES[case])
        return
    file = read_pipeline_config(CASES[case])
    assert_same_networks(file, expected["models"])
    assert_same_params(file, expected)


def assert_same_networks(file: PipelineFile, models: list[dict[str, Any]]) -> None:
    ours = {STEPS.get(step, step): choice.name for step, choice in file.networks.items()}
    assert ours == {model["step"]: model["model_name"] for model in models}
    assert {step for step, name in file.models().items() if not name} == set(file.off)


def assert_same_params(file: PipelineFile, expected: dict[str, Any]) -> None:
    steps = {model["step"]: model for model in expected["models"]}
    values = expected["values"]
    name = file.spec.name
    for parameter, (step, argument) in ARGUMENTS[name].items():
        if step in steps:
            told = steps[step].get(argument, NOT_TOLD.get(parameter))
            assert file.params.get(parameter) == told, parameter
        else:
            assert parameter not in file.params
    for parameter, remembered in VALUES[name].items():
        assert file.params.get(parameter) == values[remembered], parameter
    for switch in file.spec.switches:
        prepares = switch in ("use_doc_orientation_classify", "use_doc_unwarping")
        expected_on = values.get(switch, False) and (not prepares or values["use_doc_preprocessor"])
        assert file.params[switch] is expected_on, switch


@pytest.mark.parametrize("name", NAMES)
def test_files_of_paddlex_itself(name):
    """Those of the installed PaddleX, if one is named, are read without a refusal."""
    if not PEER:
        assert not read_pipeline_config(pipeline_files.shipped(name)).off
        return
    code = "import importlib.util as u, pathlib as p; print(p.Path(u.find_spec('paddlex').origin).parent)"
    found = subprocess.run([PEER, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    from paddlex_triton.pipeline_file import read_pipeline_file

    file = read_pipeline_file(Path(found.stdout.strip()) / "configs" / "pipelines" / f"{name}.yaml")
    ours = read_pipeline_config(pipeline_files.shipped(name))
    assert (file.models(), file.params, len(file.remarks)) == (ours.models(), ours.params, len(ours.remarks))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(CASES), encoding="utf-8")
