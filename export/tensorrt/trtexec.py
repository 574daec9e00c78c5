"""NVIDIA's `trtexec`: where it is, what it is told, and what it answers. Imports nothing heavy."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddlex_triton.export.errors import MissingTensorRT, PlanBuildError
from paddlex_triton.export.limited_process import CommandResult, run_limited
from paddlex_triton.export.tensorrt.profiles import Profile, shape_list, shapes_argument
from paddlex_triton.tensorrt_target import Target, architecture_of, architectures_here

if TYPE_CHECKING:
    import numpy as np

# Its path, or the words of a command that ends in it, such as `docker run ... trtexec`.
VARIABLE = "PADDLEX_TRITON_TRTEXEC"
_USUAL_PLACE = "/usr/src/tensorrt/bin/trtexec"
# The first version that computes a graph in the types that are written in it.
_FIRST_MAJOR = 10
# Seconds of `trtexec --help`: the first start of a container fetches gigabytes.
_ASKING_SECONDS = 30 * 60.0
# Seconds of one build: on slow GPUs the largest detectors were seen to take an hour and a half.
_BUILDING_SECONDS = 3 * 60 * 60.0
# Seconds of a run on one input.
_RUNNING_SECONDS = 600.0
# Seconds to end in when told to: Docker's client then stops its container, which goes on if it is killed.
_ENDING_SECONDS = 20.0
# trtexec takes a list of inputs and their files apart at these.
_SEPARATORS = frozenset(",:'")
# The first line of trtexec: `&&&& RUNNING TensorRT.trtexec [TensorRT v100300] [b26] # trtexec --help`. Instead of
# v100300 some write v11.1.0.106.
_BANNER = re.compile(r"\[TensorRT v(?P<version>\d+(?:\.\d+)*)\]")
_CAPABILITY = re.compile(r"Compute Capability:\s*(\d+\.\d)")
_NOT_A_NUMBER = re.compile(r"(?<![\w\"])[-+]?(nan|inf)(?:inity)?(?![\w\"])", re.IGNORECASE)
_INTEGERS = ("indices", "count")


@dataclass(frozen=True)
class Trtexec:
    """A trtexec that answers.

    Attributes:
        command: its words.
        target: what its plans run on.
    """

    command: tuple[str, ...]
    target: Target

    def build(
        self, graph: Path, plan: Path, profiles: Sequence[Profile], log: Path, tell: Callable[[float], None]
    ) -> None:
        """Make a plan.

        Args:
            graph: an ONNX file.
            plan: the file to write.
            profiles: in the order of their numbers.
            log: a file for what it says.
            tell: called with the seconds it has taken, about once a second.

        Raises:
            PlanBuildError: there is none afterwards, or it is for another architecture.
        """
        ended = _run([*self.command, *build_options(graph, plan, profiles)], _BUILDING_SECONDS, log, tell)
        if not ended.succeeded or not plan.is_file() or not plan.stat().st_size:
            raise PlanBuildError(f"trtexec made no plan of {graph.name}: {_reason(ended)}")
        made_for = _CAPABILITY.search(ended.output)
        if made_for is not None and architecture_of(made_for[1]) != self.target.architecture:
            raise PlanBuildError(
                f"trtexec made a plan for a GPU of compute capability {made_for[1]}, but nvidia-smi's first GPU is "
                f"{self.target.architecture}: let the container see GPUs of one kind alone"
            )

    def run(
        self, plan: Path, profile: int, feeds: Mapping[str, np.ndarray], outputs: Sequence[str], folder: Path
    ) -> dict[str, np.ndarray]:
        """Run a plan on one input.

        Args:
            plan: the file.
            profile: the number of the profile that covers the input.
            feeds: the network's inputs.
            outputs: names of its outputs.
            folder: for the files of the input and the answer.

        Raises:
            PlanBuildError: it does not run, or answers something else.
        """
        import numpy as np

        answer = folder / "answer.json"
        answer.unlink(missing_ok=True)
        files = {name: folder / f"{name}.bin" for name in feeds}
        for name, values in feeds.items():
            np.ascontiguousarray(values).tofile(files[name])
        shapes = {name: values.shape for name, values in feeds.items()}
        options = run_options(plan, profile, shapes, files, answer)
        ended = _run([*self.command, *options], _RUNNING_SECONDS, folder / "run.log", lambda seconds: None)
        if not ended.succeeded or not answer.is_file():
            raise PlanBuildError(f"trtexec could not run {plan.name}: {_reason(ended)}")
        return read_answer(answer.read_text(encoding="utf-8"), outputs)


def build_options(graph: Path, plan: Path, profiles: Sequence[Profile]) -> list[str]:
    """Return trtexec's options to make a plan."""
    options = [f"--onnx={graph}", f"--saveEngine={plan}", "--skipInference"]
    # Types are what the graph says (a matter of course from version 11 on), and FP32 is all of its 24 bits.
    options += ["--stronglyTyped", "--noTF32"]
    for number, profile in enumerate(profiles):
        options += [
            f"--profile={number}",
            f"--minShapes={shapes_argument(profile, 'least')}",
            f"--optShapes={shapes_argument(profile, 'usual')}",
            f"--maxShapes={shapes_argument(profile, 'most')}",
        ]
    return options


