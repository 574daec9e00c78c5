"""This package: its embedded server in one flavour, and its client."""

from __future__ import annotations

import csv
import json
import shlex
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
from driver_loop import Driver, serve
from result_lines import lines_of

from paddlex_triton.admin_api import key_headers
from paddlex_triton.bench.compare.network_runs import read_trace
from paddlex_triton.bench.perf_analyzer import run_perf_analyzer
from paddlex_triton.bench.target import Target
from paddlex_triton.client import create_pipeline
from paddlex_triton.client.pipeline import Pipeline
from paddlex_triton.server.host.launcher import EmbeddedServer

# perf_analyzer's windows: three, each ended by a number of requests. They need not agree, as pages differ: without a
# report it would end where they do not by a tenth.
_WINDOWS = "--measurement-mode count_windows --max-trials 3 --stability-percentage 999"

_TRACE_S = 20.0


class OwnServer(Driver):
    """An embedded server.

    Beyond `driver_loop`'s table it answers:

    | do | with | answer |
    |---|---|---|
    | record | path | `runs`, those of the page; `networks`: name -> its `file` and `backend` |
    | perf_analyzer | paths, callers, requests | `pages_a_second` |

    and `pages` with `rows_a_run`, network -> rows as they ran, joined by Triton or not.
    """

    packages = ("paddlex-triton", "nvidia-pytriton", "onnxruntime", "openvino", "numpy", "opencv-python-headless")
    takes_callers = True

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._clients: dict[int, Pipeline] = {}

    def open(self, request: dict[str, Any]) -> None:
        """Start the server: `pipeline`, `flavour`, `preset`, `models`, folders of `networks`, `params` of `predict`."""
        self._pipeline, self._params = request["pipeline"], request["params"]
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="paddlex-triton-compare-")))
        preset = request.get("preset")
        self._server = self._stack.enter_context(
            EmbeddedServer(
                [self._pipeline],
                presets={self._pipeline: preset} if preset else None,
                models=request.get("models") or None,
                networks=[Path(folder) for folder in request.get("networks", ())],
                flavour=request["flavour"],
                log_file=self._folder / "triton.log",
                extra_arguments=["--trace-config", f"triton,file={self._folder / 'trace'}"],
            )
        )
        addresses = {"http_url": self._server.http_url, "grpc_url": self._server.grpc_url}
        target = Target(self._pipeline, **addresses, admin_key=self._server.admin_key)
        self._target = self._stack.enter_context(target)

    def read(self, path: str) -> list[str]:
        """Predict one file."""
        (result,) = self._client(1).predict(path, **self._params)
        return lines_of(self._pipeline, result)

    def read_all(self, paths: list[str], callers: int) -> None:
        """Predict all files, so many on their way at once."""
        for result in self._client(callers).predict(paths, **self._params):
            lines_of(self._pipeline, result)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request of either table."""
        if request["do"] == "record":
            return self._record(request["path"])
        if request["do"] == "perf_analyzer":
            return {"pages_a_second": self._perf_analyzer(request)}
        if request["do"] != "pages":
            return super().answer(request)
        before = self._statistics()
        answer = super().answer(request)
        done = {name: after - before[name] for name, after in self._statistics().items()}
        return {**answer, "rows_a_run": {name: some.mean_batch for name, some in done.items()}}

    def close(self) -> None:
        """End the server."""
        self._stack.close()

    def _client(self, callers: int) -> Pipeline:
        if callers not in self._clients:
            made = create_pipeline(self._pipeline, url=self._server.grpc_url, max_in_flight=callers)
            self._clients[callers] = self._stack.enter_context(made)
        return self._clients[callers]

    def _statistics(self) -> dict[str, Any]:
        return {name: self._target.statistics(name) for name in self._target.stages().all_networks()}

    def _record(self, path: str) -> dict[str, Any]:
        names = self._target.stages().all_networks()
        self._trace(trace_level=["TIMESTAMPS", "TENSORS"], trace_rate="1", trace_count="1")
        self.read(path)
        runs = read_trace(self._end_trace(), names)
        assert self._server.assembly is not None
        folder = self._server.assembly.directory
        networks = {name: {"backend": self._target.configuration(name)["backend"]} for name in names}
        for name, network in networks.items():
            network["file"] = str((folder / name / "1" / "model.onnx").resolve())
        return {"runs": [asdict(run) for run in runs], "networks": networks}

    def _end_trace(self) -> bytes:
        """End tracing, which has Triton write the file, some time after the request was answered."""
        end = time.monotonic() + _TRACE_S
        while time.monotonic() < end:
            self._trace(trace_level=["OFF"])
            for file in self._folder.glob("trace*"):
                content = file.read_bytes()
                if content.endswith(b"]"):
                    file.unlink()
                    return content
            time.sleep(0.1)
        raise RuntimeError(f"Triton wrote no trace within {_TRACE_S:.0f} s")

    def _trace(self, **settings: Any) -> None:
        url = f"{self._server.http_url}/v2/trace/setting"
        headers = key_headers(self._server.admin_key)
        httpx.post(url, json=settings, headers=headers, trust_env=False, timeout=60).raise_for_status()

    def _perf_analyzer(self, request: dict[str, Any]) -> float:
        report = self._folder / "perf_analyzer.csv"
        callers, requests = request["callers"], request["requests"]
        arguments = f"{_WINDOWS} --measurement-request-count {requests} --concurrency-range {callers} -f {report}"
        status = run_perf_analyzer(
            [Path(path).read_bytes() for path in request["paths"]],
            url=self._server.grpc_url,
            admin_key=self._server.admin_key,
            pipeline=self._pipeline,
            params=json.dumps(self._params),
            arguments=shlex.split(arguments),
        )
        # 2: no two windows agreed; the number is there all the same.
        if not report.is_file():
            raise RuntimeError(f"perf_analyzer ended with status {status} and without a report")
        with report.open(newline="") as file:
            (row,) = csv.DictReader(file)
        report.unlink()
        return float(row["Inferences/Second"])


if __name__ == "__main__":
    serve(OwnServer())
