"""The evaluation on a small set with networks that are made up."""

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer import Typer
from typer.testing import CliRunner

from paddlex_triton.export.training.calibrate import OFFSETS, SHARPNESSES, logits_of, score_calibrations
from paddlex_triton.export.training.evaluate import evaluate
from paddlex_triton.export.training.evaluation import (
    Network,
    Postprocessing,
    count_seals,
    read_seal_set,
    reduce_scene,
    score_seals,
)

app = Typer()
app.command()(evaluate)


def save(nodes: list, inputs: list, outputs: list, file: Path, constants: tuple = ()) -> Path:
    graph = helper.make_graph(nodes, "made_up", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, file)
    return file


def bright_text(file: Path) -> Path:
    """A detector for which what is bright is text."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Sigmoid", ["mean"], ["prob"]),
    ]
    shape = ["n", 3, "h", "w"]
    return save(
        nodes,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("prob", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        file,
    )


def one_seal(file: Path, rows: list[list[float]]) -> Path:
    """A layout detector with the same answer for every page."""
    constants = (
        helper.make_tensor("rows", TensorProto.FLOAT, [len(rows), 6], [value for row in rows for value in row]),
        helper.make_tensor("rows_count", TensorProto.INT32, [1], [len(rows)]),
    )
    inputs = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 640, 640]),
        helper.make_tensor_value_info("scale_factor", TensorProto.FLOAT, ["N", 2]),
    ]
    nodes = [
        helper.make_node("Identity", [name], [output]) for name, output in (("rows", "boxes"), ("rows_count", "count"))
    ]
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["M", 6]),
        helper.make_tensor_value_info("count", TensorProto.INT32, ["N"]),
    ]
    return save(nodes, inputs, outputs, file, constants)


@pytest.fixture
def small_set(tmp_path: Path) -> Path:
    """Two scenes with a bright band each, and two pages of which one has a seal."""
    folder = tmp_path / "set"
    lines, pages = {}, {}
    for kind in ("seals", "pages"):
        (folder / kind).mkdir(parents=True)
    for number in range(2):
        image = np.zeros((300, 300, 3), np.uint8)
        image[100:140, 40:260] = 255
        image[200:204, 100:200] = 255
        cv2.imwrite(str(folder / "seals" / f"{number}.png"), image)
        low = [[100, 200], [200, 200], [200, 204], [100, 204]]
        lines[f"{number}.png"] = [[[40, 100], [260, 100], [260, 140], [40, 140]], low]
        cv2.imwrite(str(folder / "pages" / f"{number}.png"), image)
        pages[f"{number}.png"] = [[2, 10, 10, 110, 110]] if number else [[1, 5, 5, 50, 50]]
    (folder / "seals.json").write_text(json.dumps(lines))
    (folder / "pages.json").write_text(json.dumps(pages))
    return folder


def test_low_lines_are_ignored_whatever_the_size(small_set):
    scene, _ = read_seal_set(small_set)
    assert scene.ignored == [False, True]
    reduced = reduce_scene(scene, 150)
    assert reduced.image.shape == (150, 150, 3)
    assert reduced.ignored == scene.ignored
    np.testing.assert_allclose(reduced.polygons[0], scene.polygons[0] / 2)


def test_several_networks_in_one_table(small_set, tmp_path):
    detector = bright_text(tmp_path / "bright.onnx")
    right = one_seal(tmp_path / "right.onnx", [[2, 0.9, 10, 10, 110, 110], [2, 0.2, 200, 200, 220, 220]])
    wrong = one_seal(tmp_path / "wrong.onnx", [[0, 0.9, 10, 10, 110, 110]])
    output = tmp_path / "scores.json"
    files = [str(file) for file in (detector, right, wrong)]
    result = CliRunner().invoke(app, [str(small_set), *files, "--output", str(output), "--both-orders"])
    assert result.exit_code == 0, result.output
    scores = json.loads(output.read_text())
    (sizes,) = scores["seal_text"].values()
    assert list(sizes) == ["as stored", "240 px"]
    assert all(counts["f1"] == 1 and counts["expected"] == 2 for counts in sizes.values())
    seals = {name: each["classes"]["seal"] for name, each in scores["layout"].items()}
    assert len(seals) == 4
    first, _, third, _ = seals.values()
    # The box is right on one page, and false on the other.
    assert (first["recall"], first["precision"], third["recall"]) == (1, 0.5, 0)


def test_false_seals_are_counted_from_a_score_of_one_half():
    rows = np.array([[2, 0.5, 0, 0, 1, 1], [2, 0.49, 0, 0, 1, 1], [1, 0.9, 0, 0, 1, 1]], np.float32)
    assert count_seals(rows) == 1
    assert count_seals(rows[:0]) == 0


@pytest.mark.parametrize("arguments", [["nowhere.onnx"], []])
def test_errors_are_said_without_a_traceback(small_set, arguments):
    result = CliRunner().invoke(app, [str(small_set), *arguments])
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit)


def test_networks_of_another_kind_are_refused(tmp_path):
    tensor = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("input", "output")]
    file = save([helper.make_node("Identity", ["input"], ["output"])], tensor[:1], tensor[1:], tmp_path / "other.onnx")
    with pytest.raises(ValueError, match="`x`, or `image` and `scale_factor`"):
        Network(file)


def test_calibrations_are_scored_as_if_they_were_in_the_network(small_set, tmp_path):
    network = Network(bright_text(tmp_path / "bright.onnx"))
    scores = score_calibrations(network, read_seal_set(small_set))
    assert len(scores) == len(SHARPNESSES) * len(OFFSETS)
    assert scores[1.0, 0.0] == score_seals(network, read_seal_set(small_set), Postprocessing())


def test_logits_are_the_sigmoid_s_inverse():
    logits = np.array([-5, 0, 3], np.float32)
    np.testing.assert_allclose(logits_of(1 / (1 + np.exp(-logits))), logits, atol=1e-3)
    assert np.isfinite(logits_of(np.array([0, 1], np.float32))).all()
