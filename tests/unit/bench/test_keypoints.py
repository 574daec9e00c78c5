"""The measurement of keypoint networks, and the graph that decodes its heatmaps itself."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
import typer
from keypoint_graphs import tiny_pose
from onnx import parser
from people_world import DETECTOR, KEYPOINTS, box_of, draw_page, joints_of, write_weights
from rich.console import Console
from typer.testing import CliRunner

from paddlex_triton.bench import keypoints as module
from paddlex_triton.bench.keypoint_graph import append_decoding
from paddlex_triton.bench.keypoints import (
    ExportedNetwork,
    KeypointCosts,
    Timing,
    measure_keypoints,
    open_network,
    time_in_turn,
)
from paddlex_triton.export.api import export_directory
from paddlex_triton.export.errors import GraphError
from paddlex_triton.limits import MAX_PEOPLE
from paddlex_triton.ops.keypoint_crop import crop_people, frames_of_boxes, points_to_page
from paddlex_triton.ops.keypoint_decode import decode_heatmaps

SIZE = HEIGHT, WIDTH = 32, 24
JOINTS = 17
# Heatmap pixels. Logarithms and smoothed values of the two differ by some float32 roundings of up to 1e-6, derivatives
# with them, and a step is one divided by another of about 0.1.
TOLERANCE = 1e-4


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """No rests, and OpenCV's threads, which the command sets for its process, as they were."""
    monkeypatch.setattr(module, "_REST_S", 0)
    threads = module.cv2.getNumThreads()
    yield
    module.cv2.setNumThreads(threads)


def identity(opset: int, dims: str) -> bytes:
    """A network that answers with what it gets."""
    text = f"(float[{dims}] x) => (float[{dims}] heatmaps) {{ heatmaps = Identity (x) }}"
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> same {text}')
    onnx.checker.check_model(model)
    return model.SerializeToString()


def decode(heatmaps: np.ndarray, opset: int = 18) -> tuple[np.ndarray, np.ndarray]:
    """In the graph: points float32 [N, J, 2] and scores [N, J]."""
    _, joints, height, width = heatmaps.shape
    found = open_network(append_decoding(identity(opset, f"N,{joints},{height},{width}")), 1)(heatmaps)
    assert (found.dtype, found.shape) == (np.float32, (*heatmaps.shape[:2], 3))
    return found[..., :2], found[..., 2]


def assert_as_on_the_host(heatmaps: np.ndarray, opset: int = 18) -> np.ndarray:
    """Decode both ways: points float32 [N, J, 2]."""
    wanted, scores = decode_heatmaps(heatmaps)
    points, found_scores = decode(heatmaps, opset)
    np.testing.assert_allclose(points, wanted, rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(found_scores, scores)
    return points


def gaussian(x: float, y: float, *, top: float = 0.75, sigma: float = 2.0) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (top * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))).astype(np.float32)


