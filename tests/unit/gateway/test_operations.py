"""Health, metrics, log lines, the API's document, and the command."""

import json
import logging
import re
import socket

import httpx
import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from paddlex_triton.cli import app as commands
from paddlex_triton.client.transports.mock import AsyncMockTransport
from paddlex_triton.gateway.cli import files_by_pipeline
from paddlex_triton.gateway.endpoints import ENDPOINTS
from paddlex_triton.gateway.errors import GatewayError
from paddlex_triton.gateway.observing import JsonFormatter
from paddlex_triton.gateway.running import Gateway
from paddlex_triton.gateway.settings import GatewaySettings
from paddlex_triton.pipeline_file import PipelineFile, Serving
from paddlex_triton.pipelines import PIPELINES


async def test_health(client, triton, monkeypatch):
    async with client() as gateway:
        well = await gateway.get("/health")

        async def not_ready(self):
            return False

        monkeypatch.setattr(AsyncMockTransport, "server_ready", not_ready)
        ill = await gateway.get("/health")
    assert (well.status_code, well.json()["errorCode"], well.json()["errorMsg"]) == (200, 0, "Healthy")
    assert (ill.status_code, ill.json()["errorMsg"]) == (503, "the inference server is not ready")


async def test_what_is_there(client):
    async with client(max_body_bytes=1000) as gateway:
        told = (await gateway.get("/pipelines")).json()
    assert [(each["name"], each["path"], each["ready"]) for each in told["pipelines"]] == [
        (endpoint.pipeline, endpoint.path, True) for endpoint in ENDPOINTS
    ]
    assert (told["maxBodyBytes"], told["maxPages"], told["keyNeeded"], told["urlsAllowed"]) == (1000, 10, False, False)


async def test_metrics(client, page):
    async with client() as gateway:
        await gateway.post("/ocr", json={"file": page, "fileType": 1})
        await gateway.post("/ocr", json={"file": page})
        text = (await gateway.get("/metrics")).text
    for line in (
        'paddlex_gateway_requests_total{pipeline="OCR",status="200"} 1.0',
        'paddlex_gateway_requests_total{pipeline="OCR",status="422"} 1.0',
        'paddlex_gateway_refused_total{pipeline="OCR",reason="invalid_input"} 1.0',
        'paddlex_gateway_pages_total{pipeline="OCR"} 1.0',
        'paddlex_gateway_request_seconds_count{pipeline="OCR"} 2.0',
        'paddlex_gateway_stage_seconds_count{pipeline="OCR",stage="text_detection"} 1.0',
        "paddlex_gateway_in_flight 0.0",
    ):
        assert line in text.splitlines()


async def test_a_request_is_one_line_of_json(client, page, caplog):
    caplog.set_level(logging.INFO, "paddlex_triton.gateway")
    async with client() as gateway:
        await gateway.post("/ocr", json={"file": page, "fileType": 1, "logId": "mine\n"})
        await gateway.post("/ocr", json={"file": page})
    first, second = (json.loads(JsonFormatter().format(record)) for record in caplog.records)
    assert (first["logId"], first["pipeline"], first["status"], first["pages"]) == ("mine\n", "OCR", 200, 1)
    assert first["requestId"] != "mine\n"
    assert (second["status"], second["error"]) == (422, "File type cannot be determined")
    assert all("\n" not in JsonFormatter().format(record) for record in caplog.records)


async def test_answers_are_as_the_document_says(client, page):
    async with client() as gateway:
        document = (await gateway.get("/openapi.json")).json()
        for endpoint in ENDPOINTS:
            for source in {form.body.SOURCE for form in endpoint.forms}:
                body = {source: page, **({"fileType": 1} if source == "file" else {})}
                for content in (body, {}, {source: 1}):
                    answer = await gateway.post(endpoint.path, json=content)
                    stated = document["paths"][endpoint.path]["post"]["responses"][str(answer.status_code)]
                    schema = stated["content"]["application/json"]["schema"]
                    Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json())
    for endpoint in ENDPOINTS:
        body = document["paths"][endpoint.path]["post"]["requestBody"]["content"]["application/json"]
        Draft202012Validator({**body["schema"], "components": document["components"]}).validate(body["example"])


