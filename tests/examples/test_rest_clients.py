"""The REST clients in client/examples, each run against a server that answers as the gateway does."""

from __future__ import annotations

import base64
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from example_clients import CLIENTS, EXAMPLES, ExampleClient, environment
from example_gateway import Answer, FakeGateway, failure, fake_gateway, success

# Lengths of all remainders by 3, base64's group, ending in zeros, which padding decodes to.
PICTURES = {f"picture{rest}": b"\xff\xd8" + bytes(range(256)) + bytes(3 + rest) for rest in range(3)}
LINE = {"rec_texts": ["登机牌 100%", "", 'A "B" \\ é'], "rec_scores": [0.99676, 0.0, 0.7032]}
PRINTED = '0.997 登机牌 100%\n0.000 \n0.703 A "B" \\ é\n'


@dataclass(frozen=True)
class Example:
    """A client that can be run, and a folder that its files are in."""

    command: list[str]
    folder: Path

    def run(self, *arguments: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run it in its folder, with files named as they are there."""
        variables = {**environment(self.folder), **({} if key is None else {"PADDLEX_TRITON_API_KEY": key})}
        return subprocess.run(
            [*self.command, *arguments],
            cwd=self.folder,
            env=variables,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )

    def write(self, name: str, content: bytes = b"page") -> str:
        """Write a file and return its name."""
        (self.folder / name).write_bytes(content)
        return name

    def saved(self) -> dict[str, bytes]:
        """Return the pictures in the folder by name."""
        return {path.name: path.read_bytes() for path in self.folder.glob("*.jpg") if "_" in path.name}


@pytest.fixture(scope="module", params=CLIENTS, ids=[client.source for client in CLIENTS])
def command(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    client: ExampleClient = request.param
    if missing := client.missing():
        pytest.skip(missing)
    return client.prepare(tmp_path_factory.mktemp("built"))


@pytest.fixture
def example(command: list[str], tmp_path: Path) -> Example:
    return Example(command, tmp_path)


@pytest.fixture
def gateway():
    with fake_gateway() as running:
        yield running


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def ocr_page(picture: str | None = "picture0") -> dict:
    page: dict = {"prunedResult": {"model_settings": {}, "rec_polys": [[[0, 0], [9, 0], [9, 9], [0, 9]]], **LINE}}
    return page if picture is None else {**page, "ocrImage": text(PICTURES[picture])}


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_texts_of_an_image(example: Example, gateway: FakeGateway):
    content = PICTURES["picture1"]
    gateway.answers = [success({"ocrResults": [ocr_page()], "dataInfo": {"width": 9, "height": 9, "type": "image"}})]
    assert succeeded(example.run("ocr", example.write("my.page.png", content), gateway.url)) == PRINTED
    (received,) = gateway.received
    assert received.path == "/ocr"
    assert received.headers["Content-Type"].startswith("application/json")
    assert received.body == {"file": text(content), "fileType": 1}
    assert example.saved() == {"my.page_ocrImage.jpg": PICTURES["picture0"]}


@pytest.mark.parametrize("name", ["scan.pdf", "SCAN.PDF"])
def test_the_pages_of_a_pdf(example: Example, gateway: FakeGateway, name: str):
    content = PICTURES["picture2"]
    pages = [ocr_page("picture1"), {"prunedResult": {"rec_texts": [], "rec_scores": []}}, ocr_page("picture2")]
    gateway.answers = [success({"ocrResults": pages, "dataInfo": {"type": "pdf"}})]
    assert succeeded(example.run("ocr", example.write(name, content), gateway.url)) == (
        f"page 0\n{PRINTED}page 1\npage 2\n{PRINTED}"
    )
    assert gateway.received[0].body == {"file": text(content), "fileType": 0}
    stem = name[:4]
    assert example.saved() == {
        f"{stem}_0_ocrImage.jpg": PICTURES["picture1"],
        f"{stem}_2_ocrImage.jpg": PICTURES["picture2"],
    }


def test_the_texts_of_seals(example: Example, gateway: FakeGateway):
    pictures = {key: text(picture) for key, picture in PICTURES.items()}
    second = {"rec_texts": ["发票专用章"], "rec_scores": [0.9998]}
    pruned = {"layout_det_res": {"boxes": []}, "seal_res_list": [LINE, second]}
    gateway.answers = [success({"sealRecResults": [{"prunedResult": pruned, "outputImages": pictures}]})]
    done = example.run("seal-recognition", example.write("contract.jpg"), gateway.url)
    assert succeeded(done) == f"{PRINTED}1.000 发票专用章\n"
    assert gateway.received[0].path == "/seal-recognition"
    assert example.saved() == {f"contract_{key}.jpg": picture for key, picture in PICTURES.items()}


def test_people(example: Example, gateway: FakeGateway):
    content = PICTURES["picture0"]
    person = {"bbox": [0, 1, 2, 3], "kpts": [[1, 2, 0.5]] * 17, "detScore": 0.9123, "kptScore": 0.8346}
    gateway.answers = [success({"persons": [person, person], "image": text(PICTURES["picture2"])})]
    done = example.run("human-keypoint-detection", example.write("people.jpg", content), gateway.url)
    assert succeeded(done) == "person 0.912, keypoints 0.835\n" * 2
    assert [(each.path, each.body) for each in gateway.received] == [
        ("/human-keypoint-detection", {"image": text(content)})
    ]
    assert example.saved() == {"people_image.jpg": PICTURES["picture2"]}


@pytest.mark.parametrize(
    ("pipeline", "result", "printed"),
    [
        ("ocr", {"ocrResults": [ocr_page(None)]}, PRINTED),
        ("seal-recognition", {"sealRecResults": [{"prunedResult": {"seal_res_list": []}}]}, ""),
        ("human-keypoint-detection", {"persons": []}, ""),
    ],
)
def test_no_pictures_and_nothing_found(example: Example, gateway: FakeGateway, pipeline, result, printed):
    gateway.answers = [success(result)]
    assert succeeded(example.run(pipeline, example.write("page.png"), gateway.url)) == printed
    assert example.saved() == {}


def test_bad_input_is_told(example: Example, gateway: FakeGateway):
    gateway.answers = [failure(422, "The file is no image: 文件")]
    done = example.run("ocr", example.write("page.png"), gateway.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "error 422: The file is no image: 文件 (logId log-2)" in done.stderr
    assert len(gateway.received) == 1


def test_a_busy_server_is_asked_once_more_when_it_says(example: Example, gateway: FakeGateway):
    gateway.answers = [failure(503, "Too busy", Retry_After="2"), success({"ocrResults": [ocr_page()]})]
    started = time.monotonic()
    assert succeeded(example.run("ocr", example.write("page.png"), gateway.url)) == PRINTED
    assert time.monotonic() - started > 2
    first, second = gateway.received
    assert first.body == second.body == {"file": text(b"page"), "fileType": 1}


def test_a_server_that_stays_busy_is_left_alone(example: Example, gateway: FakeGateway):
    gateway.answers = [failure(503, "Too busy", Retry_After="0")] * 3
    done = example.run("ocr", example.write("page.png"), gateway.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "error 503: Too busy (logId log-2)" in done.stderr
    assert len(gateway.received) == 2


@pytest.mark.parametrize(("key", "sent"), [("secret", "Bearer secret"), ("", None), (None, None)])
def test_the_key_is_sent_if_there_is_one(example: Example, gateway: FakeGateway, key, sent):
    gateway.answers = [success({"ocrResults": [ocr_page()]})]
    succeeded(example.run("ocr", example.write("page.png"), gateway.url, key=key))
    assert gateway.received[0].headers.get("Authorization") == sent


@pytest.mark.parametrize("what", ["no file", "no server", "no JSON"])
def test_what_else_may_fail_ends_with_1(example: Example, gateway: FakeGateway, what: str):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}" if what == "no server" else gateway.url
        gateway.answers = [Answer(b"<html>Bad Gateway</html>", 502)]
        done = example.run("ocr", "page.png" if what == "no file" else example.write("page.png"), url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr
    assert len(done.stderr.splitlines()) < 4, "not a traceback"


@pytest.mark.parametrize("arguments", [(), ("ocr",), ("no-such-pipeline", "page.png"), ("ocr", "a", "b", "c")])
def test_usage(example: Example, arguments: tuple[str, ...]):
    done = example.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ")


def test_every_client_is_run_and_described():
    sources = {path.name for path in EXAMPLES.iterdir() if path.is_file()} - {"README.md", "kserve_grpc_client.py"}
    assert sources == {client.source for client in CLIENTS}
    readme = (EXAMPLES / "README.md").read_text()
    for client in CLIENTS:
        assert f"[{client.source}]({client.source})" in readme
        assert f"`{client.packages}`" in readme
        assert "http://127.0.0.1:8080" in (EXAMPLES / client.source).read_text()
