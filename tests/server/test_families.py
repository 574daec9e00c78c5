"""One network of every family on a live server: a batch of one, of three and the largest answer as single rows do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import people_world
import preparation_graphs
import pytest
import seal_world
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from paddlex_triton.export.api import export_directory
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.module_parameters import PIPELINE
from paddlex_triton.network import NetworkInfo
from paddlex_triton.paths import modules_repository
from paddlex_triton.pipelines import PIPELINES
from paddlex_triton.server.host.launcher import EmbeddedServer
from paddlex_triton.server.host.model_config import add_parameters

NETWORKS = {
    "db_detection": "PP-OCRv4_mobile_det",
    "ctc_recognition": "PP-OCRv4_mobile_rec",
    "dense_detection": seal_world.DENSE_LAYOUT,
    "detr_detection": seal_world.DETR_LAYOUT,
    "nms_detection": seal_world.LAYOUT,
    "heatmap_keypoints": people_world.KEYPOINTS,
    "image_classification": preparation_graphs.DOC_ORIENTATION,
    "image_unwarping": preparation_graphs.UNWARPING,
}
ONE_BY_ONE = ("nms_detection", "image_unwarping")
# What the input has where the configuration leaves it open, pixels.
OPEN = 96


@pytest.fixture(scope="module")
def folders(networks, tiny_networks, people_networks, tmp_path_factory) -> dict[str, Path]:
    """The network of each family: its exported folder."""
    made = tmp_path_factory.mktemp("families")
    for write in (preparation_graphs.doc_orientation_folder, preparation_graphs.unwarping_folder):
        export_directory(write(made / write.__name__), into=made / "networks")
    repositories = (networks, tiny_networks, people_networks, made / "networks")
    found = {
        family: next(repository / name for repository in repositories if (repository / name).is_dir())
        for family, name in NETWORKS.items()
    }
    assert {family: NetworkInfo.load(folder / "network.json").family for family, folder in found.items()} == {
        family: family for family in FAMILIES
    }
    return found


@pytest.fixture(scope="module")
def client(folders, tmp_path_factory) -> Iterator[grpcclient.InferenceServerClient]:
    """A client of a server that has these networks, and a module that needs none."""
    models = tmp_path_factory.mktemp("served") / "models"
    models.mkdir()
    for folder in folders.values():
        (models / folder.name).symlink_to(folder)
    # The launcher asks this module whether the backend of the modules works.
    spec, source = PIPELINES["human_keypoint_detection"], modules_repository() / "doc_preprocessor"
    module = models / spec.models[0]
    module.mkdir()
    (module / "1").symlink_to(source / "1")
    config = add_parameters((source / "config.pbtxt").read_text(), {PIPELINE: spec.name})
    (module / "config.pbtxt").write_text(config)
    with (
        EmbeddedServer(directory=models, log_file=models.parent / "triton.log") as server,
        grpcclient.InferenceServerClient(server.grpc_url) as created,
    ):
        yield created


def rows_for(folder: Path, family: str, count: int) -> dict[str, np.ndarray]:
    """Different images, one a row, and what the family takes besides."""
    session = onnxruntime.InferenceSession(folder / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    (x,) = [each for each in session.get_inputs() if each.name == "x"]
    height, width = (size if isinstance(size, int) else OPEN for size in x.shape[1:3])
    generator = np.random.default_rng(count)
    # Large patches of few colours: what the tiny networks look for, and what a classifier can tell apart.
    patches = generator.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    images = np.stack([np.kron(each, np.ones((-(-height // 8), -(-width // 8), 1), np.uint8)) for each in patches])
    feeds = {"x": np.ascontiguousarray(images[:, :height, :width])}
    if family == "ctc_recognition":
        feeds["widths"] = generator.integers(width // 2, width + 1, (count, 1), dtype=np.int32)
    if family in ("detr_detection", "nms_detection"):
        feeds["scale_factor"] = generator.uniform(0.5, 2, (count, 2)).astype(np.float32)
    return feeds


def row(feeds: dict[str, np.ndarray], index: int) -> dict[str, np.ndarray]:
    return {name: values[index : index + 1] for name, values in feeds.items()}


def ask(client: grpcclient.InferenceServerClient, name: str, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    inputs = []
    for each, values in feeds.items():
        tensor = grpcclient.InferInput(each, list(values.shape), np_to_triton_dtype(values.dtype))
        tensor.set_data_from_numpy(values)
        inputs.append(tensor)
    result: Any = client.infer(name, inputs, client_timeout=120)
    return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def alone(folder: Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """ONNX Runtime's answer, without a server."""
    session = onnxruntime.InferenceSession(folder / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, map(np.asarray, session.run(names, feeds)), strict=True))


BATCHES = [
    (family, count)
    for family, kind in FAMILIES.items()
    for count in ([1, 3, kind.max_batch_size] if kind.max_batch_size else [1])
]


@pytest.mark.parametrize(("family", "count"), BATCHES)
def test_a_batch_answers_as_single_rows(client, folders, family, count):
    folder = folders[family]
    assert NetworkInfo.load(folder / "network.json").max_batch_size == FAMILIES[family].max_batch_size
    feeds = rows_for(folder, family, count)
    together = ask(client, folder.name, feeds)
    singles = [ask(client, folder.name, row(feeds, index)) for index in range(count)]
    tolerance = FAMILIES[family].rounding_floor
    for index, single in enumerate(singles):
        wanted = alone(folder, row(feeds, index))
        for name, values in together.items():
            mine = values[index : index + 1] if count > 1 else values
            assert mine.shape == single[name].shape == wanted[name].shape
            np.testing.assert_allclose(mine, single[name], rtol=0, atol=tolerance)
            np.testing.assert_allclose(single[name], wanted[name], rtol=0, atol=tolerance)
    # Rows that all answer alike would prove nothing.
    first = singles[0]
    others = [single for single in singles[1:] if any(not np.array_equal(first[name], single[name]) for name in first)]
    assert len(others) >= count // 2


@pytest.mark.parametrize("family", FAMILIES)
def test_one_row_too_many_is_refused(client, folders, family):
    most = max(FAMILIES[family].max_batch_size, 1)
    folder = folders[family]
    with pytest.raises(InferenceServerException, match=rf"batch-size must be <= {most} |unexpected shape"):
        ask(client, folder.name, rows_for(folder, family, most + 1))
    ask(client, folder.name, rows_for(folder, family, 1))


def test_families_that_are_taken_one_by_one():
    assert tuple(family for family, kind in FAMILIES.items() if kind.max_batch_size == 0) == ONE_BY_ONE