async def test_the_documents_page_needs_nothing_from_elsewhere(client):
    async with client() as gateway:
        page = await gateway.get("/docs")
        named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert {(await gateway.get(path)).status_code for path in named} == {200}
    assert len(named) == 3


def test_a_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(commands, ["gateway", "--port", str(port)], env={"COLUMNS": "300", "TERM": "dumb"})
    assert done.exit_code == 1
    assert f"127.0.0.1:{port} cannot be listened on: Address already in use" in done.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--url", "ftp://x"], "unknown scheme 'ftp'"),
        (["--url", "a:1", "--url", "b:2", "--url", "grpc://a:1"], "url names grpc://a:1 twice"),
        (["--config", "none.yaml"], "none.yaml"),
        (["--api-key-file", "none.txt"], "none.txt"),
        (["--max-in-flight", "0"], "--max-in-flight"),
    ],
)
def test_options_that_cannot_be(arguments, says):
    done = CliRunner().invoke(
        commands, ["gateway", "--port", "0", *arguments], env={"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1"}
    )
    assert done.exit_code in (1, 2)
    assert says in done.output


def test_several_servers_in_the_variable():
    environment = {"PADDLEX_TRITON_GATEWAY_URL": "a:1,b:2, a:1 c:3", "COLUMNS": "300", "TERM": "dumb"}
    done = CliRunner().invoke(commands, ["gateway", "--port", "0"], env=environment)
    assert done.exit_code == 1
    assert "url names grpc://a:1 twice" in done.output


def test_a_file_of_keys_without_any(tmp_path):
    (tmp_path / "keys").write_text("# none\n")
    arguments = ["gateway", "--port", "0", "--api-key-file", str(tmp_path / "keys")]
    done = CliRunner().invoke(commands, arguments, env={"COLUMNS": "300", "TERM": "dumb"})
    assert done.exit_code == 1
    assert "holds no key" in done.output


@pytest.mark.parametrize("address", ["0.0.0.0", "::", ""])
def test_beyond_this_machine_keys_or_a_word_are_needed(triton, address):
    settings = GatewaySettings("127.0.0.1:1")
    with pytest.raises(GatewayError, match="give it --api-key-file FILE, or say --publish"):
        Gateway(settings, address, 0)
    Gateway(GatewaySettings("127.0.0.1:1", api_keys=frozenset({"a-key-of-16-letters"})), address, 0).stop()
    Gateway(settings, address, 0, publish=True).stop()


def test_the_command_refuses_to_listen_for_everybody():
    arguments = ["gateway", "--address", "0.0.0.0", "--port", "0"]
    done = CliRunner().invoke(commands, arguments, env={"COLUMNS": "300", "TERM": "dumb"})
    assert done.exit_code == 1
    assert "0.0.0.0 is no loopback address" in done.output


def test_urls_of_pictures_are_refused():
    file = PipelineFile("my.yaml", PIPELINES["OCR"], {}, serving=Serving(return_urls=True))
    with pytest.raises(GatewayError, match=r"my\.yaml: Serving\.return_urls is true"):
        GatewaySettings("127.0.0.1:1", {"OCR": file})


def test_two_files_of_one_pipeline():
    file = PipelineFile("a.yaml", PIPELINES["OCR"], {})
    with pytest.raises(GatewayError, match="are both of OCR"):
        files_by_pipeline([file, file])


def test_a_gateway_comes_and_goes(running):
    gateway = running()
    assert httpx.get(f"{gateway.url}/health").status_code == 200
    gateway.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{gateway.url}/health")