def run_options(
    plan: Path, profile: int, shapes: Mapping[str, Sequence[int]], files: Mapping[str, Path], answer: Path
) -> list[str]:
    """Return trtexec's options to run a plan once."""
    loaded = ",".join(f"{name}:{file}" for name, file in files.items())
    return [
        f"--loadEngine={plan}",
        f"--useProfile={profile}",
        f"--shapes={shape_list(shapes)}",
        f"--loadInputs={loaded}",
        "--iterations=1",
        "--warmUp=0",
        "--duration=0",
        f"--exportOutput={answer}",
    ]


def read_answer(text: str, outputs: Sequence[str]) -> dict[str, np.ndarray]:
    """Read what `--exportOutput` writes: `[{"name": "prob", "dimensions": "1x64x96", "values": [0.1, ...]}]`.

    Raises:
        PlanBuildError: an output is missing, or of no form that is known.
    """
    import numpy as np

    # As C++ writes what is no number.
    readable = _NOT_A_NUMBER.sub(lambda found: "NaN" if found[1].lower() == "nan" else "Infinity", text)
    try:
        by_name = {entry["name"]: entry for entry in json.loads(readable)}
        found = {}
        for name in outputs:
            shape = [int(size) for size in str(by_name[name]["dimensions"]).split("x") if size]
            dtype = np.int32 if name in _INTEGERS else np.float32
            found[name] = np.array(by_name[name]["values"], dtype).reshape(shape)
    except (ValueError, KeyError, TypeError) as error:
        raise PlanBuildError(f"what trtexec answered cannot be read: {error!r}") from error
    return found