def one_map(values: dict[tuple[int, int], float], rest: float = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A heatmap [1, 1, h, w] with values at some x, y."""
    heatmap = np.full((1, 1, *size), rest, np.float32)
    for (x, y), value in values.items():
        heatmap[0, 0, y, x] = value
    return heatmap


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> dict[str, Path]:
    return write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def exported(weights, tmp_path_factory) -> Path:
    return export_directory(weights[KEYPOINTS], tmp_path_factory.mktemp("repository"))


class TestGraph:
    @pytest.mark.parametrize("opset", [11, 13, 18, 20])
    @pytest.mark.parametrize("count", [1, 9])
    @pytest.mark.parametrize("noise", [0, 0.02])
    def test_peaks_anywhere(self, opset, count, noise):
        rng = np.random.default_rng(count)
        centres = rng.uniform((2, 2), (WIDTH - 3, HEIGHT - 3), (count * JOINTS, 2))
        maps = np.array([gaussian(*centre) for centre in centres]).reshape(count, JOINTS, *SIZE)
        points = assert_as_on_the_host((maps + rng.normal(0, noise, maps.shape)).astype(np.float32), opset)
        assert (points != points.round()).any(axis=2).mean() > 0.9
        if not noise:
            off = np.abs(points.reshape(-1, 2) - centres).max(axis=1)
            assert np.median(off) < 0.01

    @pytest.mark.parametrize("x", [0, 1, 2, 21, 22, 23])
    @pytest.mark.parametrize("y", [0, 1, 2, 29, 30, 31])
    def test_peaks_at_the_border(self, x, y):
        points = assert_as_on_the_host(gaussian(x + 0.25, y - 0.25)[None, None])
        refined = x in (2, 21) and y in (2, 29)
        assert (points.tolist() != [[[x, y]]]) is refined

    def test_of_equal_maxima_the_first(self):
        points = assert_as_on_the_host(one_map({(4, 20): 0.5, (15, 10): 0.5, (6, 10): 0.5}))
        assert points.tolist() == [[[6, 10]]]

    @pytest.mark.parametrize("top", [0, -0.5])
    def test_maps_nowhere_above_zero(self, top):
        assert assert_as_on_the_host(one_map({(12, 10): top}, rest=-1)).tolist() == [[[0, 0]]]

    @pytest.mark.parametrize(
        ("heatmap", "point"),
        [
            pytest.param(gaussian(12.25, 10.25, top=1e-12)[None, None], [12, 10], id="below the least value"),
            pytest.param(one_map({(11, 10): -60, (12, 10): 5, (13, 10): -60}), [12, 10], id="smoothed away"),
            pytest.param(one_map({(12, 10): 5}, rest=-50), [12, 10], id="among negative values"),
            pytest.param(np.full((1, 1, *SIZE), 0.5, np.float32), [0, 0], id="all the same"),
        ],
    )
    def test_no_step(self, heatmap, point):
        assert assert_as_on_the_host(heatmap).tolist() == [[point]]

    @pytest.mark.parametrize("size", [(1, 1), (3, 3), (4, 9), (9, 4), (5, 5)])
    def test_small_maps(self, size):
        height, width = size
        points = assert_as_on_the_host(one_map({(width // 2, height // 2): 1}, size=size))
        assert points.tolist() == [[[width // 2, height // 2]]]

    def test_behind_an_exported_network(self, exported):
        """The joints of drawn people are found where they are."""
        people, cell = [9, 20, 27], 80
        boxes = np.array([box_of(number, cell) for number in people], np.float32)
        network = ExportedNetwork.load(exported)
        height, width = network.info.geometry["target_size"]
        frames = frames_of_boxes(boxes, (height, width))
        crops = crop_people(draw_page(cell, people), frames, (height, width))
        plain, decoding = (open_network(content, 1) for content in (network.content, append_decoding(network.content)))
        heatmaps, found = plain(crops), decoding(crops)
        wanted, scores = decode_heatmaps(heatmaps)
        np.testing.assert_allclose(found[..., :2], wanted, rtol=0, atol=TOLERANCE)
        np.testing.assert_array_equal(found[..., 2], scores)
        on_page = points_to_page(np.ascontiguousarray(found[..., :2]), frames, (heatmaps.shape[2], heatmaps.shape[3]))
        off = np.abs(on_page - [joints_of(number, cell) for number in people])
        a_pixel = 2 * (frames[0, 0, 0:2] - frames[0, 1, 0:2]).max() / heatmaps.shape[3]
        assert off.max() < a_pixel

    def test_two_outputs(self):
        with pytest.raises(GraphError, match="one of each is expected"):
            append_decoding(tiny_pose().SerializeToString())

    @pytest.mark.parametrize("dims", ["1,17,32,24", "N,17,h,w", "N,17,32"])
    def test_heatmaps_of_no_known_size(self, dims):
        with pytest.raises(GraphError, match=r"expected \[N,J,h,w\], of which N alone is left free"):
            append_decoding(identity(18, dims))


class TestMeasurement:
    @pytest.mark.parametrize(("most", "sizes"), [(1, [1, 4]), (3, [1, 3, 4]), (4, [1, 4]), (32, [1, 4])])
    def test_ways_and_differences(self, most, sizes):
        calls = []

        def plain(crops: np.ndarray) -> np.ndarray:
            calls.append(len(crops))
            return np.stack([np.stack([gaussian(8.25, 9.5)] * JOINTS)] * len(crops))

        def decoding(crops: np.ndarray) -> np.ndarray:
            return np.tile(np.array([8.25, 9.75, 0.5], np.float32), (len(crops), JOINTS, 1))

        report = measure_keypoints(plain, decoding, np.zeros((4, 128, 96, 3), np.uint8), most=most, rounds=2)
        assert list(report.network) == [f"network, {size} a call" for size in sizes]
        assert sorted(set(calls)) == sorted({1, 4} | set(sizes))
        assert (report.people, report.rounds) == (4, 2)
        assert (report.heatmap_bytes, report.point_bytes) == (JOINTS * HEIGHT * WIDTH * 4, JOINTS * 3 * 4)
        assert report.point_difference == pytest.approx(0.25, abs=0.02)
        assert report.score_difference == pytest.approx(gaussian(8.25, 9.5).max() - 0.5)

    @pytest.mark.parametrize(("count", "most", "rounds"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
    def test_nothing_to_measure(self, count, most, rounds):
        with pytest.raises(ValueError, match="at least 1"):
            measure_keypoints(len, len, np.zeros((count, 8, 8, 3), np.uint8), most=most, rounds=rounds)  # pyright: ignore

    @pytest.mark.parametrize("rounds", [1, 3])
    def test_tasks_take_turns(self, rounds):
        order = []
        tasks = {"a": lambda: order.append("a"), "b": lambda: (order.append("b"), time.sleep(0.005))}
        timings = time_in_turn(tasks, rounds)
        assert order == ["a", "b"] * (1 + rounds)
        assert timings["b"].median_ms >= timings["b"].least_ms >= 5 > timings["a"].least_ms

    def test_report(self):
        report = KeypointCosts(
            4, 15, {"network, 1 a call": Timing(40, 30)}, {"a copy": Timing(8, 7)}, 52224, 204, 2e-6, 0
        )
        console = Console(record=True, width=100)
        module.print_report(report, console)
        text = console.export_text()
        assert "40.00" in text and "30.00" in text and "10.00" in text
        assert "52224 of heatmaps, 204 of points" in text
        assert "points 2.0e-06" in text


class TestCommand:
    def test_table(self, exported):
        output = run([str(exported), "--people", "3", "--rounds", "1", "--threads", "1"], 0)
        for expected in ("3 people, 1 rounds", "network, 1 a call", "network, 3 a call", "decoding on the host"):
            assert expected in output
        assert "bytes a person: 52224 of heatmaps, 204 of points" in output

    @pytest.mark.parametrize("people", [0, MAX_PEOPLE + 1])
    def test_people_out_of_range(self, exported, people):
        assert "--people" in run([str(exported), "--people", str(people)], 2)

    def test_not_an_exported_network(self, tmp_path):
        assert "network.json" in run([str(tmp_path)], 1).replace("\n", "")

    def test_another_family(self, weights, tmp_path):
        folder = export_directory(weights[DETECTOR], tmp_path)
        assert "a heatmap_keypoints network is expected" in run([str(folder)], 1).replace("\n", "")

    def test_broken_network_file(self, exported, tmp_path):
        folder = tmp_path / "network"
        shutil.copytree(exported, folder)
        (folder / "1" / "model.onnx").write_bytes(b"none")
        assert "not a valid ONNX model" in run([str(folder)], 1)


def run(arguments: list[str], status: int) -> str:
    app = typer.Typer()
    app.command()(module.main)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return result.output
