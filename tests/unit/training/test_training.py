"""The network, its loss, the training loop and the ONNX file, where torch is installed."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: the extra [train]")

import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from torch import nn  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from paddlex_triton.export.errors import SourceError  # noqa: E402
from paddlex_triton.export.sources.shipped import NETWORKS  # noqa: E402
from training import loop, onnx_files  # noqa: E402
from training.batches import Augmentation, PageSize, draw_batch  # noqa: E402
from training.checkpoints import FILE_NAME, Progress, load_checkpoint  # noqa: E402
from training.graph import SEAL_MARGIN, SEAL_OFFSET, CandidateNetwork  # noqa: E402
from training.inputs import SIDE  # noqa: E402
from training.loss import batch_loss, overlaps, varifocal_loss  # noqa: E402
from training.metrics import box_overlaps  # noqa: E402
from training.network import LayoutNetwork, boxes_of, places  # noqa: E402
from training.scenes import PageScene  # noqa: E402
from training.train import app  # noqa: E402

# As in a training: more would wait for each other on a busy machine.
torch.set_num_threads(1)

# Of a page, on all levels.
PLACES = sum((SIDE // stride) ** 2 for stride in (8, 16, 32, 64))


def lively() -> LayoutNetwork:
    """A network that was not trained, but answers with more than its first biases."""
    torch.manual_seed(3)
    network = LayoutNetwork()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    nn.init.normal_(network.classes.weight, std=0.01)
    set_bias(network.classes, -0.5)
    return network.eval()


def set_bias(convolution: nn.Conv2d, value: float) -> None:
    assert convolution.bias is not None
    nn.init.constant_(convolution.bias, value)


def answers(file: Path, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return [np.asarray(output) for output in session.run(None, feeds)]


def test_number_of_parameters():
    assert 1.5e6 < sum(parameter.numel() for parameter in LayoutNetwork().parameters()) < 1.6e6


def test_shapes():
    with torch.no_grad():
        logits, exponents = LayoutNetwork().eval()(torch.zeros(2, 3, 96, 160))
    centres, strides = places(96, 160)
    assert logits.shape == (2, len(centres), 3) and exponents.shape == (2, len(centres), 3, 4)
    assert centres[0].tolist() == [4, 4] and strides[-1] == 64
    assert boxes_of(exponents, centres, strides).shape == exponents.shape


def test_boxes_are_distances_in_strides_from_their_place():
    exponents = torch.log(torch.tensor([1.0, 2.0, 3.0, 4.0])).expand(1, 3, 4)
    boxes = boxes_of(exponents, torch.tensor([[100.0, 200.0]]), torch.tensor([8.0]))
    assert boxes[0, 0].tolist() == pytest.approx([92, 184, 124, 232])


def test_varifocal_loss_wants_the_quality_as_score():
    quality = torch.tensor([0.0, 0.8])
    best = varifocal_loss(torch.logit(torch.tensor([1e-4, 0.8])), quality)
    assert best < varifocal_loss(torch.logit(torch.tensor([1e-4, 0.5])), quality)
    assert best < varifocal_loss(torch.logit(torch.tensor([0.5, 0.8])), quality)


def test_overlaps_of_pairs():
    first = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10]])
    second = torch.tensor([[5.0, 0, 15, 10], [20, 0, 30, 10]])
    plain, generalized = overlaps(first, second)
    assert plain.tolist() == pytest.approx([1 / 3, 0])
    assert generalized.tolist() == pytest.approx([1 / 3, -1 / 3])


def test_the_file_answers_as_torch_and_plain_suppression_do(tmp_path):
    network = lively()
    model = onnx.load(str(onnx_files.export_network(network, tmp_path)))
    inner = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("candidates", "scores")
    ]
    model.graph.output.extend(inner)
    onnx.save(model, tmp_path / "seen.onnx")
    image, scale = torch.randn(2, 3, SIDE, SIDE), torch.tensor([[0.5, 2.0], [1.0, 1.0]])
    feeds = {"image": image.numpy(), "scale_factor": scale.numpy()}
    rows, count, candidates, scores = answers(tmp_path / "seen.onnx", feeds)
    assert count.dtype == np.int32 and count.shape == (2,) and count.sum() == len(rows) > 0
    with torch.no_grad():
        expected_boxes, expected_scores = CandidateNetwork(network, SIDE)(image, scale)
    np.testing.assert_allclose(scores, expected_scores.numpy(), atol=1e-4)
    np.testing.assert_allclose(candidates, expected_boxes.numpy(), atol=0.05)
    start = 0
    for page, number in enumerate(count.tolist()):
        found = rows[start : start + number]
        start += number
        parts = [slice(PLACES * of_class, PLACES * of_class + PLACES) for of_class in range(3)]
        wanted = np.concatenate(
            [suppressed(candidates[page, part], scores[page, index, part], index) for index, part in enumerate(parts)]
        )
        wanted = wanted[np.argsort(-wanted[:, 1], kind="stable")]
        assert (np.diff(found[:, 1]) <= 0).all()
        np.testing.assert_allclose(found[:, :2], wanted[:, :2], atol=1e-4)


@torch.no_grad()
def test_seals_are_boxed_with_a_margin_and_score_less_and_others_are_not():
    network = lively()
    # Small boxes, so that none is cut at the page's edge.
    set_bias(network.distances, -1.0)
    image = torch.randn(1, 3, SIDE, SIDE)
    boxes, scores = CandidateNetwork(network, SIDE)(image, torch.ones(1, 2))
    logits, exponents = network(image)
    found = boxes_of(exponents, *places(SIDE, SIDE))
    for index, (margin, offset) in enumerate(((0.0, 0.0), (0.0, 0.0), (SEAL_MARGIN, SEAL_OFFSET))):
        of_class = slice(PLACES * index, PLACES * index + PLACES)
        torch.testing.assert_close(scores[0, index, of_class], torch.sigmoid(logits[0, :, index] - offset))
        assert scores[0, index].count_nonzero() == PLACES
        chosen = found[0, :, index]
        within = (chosen.min(dim=1).values > 30) & (chosen.max(dim=1).values < SIDE - 30)
        sides = chosen[:, 2:] - chosen[:, :2]
        expected = torch.cat((chosen[:, :2] - margin * sides, chosen[:, 2:] + margin * sides), dim=1)
        assert within.sum() > 1000
        torch.testing.assert_close(boxes[0, of_class][within], expected[within])


def test_a_page_alone_is_answered_as_in_a_batch_and_none_found_is_no_rows(tmp_path):
    network = lively()
    file = onnx_files.export_network(network, tmp_path)
    image, scale = torch.randn(2, 3, SIDE, SIDE).numpy(), np.ones((2, 2), np.float32)
    rows, count = answers(file, {"image": image, "scale_factor": scale})
    alone, alone_count = answers(file, {"image": image[:1], "scale_factor": scale[:1]})
    assert alone_count.tolist() == count[:1].tolist()
    np.testing.assert_allclose(alone[:, 1], rows[: count[0], 1], atol=1e-4)
    set_bias(network.classes, -30.0)
    file = onnx_files.export_network(network, tmp_path)
    rows, count = answers(file, {"image": image, "scale_factor": scale})
    assert rows.shape == (0, 6) and count.tolist() == [0, 0]


def suppressed(boxes: np.ndarray, scores: np.ndarray, of_class: int) -> np.ndarray:
    """Rows of one class by plain greedy suppression."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        if scores[index] > 0.1 and len(kept) < 100:
            overlap = box_overlaps(boxes[index : index + 1], boxes[kept]) if kept else np.zeros((1, 0))
            if not (overlap > 0.5).any():
                kept.append(index)
    return np.array([(of_class, scores[index], *boxes[index]) for index in kept], np.float32).reshape(-1, 6)


