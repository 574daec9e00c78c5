"""The evaluation on a small set, with networks that are made up."""

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer import Typer
from typer.testing import CliRunner

from training.evaluate import evaluate
from training.evaluation import Network, count_seals, time_pages

app = Typer()
app.command()(evaluate)


def save(nodes: list, inputs: list, outputs: list, file: Path, constants: tuple = ()) -> Path:
    graph = helper.make_graph(nodes, "made_up", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, file)
    return file


def one_seal(file: Path, rows: list[list[float]], size: tuple[int | str, int | str] = (640, 640)) -> Path:
    """A network with the same answer for every page."""
    constants = (
        helper.make_tensor("rows", TensorProto.FLOAT, [len(rows), 6], [value for row in rows for value in row]),
        helper.make_tensor("rows_count", TensorProto.INT32, [1], [len(rows)]),
    )
    inputs = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, *size]),
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
    """Two pages of which one has a seal."""
    folder = tmp_path / "set"
    (folder / "pages").mkdir(parents=True)
    boxes = {"0.png": [[1, 5, 5, 50, 50]], "1.png": [[2, 10, 10, 110, 110]]}
    for name in boxes:
        cv2.imwrite(str(folder / "pages" / name), np.zeros((300, 300, 3), np.uint8))
    (folder / "pages.json").write_text(json.dumps(boxes))
    return folder


def test_several_networks_in_one_table(small_set, tmp_path):
    right = one_seal(tmp_path / "right.onnx", [[2, 0.9, 10, 10, 110, 110], [2, 0.2, 200, 200, 220, 220]])
    # Of the same name, but in a folder of its own.
    (tmp_path / "other").mkdir()
    wrong = one_seal(tmp_path / "other" / "right.onnx", [[0, 0.9, 10, 10, 110, 110]])
    output = tmp_path / "scores.json"
    result = CliRunner().invoke(app, [str(small_set), str(right), str(wrong), "--output", str(output), "--both-orders"])
    assert result.exit_code == 0, result.output
    scores = json.loads(output.read_text())
    assert list(scores) == [f"{file}{order}" for file in (right, wrong) for order in ("", " (BGR)")]
    first, _, third, _ = (each["classes"]["seal"] for each in scores.values())
    # The box is right on one page, and false on the other.
    assert (first["recall"], first["precision"], third["recall"]) == (1, 0.5, 0)
    assert scores[str(right)]["false_seals"] is None


@pytest.mark.parametrize("rounds", [0, 2])
def test_networks_are_timed_in_turn_when_told(small_set, tmp_path, rounds):
    files = [one_seal(tmp_path / name, [[2, 0.9, 10, 10, 110, 110]]) for name in ("a.onnx", "b.onnx")]
    result = CliRunner().invoke(app, [str(small_set), *map(str, files), "--rounds", str(rounds)])
    assert result.exit_code == 0, result.output
    assert result.output.count(" ms a page") == (2 if rounds else 0)


def test_the_time_of_a_page_is_the_median_without_the_first(monkeypatch):
    now, order = [0.0], []

    class Slow:
        def __init__(self, *spent: float) -> None:
            self.spent = list(spent)

        def rows(self, page: np.ndarray) -> None:
            order.append((self, int(page[0])))
            now[0] += self.spent.pop(0)

    monkeypatch.setattr("training.evaluation.time.perf_counter", lambda: now[0])
    first, second = Slow(9, 1, 3, 2, 2), Slow(7, 5, 5, 5, 5)
    found = time_pages({"a": first, "b": second}, [np.array([0]), np.array([1])], 2)  # pyright: ignore[reportArgumentType]
    assert found == {"a": pytest.approx(2000), "b": pytest.approx(5000)}
    assert order[:4] == [(first, 0), (second, 0), (first, 0), (second, 0)]


@pytest.mark.usefixtures("drawing_fonts")
def test_false_seals_are_sought_on_pages_drawn_without_any(small_set, tmp_path):
    network = one_seal(tmp_path / "one.onnx", [[2, 0.5, 10, 10, 110, 110]])
    output = tmp_path / "scores.json"
    result = CliRunner().invoke(
        app, [str(small_set), str(network), "--pages-without-seals", "2", "--limit", "1", "--output", str(output)]
    )
    assert result.exit_code == 0, result.output
    (scores,) = json.loads(output.read_text()).values()
    assert (scores["false_seals"], scores["pages_without_seals"]) == (2, 2)
    assert scores["classes"]["seal"]["expected"] == 0


@pytest.mark.parametrize("side", [320, 768])
def test_a_page_is_resized_to_the_network_s_own_input(tmp_path, side):
    network = Network(one_seal(tmp_path / "one.onnx", [[2, 0.9, 10, 10, 110, 110]], (side, side)))
    assert network.side == side
    assert network.rows(np.zeros((300, 200, 3), np.uint8)).shape == (1, 6)


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
    with pytest.raises(ValueError, match=r"makes \['output'\] of \['input'\]; \['boxes', 'count'\] of"):
        Network(file)
    for size in ((640, 320), ("H", "W")):
        with pytest.raises(ValueError, match=rf"takes pictures of \[.?{size[0]}.*{size[1]}.?\] pixels; a square"):
            Network(one_seal(tmp_path / "wide.onnx", [[2, 0.9, 10, 10, 110, 110]], size))
    file.write_text("no network")
    with pytest.raises(ValueError, match=r"other\.onnx cannot be run"):
        Network(file)