def find_trtexec(repository: Path) -> Trtexec:
    """Find the trtexec and the GPU of this machine.

    Args:
        repository: where plans go, for the message that says how to do without.

    Raises:
        MissingTensorRT: one of them is missing, or TensorRT is too old.
    """
    command = _command(repository)
    architectures = architectures_here()
    if not architectures:
        raise MissingTensorRT(
            "no NVIDIA GPU here (nvidia-smi lists none): a plan is made on a GPU of the kind it runs on. "
            f"{advice(repository)}"
        )
    try:
        done = subprocess.run(
            [*command, "--help"], capture_output=True, text=True, timeout=_ASKING_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingTensorRT(f"{shlex.join(command)} does not start: {error}. {advice(repository)}") from error
    version = version_in(done.stdout + done.stderr)
    if version is None:
        said = " ".join((done.stdout + done.stderr).split())[:300]
        raise MissingTensorRT(
            f"{shlex.join(command)} --help does not say TensorRT's version"
            f"{f'; it said: {said}' if said else ''}. {advice(repository)}"
        )
    if major_of(version) < _FIRST_MAJOR:
        raise MissingTensorRT(f"TensorRT is {version}; {_FIRST_MAJOR}.0 or later is needed. {advice(repository)}")
    return Trtexec(command, Target(version, architectures[0]))


def advice(repository: Path) -> str:
    """Return how to make plans with the trtexec of NVIDIA's container, from the host."""
    folder = repository.resolve().parent
    mount = shlex.quote(f"{folder}:{folder}")
    user = f"{os.getuid()}:{os.getgid()}" if hasattr(os, "getuid") else "1000:1000"
    docker = f"docker run --rm --init --gpus all --user {user} --volume {mount} {tensorrt_image()} trtexec"
    return (
        "On a machine with a GPU, Docker and the NVIDIA Container Toolkit the one of NVIDIA's container does it: set "
        f'{VARIABLE}="{docker}" and run this command again. The tag is that of the Triton image (docker/Dockerfile): a '
        "plan runs on the TensorRT it was made with"
    )


def tensorrt_image() -> str:
    """Return NVIDIA's TensorRT image of the release that the Triton image is of."""
    return "nvcr.io/nvidia/tensorrt:26.08-py3"


def version_in(output: str) -> str | None:
    """Return TensorRT's version in what trtexec says, three numbers; None where it says none.

    TensorRT 8 writes v8601 for 8.6.1, later ones v100300 for 10.3.0, some builds the numbers with dots.
    """
    found = _BANNER.search(output)
    if found is None:
        return None
    version = found["version"]
    if "." in version:
        numbers = [int(number) for number in version.split(".")]
        return ".".join(str(number) for number in [*numbers, 0, 0][:3])
    number = int(version)
    base = 100 if number >= 10_000 else 10
    major, rest = divmod(number, base * 100)
    return f"{major}.{rest // 100}.{rest % 100}"


def major_of(version: str) -> int:
    """Return the first number of a version."""
    return int(version.split(".", 1)[0])


def require_plain_path(folder: Path) -> None:
    """Refuse a folder that plans cannot be run in, before a build that may take an hour.

    Raises:
        PlanBuildError: its path has what trtexec takes for the end of a file's name.
    """
    found = sorted(_SEPARATORS.intersection(str(folder)))
    if found:
        raise PlanBuildError(
            f"trtexec cannot be given inputs from {folder}, whose path has {' and '.join(found)} in it"
        )


def _command(repository: Path) -> tuple[str, ...]:
    """Return trtexec's words: of the variable, on the path, in its usual place."""
    named = os.environ.get(VARIABLE, "").strip()
    if not named:
        found = shutil.which("trtexec") or shutil.which(_USUAL_PLACE)
        if found is None:
            raise MissingTensorRT(f"no trtexec here, NVIDIA's command that makes TensorRT plans. {advice(repository)}")
        return (found,)
    try:
        words = (named,) if Path(named).is_file() else tuple(shlex.split(named))
    except ValueError as error:
        raise MissingTensorRT(f"{VARIABLE} is {named!r}, no command: {error}. {advice(repository)}") from error
    if shutil.which(words[0]) is None:
        raise MissingTensorRT(f"{VARIABLE} is {named!r}, and there is no command {words[0]!r}. {advice(repository)}")
    return words


def _run(command: Sequence[str], seconds: float, log: Path, tell: Callable[[float], None]) -> CommandResult:
    """Run it to its end. A build must not go on, for an hour, after a killed export, so it is told to end with this."""
    # GPU 0 is then the one that nvidia-smi lists first.
    environment = {**os.environ, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    try:
        return run_limited(command, seconds=seconds, log=log, environment=environment, tell=tell, grace=_ENDING_SECONDS)
    except OSError as error:
        raise PlanBuildError(f"{command[0]} does not start: {error.strerror or error}") from error


def _reason(ended: CommandResult) -> str:
    """Return the errors it named; its last lines, if it named none."""
    errors = [line for line in ended.output.splitlines() if "[E]" in line]
    if not errors:
        return ended.reason()
    return f"it said: {' | '.join(' '.join(line.split())[:300] for line in errors[:4])}"
