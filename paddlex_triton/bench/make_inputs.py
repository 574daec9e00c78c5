"""Inputs for perf_analyzer from real images: the JSON of its option `--input-data`.

    python -m paddlex_triton.bench.make_inputs IMAGE... --params '{"text_det_limit_side_len": 736}' --output inputs.json

perf_analyzer takes the entries in turn. It sends what is in `b64` as it is, so a BYTES tensor carries its length in
front. `params` is always there: a request without an optional input does not share a batch with one that has it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from paddlex_triton.bench.console import short_errors, write_json
from paddlex_triton.client.inputs import PageReader
from paddlex_triton.params import parse_params
from paddlex_triton.pipelines import find_pipeline

SAMPLE = Path(__file__).resolve().parent.parent.parent / "samples" / "page.png"
_LENGTH_BYTES = 4


def bytes_tensor(value: bytes) -> dict[str, Any]:
    """Write a BYTES [1] tensor as perf_analyzer wants it: length (4 bytes, little endian) and value, in base64."""
    framed = len(value).to_bytes(_LENGTH_BYTES, "little") + value
    return {"content": {"b64": base64.b64encode(framed).decode("ascii")}, "shape": [1]}


def make_inputs(pages: Iterable[bytes], params: str, pipeline: str = "OCR") -> dict[str, Any]:
    """Make the document for `--input-data`.

    Args:
        pages: encoded images, one per entry.
        params: JSON object with the pipeline's parameters.
        pipeline: PaddleX's name.

    Raises:
        ValueError: there is no page.
        ChoiceError: an unknown pipeline.
        InvalidParameter: the parameters are not the pipeline's.
    """
    parse_params(params, find_pipeline(pipeline).params)
    tensor = bytes_tensor(params.encode())
    data = [{"image": bytes_tensor(page), "params": tensor} for page in pages]
    if not data:
        raise ValueError("there is no image; at least one is needed")
    return {"data": data}


def read_pages(sources: Iterable[Path]) -> list[bytes]:
    """Read images, documents and folders into encoded pages; the sample page if none is named.

    Raises:
        InputError: one cannot be read.
    """
    names = [str(source) for source in sources] or [str(SAMPLE)]
    return [page.payload for page in PageReader(names)]


def main(
    images: Annotated[
        list[Path] | None, typer.Argument(help="Images, PDFs or folders; the sample page if none.")
    ] = None,
    pipeline: Annotated[str, typer.Option(help="Pipeline the parameters are for.")] = "OCR",
    params: Annotated[str, typer.Option(help="JSON object with the pipeline's parameters.")] = "{}",
    output: Annotated[Path, typer.Option(help="File to write.")] = Path("inputs.json"),
) -> None:
    """Write perf_analyzer's inputs for real images."""
    with short_errors():
        document = make_inputs(read_pages(images or []), params, pipeline)
    write_json(document, output)
    Console().print(f"{len(document['data'])} inputs in {escape(str(output))}")


if __name__ == "__main__":
    typer.run(main)
