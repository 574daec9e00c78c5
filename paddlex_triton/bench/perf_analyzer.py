"""Triton's perf_analyzer on real images, without root and without packages of the system.

    python -m paddlex_triton.bench.perf_analyzer IMAGE... --url 127.0.0.1:8001 --arguments '--concurrency-range 1:8'

The binary comes with tritonclient 2.51.0; two libraries that it needs
(libb64.so.0d, libcudart.so.12) come with nvidia-pytriton under names of their own, so they are linked under the
wanted names into a temporary folder.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from paddlex_triton.admin_api import key_headers, read_admin_key
from paddlex_triton.bench.console import AdminKeyFile, short_errors, write_json
from paddlex_triton.bench.make_inputs import make_inputs, read_pages
from paddlex_triton.pipelines import find_pipeline

# Wanted name -> how the file in nvidia_pytriton.libs begins and what is in its name.
_LIBRARIES = {"libb64.so.0d": "libb64-*.so.0d", "libcudart.so.12": "libcudart-*.so.12*"}
_INSTALL = "pip install 'paddlex-triton[bench]'"


class PerfAnalyzerMissing(OSError):
    """perf_analyzer or a library that it needs is not installed."""


def find_binary() -> Path:
    """Find the perf_analyzer that was installed with tritonclient.

    Raises:
        PerfAnalyzerMissing: no tritonclient, or one without the binary.
    """
    for file in _files("tritonclient"):
        if file.name == "perf_analyzer":
            return Path(os.fspath(file.locate()))
    raise PerfAnalyzerMissing(f"tritonclient has no perf_analyzer; 2.51.0 has one that runs here. Run: {_INSTALL}")


def find_libraries() -> dict[str, Path]:
    """Find the libraries that perf_analyzer looks for: wanted name -> file.

    Raises:
        PerfAnalyzerMissing: nvidia-pytriton is not installed, or carries others.
    """
    files = _files("nvidia-pytriton")
    found = {}
    for name, pattern in _LIBRARIES.items():
        match = next((file for file in files if Path(file.name).match(pattern)), None)
        if match is None:
            raise PerfAnalyzerMissing(f"nvidia-pytriton 0.7.0, which carries {name}, is not installed. Run: {_INSTALL}")
        found[name] = Path(os.fspath(match.locate()))
    return found


@contextmanager
def environment() -> Iterator[dict[str, str]]:
    """Set up the environment variables by which perf_analyzer finds its libraries, for as long as the context lasts."""
    libraries = find_libraries()
    with tempfile.TemporaryDirectory(prefix="paddlex-triton-perf-") as folder:
        for name, path in libraries.items():
            (Path(folder) / name).symlink_to(path)
        variables = dict(os.environ)
        variables["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, [folder, variables.get("LD_LIBRARY_PATH")]))
        yield variables


def run_perf_analyzer(
    pages: Sequence[bytes],
    *,
    url: str,
    protocol: str = "grpc",
    pipeline: str = "OCR",
    params: str = "{}",
    admin_key: str | None = None,
    arguments: Sequence[str] = (),
) -> int:
    """Run perf_analyzer on some pages; its report goes to stdout.

    Args:
        pages: encoded images, sent in turn.
        url: `host:port` of the protocol's endpoint.
        protocol: "grpc" or "http".
        pipeline: PaddleX's name.
        params: JSON object with the pipeline's parameters.
        admin_key: what the server's configurations ask for, which perf_analyzer reads; None where they ask for nothing.
        arguments: more of perf_analyzer's own.

    Returns:
        Its exit status.

    Raises:
        PerfAnalyzerMissing: it is not installed.
        ValueError: the protocol is unknown, or there is no page.
        InvalidParameter: the parameters are not the pipeline's.
    """
    if protocol not in ("grpc", "http"):
        raise ValueError(f"protocol is {protocol!r}; allowed: grpc, http")
    document = make_inputs(pages, params, pipeline)
    binary = find_binary()
    with environment() as variables, tempfile.TemporaryDirectory(prefix="paddlex-triton-perf-") as folder:
        inputs = Path(folder) / "inputs.json"
        write_json(document, inputs)
        command = [str(binary), "-m", find_pipeline(pipeline).ensemble, "-i", protocol, "-u", url]
        for name, value in key_headers(admin_key, grpc=protocol == "grpc").items():
            command += ["-H", f"{name}:{value}"]
        return subprocess.run(
            [*command, "--input-data", str(inputs), *arguments], env=variables, check=False
        ).returncode


def _files(distribution: str) -> list[metadata.PackagePath]:
    try:
        return metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        return []


def main(
    images: Annotated[
        list[Path] | None, typer.Argument(help="Images, PDFs or folders; the sample page if none.")
    ] = None,
    url: Annotated[str, typer.Option(help="host:port of the server's endpoint for the protocol.")] = "127.0.0.1:8001",
    protocol: Annotated[str, typer.Option(help="grpc or http.")] = "grpc",
    pipeline: Annotated[str, typer.Option(help="Pipeline to load.")] = "OCR",
    params: Annotated[str, typer.Option(help="JSON object with the pipeline's parameters.")] = "{}",
    admin_key_file: AdminKeyFile = None,
    arguments: Annotated[str, typer.Option(help="More arguments for perf_analyzer, as in a shell.")] = "",
) -> None:
    """Run perf_analyzer on real images."""
    with short_errors():
        status = run_perf_analyzer(
            read_pages(images or []),
            url=url,
            protocol=protocol,
            pipeline=pipeline,
            params=params,
            admin_key=read_admin_key(admin_key_file) if admin_key_file else None,
            arguments=shlex.split(arguments),
        )
    raise typer.Exit(status)


if __name__ == "__main__":
    typer.run(main)