@pytest.mark.parametrize("make", [lively, lambda: LayoutNetwork().eval()])
def test_weights_are_read_back_from_the_file(tmp_path, make):
    network, other = make(), LayoutNetwork()
    onnx_files.load_weights(other, onnx_files.export_network(network, tmp_path))
    for name, value in network.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]) or name.endswith("num_batches_tracked")


def test_the_weights_that_come_along_are_written_as_the_files_that_come_along(tmp_path):
    network, shipped = LayoutNetwork(), NETWORKS / onnx_files.NAME
    onnx_files.load_weights(network, shipped / "model.onnx")
    onnx_files.export_network(network, tmp_path)
    for name in ("model.onnx", "inference.yml"):
        assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes()


def test_weights_of_another_network_or_no_weights_are_refused(tmp_path):
    def refused(model: onnx.ModelProto, said: str) -> None:
        onnx.save(model, tmp_path / "other.onnx")
        with pytest.raises(SourceError, match=said):
            onnx_files.load_weights(LayoutNetwork(), tmp_path / "other.onnx")

    model = onnx.load(str(onnx_files.export_network(LayoutNetwork(), tmp_path)))
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "network.classes.weight")
    tensor.CopyFrom(numpy_helper.from_array(np.zeros((23, 48, 1, 1), np.float32), tensor.name))
    refused(model, r"classes.weight is \[23, 48, 1, 1\], \[3, 48, 1, 1\] is expected")
    model.graph.initializer.remove(tensor)
    refused(model, "lacks 1 of the network's .* classes.weight")
    (tmp_path / "text.onnx").write_text("no network")
    for name in ("text.onnx", "nowhere.onnx"):
        with pytest.raises(SourceError, match="no ONNX file that can be read"):
            onnx_files.load_weights(LayoutNetwork(), tmp_path / name)


