"""Converts a folder with a PaddlePaddle model, proves the result and keeps it: the same model is converted once.

`<home>/converted/<key>` holds the ONNX file and the report, and is there whole or not at all. The key is made of the
model's files, the versions that convert and the opset; not of inference.yml, which has no part in a conversion.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from paddlex_triton import paths
from paddlex_triton.checksums import sha256_of
from paddlex_triton.export.errors import ConversionError, ConverterError, GraphError
from paddlex_triton.export.graph.contract import open_source
from paddlex_triton.export.graph.nms import nms_inputs
from paddlex_triton.export.inference_file.inference_settings import FILE_NAME, InferenceSettings, read_inference_yml
from paddlex_triton.export.limited_process import CommandResult, run_limited
from paddlex_triton.export.paddle.conversion_report import ConversionReport, ProofCase
from paddlex_triton.export.paddle.dtype_patch import patch_dtypes
from paddlex_triton.export.paddle.environment import (
    WORKER,
    Converter,
    Progress,
    expected_versions,
    find_converter,
    worker_environment,
)
from paddlex_triton.export.paddle.nms_outputs import expose_nms_inputs
from paddlex_triton.export.paddle.program import operator_names, read_program
from paddlex_triton.export.paddle.proof import MEAN_TOLERANCE, TOLERANCE, compare
from paddlex_triton.export.paddle.proof_inputs import ProofInput, proof_inputs
from paddlex_triton.export.shared_folders import locked, remove_leftovers
from paddlex_triton.own_weights import GRAPH_FILES, PARAMETERS_FILE, PaddleModel, find_paddle_model

# UVDoc's GridSample exists from 16 on, LayerNormalization in one piece from 17; what is served reads up to 20.
OPSET = 17

# Seconds for one run of a worker: a hang, not a large network (PP-OCRv5_server_rec takes seconds).
WORKER_TIMEOUT = 1800

_MODEL, _REPORT, _PARTIAL = "model.onnx", "conversion.json", ".converting-"
# Counts up where the same versions convert, or prove, otherwise than before: older conversions are made anew.
_REVISION = 2


@dataclass(frozen=True)
class Converted:
    """A converted model.

    Attributes:
        model: the serialized ONNX file.
        converters: tool -> version.
        report: what was done and measured.
    """

    model: bytes
    converters: dict[str, str]
    report: ConversionReport


def convert_folder(folder: Path, *, progress: Progress) -> Converted:
    """Convert the PaddlePaddle model in a folder, or take the conversion from before.

    Args:
        folder: holds `inference.json` or `inference.pdmodel`, `inference.pdiparams` and, usually, `inference.yml`.
        progress: told what is being done, one short phrase at a time.

    Raises:
        ConversionError: there is no such model, nothing to convert it with, it cannot be converted, or the ONNX file
            does not answer as it does.
        InferenceFileError: its inference.yml cannot be read.
    """
    model = find_paddle_model(folder)
    if model is None:
        raise ConversionError(f"{folder} holds no {' or '.join(GRAPH_FILES)} with {PARAMETERS_FILE}")
    settings_file = folder / FILE_NAME
    settings = read_inference_yml(settings_file) if settings_file.is_file() else InferenceSettings()
    store = paths.home() / "converted"
    try:
        source_sha256 = model.sha256()
        kept = store / _key(source_sha256, expected_versions())
        if (found := _read(kept)) is not None:
            remove_leftovers(store, f"{_PARTIAL}*")
            return found
        store.mkdir(parents=True, exist_ok=True)
        # Conversions take turns: each wants gigabytes of memory.
        with locked(store):
            for left in (*store.glob(f"{_PARTIAL}*"), kept):
                # Left by a killed export, or damaged; unless another one converted it while this one waited.
                if left != kept or _read(kept) is None:
                    shutil.rmtree(left, ignore_errors=True)
            return _read(kept) or _convert(model, source_sha256, settings, kept, progress)
    except OSError as error:
        raise ConverterError(f"{folder} cannot be converted: {error}") from error


def _convert(
    model: PaddleModel, source_sha256: str, settings: InferenceSettings, kept: Path, progress: Progress
) -> Converted:
    converter = find_converter(progress)
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=kept.parent) as folder:
        job = _Job(Path(folder), converter, model)
        started = time.perf_counter()
        progress(f"converting {job.name} with paddle2onnx {converter.versions['paddle2onnx']}")
        patched = job.copy_model()
        result = job.run("convert", opset=OPSET, onnx=str(job.onnx))
        content = job.read_onnx()
        seconds = time.perf_counter() - started
        progress(f"comparing {job.name} with its ONNX file")
        started = time.perf_counter()
        cases = job.prove(content, settings)
        report = ConversionReport(
            files=[model.graph.name, model.parameters.name],
            source_sha256=source_sha256,
            onnx_sha256=sha256_of(content),
            converters=result["versions"],
            opset=OPSET,
            patched_operators=patched,
            folded=result["folded"],
            peak_mib=result["peak_mib"],
            seconds=round(seconds, 3),
            proof_seconds=round(time.perf_counter() - started, 3),
            tolerance=TOLERANCE,
            mean_tolerance=MEAN_TOLERANCE,
            max_difference=max(output.difference for case in cases for output in case.outputs),
            max_relative_difference=max(output.relative for case in cases for output in case.outputs),
            cases=cases,
        )
        _keep(Path(folder) / "kept", kept, content, report)
    return Converted(content, report.converters, report)


class _Job:
    """One conversion: its folder of temporary files, and the worker's runs.

    Args:
        folder: empty; removed by whoever made it.
        converter: the Python that runs the worker.
        model: what is converted.
    """

    def __init__(self, folder: Path, converter: Converter, model: PaddleModel) -> None:
        self.folder = folder
        self.converter = converter
        self.model = model
        self.name = f"{model.graph.parent.name}/{model.graph.name}"
        self.onnx = folder / "out.onnx"

    def copy_model(self) -> int:
        """Work on a copy: numbers are patched in it, and the files people own are never opened by a tool.

        Returns:
            How many operators were patched.
        """
        inner = self.folder / "model"
        inner.mkdir()
        copy = PaddleModel(inner / self.model.graph.name, inner / self.model.parameters.name)
        shutil.copyfile(self.model.parameters, copy.parameters)
        if not self.model.is_pir:
            shutil.copyfile(self.model.graph, copy.graph)
            patched = 0
        else:
            program = read_program(self.model.graph)
            patched = patch_dtypes(program)
            copy.graph.write_text(json.dumps(program), encoding="utf-8")
        self.model = copy
        return patched

    def run(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Run the worker.

        Raises:
            ConversionError: it failed, was stopped, or did not say what it did.
        """
        asked, result, scratch = (self.folder / f"{action}{suffix}" for suffix in (".json", ".result.json", ".tmp"))
        scratch.mkdir(exist_ok=True)
        job = {"action": action, "model": str(self.model.graph), "parameters": str(self.model.parameters), **arguments}
        asked.write_text(json.dumps(job), encoding="utf-8")
        ended = run_limited(
            [self.converter.python, "-I", WORKER, asked, result],
            seconds=WORKER_TIMEOUT,
            log=self.folder / f"{action}.log",
            environment=worker_environment(scratch),
        )
        found = _read_json(result) if ended.succeeded else None
        if not isinstance(found, dict):
            what = "is not converted to ONNX" if action == "convert" else "does not run in PaddlePaddle"
            raise ConversionError(
                f"{self.name} {what}: {ended.reason()}{self._operators(ended)}{self.converter.advice()}"
            )
        return found

    def _operators(self, ended: CommandResult) -> str:
        """Return the model's operators, which Paddle2ONNX leaves out where it refuses one."""
        if "unsupported operators" not in ended.output or not self.model.is_pir:
            return ""
        return f"; the model's operators are {', '.join(sorted(operator_names(read_program(self.model.graph))))}"

    def read_onnx(self) -> bytes:
        """Read the ONNX file that the worker wrote.

        Raises:
            ConversionError: it wrote nothing.
        """
        try:
            return self.onnx.read_bytes()
        except FileNotFoundError as error:
            raise ConversionError(f"{self.name} is not converted: paddle2onnx wrote no file") from error

    def prove(self, content: bytes, settings: InferenceSettings) -> list[ProofCase]:
        """Compare the ONNX file with the model.

        Raises:
            ConversionError: the file is not ONNX, does not run, or answers differently.
        """
        try:
            source = open_source(content)
        except GraphError as error:
            raise ConversionError(f"{self.name}: paddle2onnx wrote a file that cannot be used: {error}") from error
        inputs = proof_inputs(source, settings)
        try:
            inner = nms_inputs(source) or ()
            graph = self._with_nms_inputs() if inner else None
            answers = self._answer_with(inputs, graph) if graph is not None else None
            if answers is None:
                answers, inner = self._answer(inputs, self.model.graph), ()
            return compare(source, inputs, answers, settings, inner)
        except GraphError as error:
            raise ConversionError(f"{self.name}: {error}") from error
        except ConversionError as error:
            raise ConversionError(f"{self.name}: {error}{self.converter.advice()}") from error

    def _with_nms_inputs(self) -> Path | None:
        """Write the graph that also answers with its NMS's inputs; None for the older form, which is not JSON."""
        if not self.model.is_pir:
            return None
        program = read_program(self.model.graph)
        if not expose_nms_inputs(program):
            return None
        graph = self.folder / "shown" / self.model.graph.name
        graph.parent.mkdir()
        graph.write_text(json.dumps(program), encoding="utf-8")
        return graph

    def _answer_with(self, inputs: Sequence[ProofInput], graph: Path) -> list[list[np.ndarray]] | None:
        """Answer by the graph that answers more; None where PaddlePaddle does not run it: then less is compared."""
        try:
            return self._answer(inputs, graph)
        except ConversionError:
            return None

    def _answer(self, inputs: Sequence[ProofInput], graph: Path) -> list[list[np.ndarray]]:
        """Return PaddlePaddle's answers, by a graph of the model."""
        pairs = [
            (self.folder / f"input{index}.npz", self.folder / f"answer{index}.npz") for index in range(len(inputs))
        ]
        for case, (feeds, _) in zip(inputs, pairs, strict=True):
            np.savez(feeds, **case.feeds)
        self.run("answer", model=str(graph), cases=[[str(path) for path in pair] for pair in pairs])
        answers = []
        for _, path in pairs:
            try:
                with np.load(path, allow_pickle=False) as arrays:
                    answers.append([arrays[str(index)] for index in range(len(arrays.files))])
            except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                raise ConversionError(f"{self.name}: PaddlePaddle's answer cannot be read: {error}") from error
        return answers


def _key(source_sha256: str, versions: dict[str, str]) -> str:
    made_of = json.dumps([_REVISION, OPSET, source_sha256, versions], sort_keys=True)
    return hashlib.sha256(made_of.encode()).hexdigest()[:32]


def _keep(staging: Path, kept: Path, content: bytes, report: ConversionReport) -> None:
    """Put a conversion into its place in one step."""
    staging.mkdir()
    (staging / _MODEL).write_bytes(content)
    (staging / _REPORT).write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    staging.rename(kept)


def _read(kept: Path) -> Converted | None:
    """Read a conversion from before, None where there is none or it is damaged."""
    try:
        report = ConversionReport.model_validate_json((kept / _REPORT).read_bytes())
        content = (kept / _MODEL).read_bytes()
    except (OSError, ValidationError):
        return None
    return Converted(content, report.converters, report) if sha256_of(content) == report.onnx_sha256 else None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
