"""The gain of a keypoint network by taking people together, and by decoding its heatmaps itself.

    python -m paddlex_triton.bench.keypoints REPOSITORY/PP-TinyPose_128x96 --people 9

Needs the extra `export` beside `bench`. Everything runs in this process, in turn, round after round: ONNX Runtime on
the CPU, decoding on one thread as in the server's modules. No server is involved, so that of moving heatmaps between
processes only a copy in memory is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import cv2
import numpy as np
import onnxruntime
import typer
from rich.console import Console
from rich.table import Table

from paddlex_triton.bench.console import short_errors
from paddlex_triton.bench.keypoint_graph import append_decoding
from paddlex_triton.export.errors import ExportError
from paddlex_triton.limits import MAX_PEOPLE
from paddlex_triton.network import FILE_NAME, NetworkInfo
from paddlex_triton.ops.keypoint_decode import decode_heatmaps
from paddlex_triton.proof_pictures import person

# Crops, uint8 [N, h, w, 3], to what a network answers with.
Network = Callable[[np.ndarray], np.ndarray]
# A session's threads spin for some time after a run, which would slow down what comes next.
_REST_S = 0.1


@dataclass(frozen=True)
class ExportedNetwork:
    """An exported keypoint network.

    Attributes:
        info: its network.json.
        content: its graph, serialized.
    """

    info: NetworkInfo
    content: bytes

    @classmethod
    def load(cls, folder: Path) -> ExportedNetwork:
        """Read the folder that export wrote.

        Raises:
            OSError: it is not an exported network's folder.
            ValueError: a broken network.json, or a network of another family.
        """
        info = NetworkInfo.load(folder / FILE_NAME)
        if info.family != "heatmap_keypoints":
            raise ValueError(f"{folder} is a {info.family} network; a heatmap_keypoints network is expected")
        return cls(info, (folder / "1" / "model.onnx").read_bytes())

    def crops(self, count: int) -> np.ndarray:
        """Draw people at the network's size, uint8 [count, h, w, 3] BGR."""
        height, width = self.info.geometry["target_size"]
        return np.stack([person(seed, height, width) for seed in range(count)])


@dataclass(frozen=True)
class Timing:
    """Milliseconds for all people.

    Attributes:
        median_ms: over the rounds.
        least_ms: of the fastest round.
    """

    median_ms: float
    least_ms: float


@dataclass(frozen=True)
class KeypointCosts:
    """Result of a run.

    Attributes:
        people: in each measurement.
        rounds: measurements of each kind.
        network: how the network was called -> its time.
        decoding: step or way -> its time, the last two being the whole ways from crops to points.
        heatmap_bytes: a person's heatmaps.
        point_bytes: a person's points and scores.
        point_difference: largest one between the two ways, heatmap pixels.
        score_difference: largest one between the two ways.
    """

    people: int
    rounds: int
    network: dict[str, Timing]
    decoding: dict[str, Timing]
    heatmap_bytes: int
    point_bytes: int
    point_difference: float
    score_difference: float


def open_network(content: bytes, threads: int) -> Network:
    """Load a graph with the input `x` and one output into ONNX Runtime, on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda crops: np.asarray(session.run(None, {"x": crops})[0])


def measure_keypoints(plain: Network, decoding: Network, crops: np.ndarray, *, most: int, rounds: int) -> KeypointCosts:
    """Compare a network with its variant that decodes, then time both in turn.

    Args:
        plain: answers with heatmaps, float32 [N, J, h, w].
        decoding: answers with points, float32 [N, J, 3].
        crops: uint8 [N, h, w, 3], at least one.
        most: people in a call of the server's module.
        rounds: measurements of each kind.

    Raises:
        ValueError: no crops, or `most` or `rounds` below 1.
    """
    if not len(crops) or most < 1 or rounds < 1:
        raise ValueError("crops, most and rounds must be at least 1")
    heatmaps, points = plain(crops), decoding(crops)
    wanted, scores = decode_heatmaps(heatmaps)
    ways = _network_ways(plain, crops, most)
    steps: dict[str, Callable[[], object]] = {
        "decoding on the host": lambda: decode_heatmaps(heatmaps),
        "a copy of the heatmaps": heatmaps.copy,
        "network, then host": lambda: decode_heatmaps(plain(crops)),
        "network that decodes": lambda: decoding(crops),
    }
    timings = time_in_turn({**ways, **steps}, rounds)
    return KeypointCosts(
        people=len(crops),
        rounds=rounds,
        network={name: timings[name] for name in ways},
        decoding={name: timings[name] for name in steps},
        heatmap_bytes=heatmaps[0].nbytes,
        point_bytes=points[0].nbytes,
        point_difference=float(np.abs(points[..., :2] - wanted).max()),
        score_difference=float(np.abs(points[..., 2] - scores).max()),
    )


def time_in_turn(tasks: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Timing]:
    """Run each task once for warming up, then all of them in every round, with a rest ahead of each.

    Args:
        tasks: name -> what is timed.
        rounds: how many.
    """
    for task in tasks.values():
        task()
    found: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            time.sleep(_REST_S)
            begun = time.perf_counter()
            task()
            found[name].append((time.perf_counter() - begun) * 1000)
    return {name: Timing(median(times), min(times)) for name, times in found.items()}


def _network_ways(plain: Network, crops: np.ndarray, most: int) -> dict[str, Callable[[], object]]:
    """One person a call, as many as the module puts into one, and all together, where these are different numbers."""

    def in_calls_of(size: int) -> Callable[[], object]:
        return lambda: [plain(crops[start : start + size]) for start in range(0, len(crops), size)]

    return {f"network, {size} a call": in_calls_of(size) for size in sorted({1, min(most, len(crops)), len(crops)})}


def print_report(report: KeypointCosts, console: Console) -> None:
    """Print the report as a table."""
    table = Table(title=f"{report.people} people, {report.rounds} rounds", show_edge=False)
    table.add_column("")
    for name in ("ms, median", "least", "a person"):
        table.add_column(name, justify="right")
    for part in (report.network, report.decoding):
        for name, timing in part.items():
            times = (timing.median_ms, timing.least_ms, timing.median_ms / report.people)
            table.add_row(name, *(f"{value:.2f}" for value in times))
        table.add_section()
    console.print(table)
    console.print(f"bytes a person: {report.heatmap_bytes} of heatmaps, {report.point_bytes} of points and scores")
    points, scores = report.point_difference, report.score_difference
    console.print(f"largest differences: points {points:.1e} heatmap pixels, scores {scores:.1e}")


def main(
    network: Annotated[Path, typer.Argument(help="Folder of an exported keypoint network.")],
    people: Annotated[int, typer.Option(help="People to find the joints of.", min=1, max=MAX_PEOPLE)] = 9,
    threads: Annotated[int, typer.Option(help="Threads of ONNX Runtime inside an operator.", min=1)] = 2,
    rounds: Annotated[int, typer.Option(help="Rounds, whose median is the result.", min=1)] = 15,
) -> None:
    """Measure a keypoint network in batches, and decoding on the host against decoding in the graph."""
    cv2.setNumThreads(1)
    with short_errors(ExportError):
        exported = ExportedNetwork.load(network)
        contents = exported.content, append_decoding(exported.content)
    plain, decoding = (open_network(content, threads) for content in contents)
    most = exported.info.max_batch_size
    print_report(measure_keypoints(plain, decoding, exported.crops(people), most=most, rounds=rounds), Console())


if __name__ == "__main__":
    typer.run(main)