SMALL = Augmentation(sizes=(PageSize(96, 2, (1, 1)),))


def small_pages() -> list[PageScene]:
    image = np.full((96, 96, 3), 255, np.uint8)
    image[30:70, 20:60] = (40, 40, 200)
    return [
        PageScene(image, np.array([[20, 30, 60, 70]], np.float32), np.array([2])),
        PageScene(image[:, ::-1].copy(), np.zeros((0, 4), np.float32), np.zeros(0, np.int64)),
    ]


def small_training(folder: Path, seed: int, budget: float, rate: float = 1.0) -> loop.Training:
    return loop.Training(LayoutNetwork(), small_pages, Progress(seed, budget, rate=rate), folder, SMALL)


def few(training: loop.Training, iterations: int) -> None:
    """Run some iterations, however long they take."""
    last = training.progress.iteration + iterations
    training.run(stop=lambda: training.progress.iteration >= last)


def values(network: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in network.state_dict().items()}


def test_the_loss_falls(tmp_path):
    torch.manual_seed(0)
    training = small_training(tmp_path, 0, 1e6)
    batches = [draw_batch(small_pages(), np.random.default_rng(seed), SMALL) for seed in range(6)]

    @torch.no_grad()
    def mean_loss() -> float:
        return float(np.mean([float(batch_loss(training.model.train(), batch)[0]) for batch in batches]))

    before = mean_loss()
    few(training, 40)
    assert mean_loss() < 0.97 * before
    assert (tmp_path / loop.LOG_NAME).read_text().count("\n") == 1


def test_a_schedule_begins_with_a_part_of_the_learning_rate_and_a_resumed_one_keeps_it(tmp_path):
    first = small_training(tmp_path, 5, 1e9, rate=0.4)
    few(first, 3)
    expected = 0.4 * loop.LEARNING_RATE * 3 / 100
    assert first.optimizer.param_groups[0]["lr"] == pytest.approx(expected, rel=1e-3)
    for schedule, rate in ((True, 0.4), (False, 0.7)):
        again = small_training(tmp_path, 0, 1e9, rate=0.7)
        again.restore(load_checkpoint(tmp_path), schedule=schedule)
        assert again.progress.rate == rate


def test_a_training_goes_on_from_its_checkpoint_where_it_was(tmp_path):
    torch.manual_seed(0)
    first = small_training(tmp_path, 5, 1e9)
    few(first, 3)
    second = small_training(tmp_path, 0, 1.0)
    second.restore(load_checkpoint(tmp_path))
    assert second.progress == first.progress
    for training in (first, second):
        few(training, 2)
    assert second.progress.iteration == 5
    for one, other in ((first.model, second.model), (first.average, second.average)):
        there = values(other)
        assert all(np.allclose(value, there[name], atol=1e-3) for name, value in values(one).items())


def test_a_new_schedule_keeps_weights_and_starts_anew(tmp_path):
    few(small_training(tmp_path, 5, 1e9), 2)
    second = small_training(tmp_path, 0, 60.0)
    second.restore(load_checkpoint(tmp_path), schedule=False)
    progress = second.progress
    assert (progress.budget, progress.elapsed, progress.first_iteration, progress.iteration) == (60.0, 0.0, 2, 2)


@pytest.mark.parametrize(
    ("done", "iteration", "rate"), [(0, 99, 1.0), (0, 49, 0.5), (0.5, 1000, 0.505), (1, 1000, 0.01), (7, 1000, 0.01)]
)
def test_the_learning_rate(done, iteration, rate):
    assert loop.learning_rate_at(done, iteration) == pytest.approx(rate)


def test_the_average_follows_slowly():
    averaged, model = nn.Linear(1, 1), nn.Linear(1, 1)
    for network, value in ((averaged, 0.0), (model, 1.0)):
        nn.init.constant_(network.weight, value)
        nn.init.constant_(network.bias, value)
    loop.average(averaged, model, 10**6)
    assert float(averaged.weight.detach()) == pytest.approx(0.002)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "shards", "RUN"], "--minutes is missing"),
        (["train", "shards", "RUN", "--resume", "--weights", "a.onnx"], "exclude each other"),
        (["train", "shards", "RUN", "--resume"], "there are no pages in shards"),
        (["export", "RUN"], "no checkpoint"),
    ],
)
def test_commands_say_what_is_wrong(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [argument.replace("RUN", str(tmp_path)) for argument in arguments])
    assert result.exit_code in (1, 2)
    assert said in result.output


def test_a_run_s_checkpoint_is_not_overwritten(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"a checkpoint")
    result = CliRunner().invoke(app, ["train", "shards", str(tmp_path), "--minutes", "1"])
    assert result.exit_code == 2 and "--resume" in result.output
    with pytest.raises(SourceError, match="cannot be read"):
        load_checkpoint(tmp_path)
