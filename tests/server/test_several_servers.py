"""One live server under two addresses, and others that are no use: what is read, and what is said."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from paddlex_triton import create_async_pipeline, create_pipeline
from paddlex_triton.cli import app
from paddlex_triton.client.exceptions import PipelineNotLoadedError

SAMPLE = Path(__file__).resolve().parent.parent.parent / "samples" / "seal_1.png"
NOBODY = "127.0.0.1:1"


def test_both_protocols_and_nobody(server, caplog):
    urls = [server.grpc_url, NOBODY, server.http_url]
    with create_pipeline("OCR", url=urls) as pipeline:
        texts = [result["rec_texts"] for result in pipeline.predict([str(SAMPLE)] * 6)]

    async def read():
        async with create_async_pipeline("OCR", url=urls) as pipeline:
            return [result["rec_texts"] async for result in pipeline.predict([str(SAMPLE)] * 6)]

    assert [*texts, *asyncio.run(read())] == [texts[0]] * 12
    assert [record.message.split(":")[0] for record in caplog.records if "left out" in record.message] == ["grpc"] * 2
    assert f"grpc://{NOBODY} is left out: no server answers at grpc://{NOBODY}" in caplog.text


def test_a_server_of_another_pipeline_is_named(server, seal_server):
    with pytest.raises(PipelineNotLoadedError, match=f"^grpc://{seal_server.grpc_url} does not serve OCR; all servers"):
        create_pipeline("OCR", url=[server.grpc_url, seal_server.grpc_url])


def test_the_command_line(server, tmp_path):
    out = tmp_path / "out.jsonl"
    command = ["predict", "OCR", str(SAMPLE), str(SAMPLE.parent), "--save_path", str(out), "--resume"]
    urls = ["--url", server.grpc_url, "--url", server.http_url]
    for _ in range(2):
        done = CliRunner().invoke(app, [*command, *urls])
        assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    named = [line["input_path"] for line in lines]
    assert sorted(named) == sorted(str(path) for path in SAMPLE.parent.glob("*.png"))
    with create_pipeline("OCR", url=server.grpc_url) as pipeline:
        (result,) = pipeline.predict(str(SAMPLE))
    assert lines[0] == {"page_index": None, **json.loads(json.dumps(result.json["res"]))}
