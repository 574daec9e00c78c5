"""What others than this package load: the weights that a network was exported from, in the form PaddleX expects."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import yaml
from onnx import parser
from people_world import DETECTOR, write_weights

from paddlex_triton.bench.compare.peer_graphs import append_nms, put_heatmaps_first
from paddlex_triton.bench.compare.weights import original_network, served_network
from paddlex_triton.export.api import export_directory
from paddlex_triton.export.errors import ExportError

NMS = {"score_threshold": 0.3, "nms_threshold": 0.5, "nms_top_k": 10, "keep_top_k": 3}
# Hands on what it gets, so that boxes and scores are the test's.
GRAPH = """<ir_version: 8, opset_import: ["": {opset}]>
same (float[N,A,4] box_feed, float[N,C,A] score_feed) => (float[N,C,A] out_scores, float[N,A,4] out_boxes)
{{ out_scores = Identity (score_feed) out_boxes = Identity (box_feed) }}"""


def run(boxes, scores, scale=(0.5, 0.25), opset=18, nms=NMS):
    content = append_nms(parser.parse_model(GRAPH.format(opset=opset)).SerializeToString(), nms)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    feed = {
        "box_feed": np.array([boxes], np.float32),
        "score_feed": np.array([scores], np.float32),
        "scale_factor": np.array([scale], np.float32),
    }
    rows, count = session.run(None, feed)
    return np.asarray(rows).tolist(), np.asarray(count).tolist()


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_boxes_are_chosen_and_brought_to_the_page(opset):
    boxes = [[0, 0, 10, 20], [1, 0, 10, 20], [50, 50, 60, 60]]
    rows, count = run(boxes, [[0.5, 0.875, 0.25], [0.125, 0.25, 0.75]], opset=opset)
    # The first box gives way to the second one; y is at half the page's size, x at a quarter.
    assert rows == [[0, 0.875, 4, 0, 40, 40], [1, 0.75, 200, 100, 240, 120]]
    assert count == [2]


def test_no_more_than_are_kept():
    boxes = [[20 * index, 0, 20 * index + 10, 10] for index in range(5)]
    rows, count = run(boxes, [[0.5, 0.625, 0.75, 0.875, 1.0]])
    assert [row[1] for row in rows] == [1.0, 0.875, 0.75]
    assert count == [3]


def test_nothing_found():
    assert run([[0, 0, 1, 1]], [[0.1]]) == ([], [0])


def test_a_graph_with_nms_stays_as_it_is():
    content = append_nms(parser.parse_model(GRAPH.format(opset=18)).SerializeToString(), NMS)
    assert append_nms(content, NMS) == content


def test_other_outputs_are_refused():
    graph = '<ir_version: 8, opset_import: ["": 18]> it (float[N,4] x) => (float[N,4] y) { y = Identity (x) }'
    with pytest.raises(ValueError, match=r"outputs are y; boxes \[N, A, 4\] and scores"):
        append_nms(parser.parse_model(graph).SerializeToString(), NMS)


def test_heatmaps_come_first():
    graph = """<ir_version: 8, opset_import: ["": 18]>
    it (float[N,17,4,3] x) => (int64[N,17] best, float[N,17,4,3] maps) <int64[2] axes = {2, 3}>
    { maps = Identity (x) most = ReduceMax <keepdims = 0> (x, axes) best = Cast <to = 7> (most) }"""
    content = put_heatmaps_first(parser.parse_model(graph).SerializeToString())
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["maps", "best"]
    assert put_heatmaps_first(content) == content


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Own weights of a detector of people, and the folder they were exported to."""
    weights = write_weights(tmp_path_factory.mktemp("weights"))[DETECTOR]
    repository = tmp_path_factory.mktemp("repository")
    export_directory(weights, repository)
    return weights, repository


def test_own_weights(own, tmp_path):
    weights, repository = own
    info = served_network(DETECTOR, [repository])
    network = original_network("human_detection", info, [weights.parent], tmp_path)
    assert (network.name, network.folder) == ("PicoDet-S", tmp_path / DETECTOR)
    assert yaml.safe_load((network.folder / "inference.yml").read_text())["Global"]["model_name"] == "PicoDet-S"
    assert [each.name for each in onnx.load(network.folder / "inference.onnx").graph.output]


def test_weights_that_are_nowhere(own, tmp_path):
    info = served_network(DETECTOR, [own[1]])
    with pytest.raises(ExportError, match="exported from own weights; name the folder they lie in with --weights"):
        original_network("human_detection", info, [], tmp_path)


def test_other_weights_than_the_exported_ones(own, tmp_path):
    info = served_network(DETECTOR, [own[1]])
    other = info.model_copy(update={"provenance": info.provenance.model_copy(update={"source_sha256": "0" * 64})})
    with pytest.raises(ExportError, match=rf"{DETECTOR} was exported from .*000000000000.*is other weights"):
        original_network("human_detection", other, [own[0].parent], tmp_path)
