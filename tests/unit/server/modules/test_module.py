"""The base class of modules: isolation, errors, deadline, nested calls, metrics, log lines."""

from __future__ import annotations

import asyncio
import importlib
import json
import runpy
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from paddlex_triton.errors import ErrorCode, InvalidImage, QueueFull
from paddlex_triton.limits import MAX_IMAGE_SIDE
from paddlex_triton.params import Params
from paddlex_triton.paths import modules_repository
from paddlex_triton.pipelines import PIPELINES
from paddlex_triton.settings import StageSettings

STEP = "text_detection"


class Probe(StageSettings, frozen=True):
    """Settings of a stage that tests make up."""

    stage: str = "probe"
    thresh: float | None = None


NETWORK = {
    "name": "net",
    "family": "db_detection",
    "max_batch_size": 4,
    "sha256": "ab" * 32,
    "provenance": {"source": "test", "file": "x.onnx", "source_sha256": "", "opset": 13, "ir_version": 8},
}


@pytest.fixture
def make_module(pb_utils, tmp_path):
    """A module whose `answer` is the given coroutine function."""
    base = importlib.import_module("paddlex_triton.server.modules.module")

    def make(answer: Any, max_batch_size: int = 0, **parameters: str) -> Any:
        kind = type("Probe", (base.Module,), {"stage": "probe", "params_type": Params, "answer": answer})
        folder = tmp_path / "probe"
        folder.mkdir(exist_ok=True)
        (folder / "net.network.json").write_text(json.dumps(NETWORK))
        told = {f"OCR.{STEP}_network": "net", **parameters}
        config = {
            "max_batch_size": max_batch_size,
            "parameters": {name: {"string_value": value} for name, value in told.items()},
        }
        module = kind()
        module.initialize({"model_config": json.dumps(config), "model_repository": str(folder)})
        return module

    return make


def request(pb_utils, params=None, request_id="id-1", timeout=0, cancelled=False, **arrays):
    tensors = [pb_utils.Tensor(name, array) for name, array in arrays.items()]
    if params is not None:
        tensors.append(pb_utils.Tensor("params", np.array([json.dumps(params).encode()], dtype=object)))
    return pb_utils.InferenceRequest(tensors, request_id=request_id, timeout=timeout, cancelled=cancelled)


def run(module, *requests):
    return asyncio.run(module.execute(list(requests)))


def counter(pb_utils, name, **labels):
    return pb_utils.MetricFamily.counters[(name, frozenset(labels.items()))].total


async def echo(self, call):
    return {"y": call.array("x")}


@pytest.mark.parametrize("count", [0, 1, 5])
def test_one_response_per_request_in_order(pb_utils, make_module, count):
    module = make_module(echo)
    responses = run(module, *(request(pb_utils, x=np.array([index])) for index in range(count)))
    assert [int(response.array("y")[0]) for response in responses] == list(range(count))


def test_batch_axis_is_taken_off_and_put_back(pb_utils, make_module):
    module = make_module(echo, max_batch_size=4)
    good, bad = run(module, request(pb_utils, x=np.ones((1, 2, 3))), request(pb_utils, x=np.ones((2, 2, 3))))
    assert good.array("y").shape == (1, 2, 3)
    assert "one request is one page" in bad.error().message()


def test_a_bad_request_leaves_the_others_alone(pb_utils, make_module):
    async def answer(self, call):
        value = call.array("x")
        if value[0] == 1:
            raise InvalidImage("not an image")
        if value[0] == 2:
            raise RuntimeError("secret /path/to/file")
        return {"y": value}

    module = make_module(answer)
    responses = run(
        module,
        *(request(pb_utils, request_id=f"id-{index}", x=np.array([index])) for index in range(3)),
        request(pb_utils, params={"nope": 1}, x=np.array([0])),
    )
    assert not responses[0].has_error()
    assert responses[1].error().message() == "probe: INVALID_IMAGE: not an image"
    assert responses[1].error().code() == pb_utils.TritonError.INVALID_ARG
    assert responses[2].error().message().startswith("probe: INTERNAL: internal error, id ")
    assert responses[2].error().code() == pb_utils.TritonError.INTERNAL
    assert responses[3].error().message().startswith("probe: INVALID_PARAMETER: unknown parameter 'nope'")
    assert counter(pb_utils, "paddlex_errors_total", stage="probe", code="INVALID_IMAGE") == 1
    assert counter(pb_utils, "paddlex_errors_total", stage="probe", code="INTERNAL") == 1
    assert counter(pb_utils, "paddlex_errors_total", stage="probe", code="QUEUE_FULL") == 0


def test_one_log_line_per_failure_and_no_secret_for_the_caller(pb_utils, make_module):
    async def answer(self, call):
        raise RuntimeError("secret /path/to/file\nsecond line")

    (response,) = run(make_module(answer), request(pb_utils, request_id="my-id", x=np.array([0])))
    assert "secret" not in response.error().message()
    ((level, line),) = pb_utils.Logger.lines
    assert level == "error"
    assert "\n" not in line
    logged = json.loads(line.removeprefix("request failed "))
    assert (logged["stage"], logged["code"], logged["request_id"]) == ("probe", "INTERNAL", "my-id")
    assert logged["id"] in response.error().message()
    assert "secret /path/to/file" in logged["traceback"]


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_is_countable_from_the_start(pb_utils, make_module, code):
    make_module(echo)
    assert counter(pb_utils, "paddlex_errors_total", stage="probe", code=code.value) == 0


def test_missing_input(pb_utils, make_module):
    (response,) = run(make_module(echo), request(pb_utils))
    assert response.error().message() == "probe: INVALID_PARAMETER: input 'x' is missing"


@pytest.mark.parametrize("count", [0, 2])
def test_params_is_one_object(pb_utils, make_module, count):
    raw = np.array([b"{}"] * count, dtype=object)
    (response,) = run(make_module(echo), pb_utils.InferenceRequest([pb_utils.Tensor("params", raw)]))
    assert f"has {count} elements; exactly 1 is allowed" in response.error().message()


def test_cancelled_and_expired_requests_do_no_work(pb_utils, make_module):
    worked = []

    async def answer(self, call):
        worked.append(1)
        return {}

    past = np.array([time.monotonic_ns() - 1], np.int64)
    cancelled, expired = run(make_module(answer), request(pb_utils, cancelled=True), request(pb_utils, deadline=past))
    assert worked == []
    assert cancelled.error().message().startswith("probe: CANCELLED")
    assert expired.error().message().startswith("probe: DEADLINE_EXCEEDED")
    assert expired.error().code() == pb_utils.TritonError.UNAVAILABLE


@pytest.mark.parametrize(("timeout", "expected"), [(0, 0), (2_000_000, 2.0)])
def test_deadline_starts_with_the_requests_timeout(pb_utils, make_module, timeout, expected):
    async def answer(self, call):
        left = (call.deadline_ns - time.monotonic_ns()) / 1e9 if call.deadline_ns else 0
        return {"y": np.array([left])}

    (response,) = run(make_module(answer), request(pb_utils, timeout=timeout))
    assert response.array("y")[0] == pytest.approx(expected, abs=0.5)


def nested(pb_utils, make_module, network, batches, **keywords):
    async def answer(self, call):
        results = await call.infer_all(call.network(STEP), [lambda b=b: {"x": b} for b in batches])
        return {"y": np.concatenate([r["prob"] for r in results]) if results else np.empty(0)}

    pb_utils.InferenceRequest.network = network
    (response,) = run(make_module(answer), request(pb_utils, **keywords))
    return response


@pytest.mark.parametrize("count", [0, 1, 20])
def test_nested_calls_pass_on_id_and_timeout_and_are_counted(pb_utils, make_module, count):
    seen = []

    def network(call):
        seen.append((call.model_name, call.request_id(), call.timeout(), call.requested_output_names()))
        return pb_utils.InferenceResponse([pb_utils.Tensor("prob", call.inputs()[0].as_numpy() * 2)])

    batches = [np.full((3, 1), index) for index in range(count)]
    response = nested(pb_utils, make_module, network, batches, timeout=5_000_000)
    assert len(response.array("y")) == 3 * count
    assert response.array("y")[::3].ravel().tolist() == [2 * index for index in range(count)]
    assert len(seen) == count
    for model, request_id, timeout, outputs in seen:
        assert (model, request_id, outputs) == ("net", "id-1", ["prob"])
        assert 0 < timeout <= 5_000_000
    if count:
        assert counter(pb_utils, "paddlex_network_calls_total", stage="probe", network="net") == count
        assert counter(pb_utils, "paddlex_network_rows_total", stage="probe", network="net") == 3 * count
        assert counter(pb_utils, "paddlex_network_slots_total", stage="probe", network="net") == 4 * count


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Exceeds maximum queue size", ErrorCode.QUEUE_FULL),
        ("Stub process 'net_0_0' is not healthy.", ErrorCode.NETWORK_UNAVAILABLE),
        ("Request timeout expired", ErrorCode.DEADLINE_EXCEEDED),
        ("Request for unknown model: 'net' version 1 is not at ready state", ErrorCode.NETWORK_UNAVAILABLE),
        ("Failed for execution; model 'net' is not ready", ErrorCode.NETWORK_UNAVAILABLE),
        ("onnx runtime error 6: /secret", ErrorCode.INTERNAL),
        ("Failed to increase the shared memory pool size for key 'secret'", ErrorCode.INTERNAL),
    ],
)
def test_a_networks_failure_keeps_its_meaning(pb_utils, make_module, message, code):
    def network(call):
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(message))

    response = nested(pb_utils, make_module, network, [np.zeros((1, 1))])
    assert response.error().message().startswith(f"probe: {code.value}: ")
    assert "secret" not in response.error().message()


def test_after_a_failure_no_further_call_is_sent(pb_utils, make_module):
    sent = []

    def network(call):
        sent.append(1)
        return pb_utils.InferenceResponse(error=pb_utils.TritonError("Exceeds maximum queue size"))

    response = nested(pb_utils, make_module, network, [np.zeros((1, 1))] * 50)
    assert response.error().message().startswith("probe: QUEUE_FULL")
    assert len(sent) <= 8


def test_cancellation_is_seen_between_calls(pb_utils, make_module):
    sent = []
    probe = request(pb_utils)

    async def answer(self, call):
        await call.infer_all(call.network(STEP), [lambda: {"x": np.zeros((1, 1))}] * 50)
        return {}

    def network(call):
        sent.append(1)
        probe.cancelled = True
        # Triton is not asked every millisecond.
        time.sleep(0.002)
        return pb_utils.InferenceResponse([pb_utils.Tensor("prob", np.zeros((1, 1)))])

    pb_utils.InferenceRequest.network = network
    (response,) = run(make_module(answer), probe)
    assert response.error().message().startswith("probe: CANCELLED")
    assert len(sent) < 50


def test_triton_is_told_once_a_page_and_asked_rarely(pb_utils, make_module, monkeypatch):
    told, asked = [], []
    monkeypatch.setattr(pb_utils.MetricFamily, "Metric", lambda self, labels: SimpleNamespace(increment=told.append))
    monkeypatch.setattr(pb_utils.InferenceRequest, "is_cancelled", lambda self: asked.append(1))
    module = make_module(echo)
    told.clear()

    async def answer(self, call):
        await call.infer_all(call.network(STEP), [lambda: {"x": np.zeros((3, 1))}] * 5)
        return {}

    pb_utils.InferenceRequest.network = lambda call: pb_utils.InferenceResponse([])
    monkeypatch.setattr(type(module), "answer", answer)
    run(module, request(pb_utils))
    # Calls, rows and room for rows.
    assert sorted(told) == [5, 15, 20]
    assert len(asked) == 1


def test_a_pipelines_first_module_tells_of_shared_memory_when_it_changed(pb_utils, make_module, monkeypatch):
    used = [3]
    place = SimpleNamespace(f_frsize=4096, f_blocks=10)
    monkeypatch.setattr("os.statvfs", lambda path: SimpleNamespace(**vars(place), f_bfree=10 - used[0]))
    make_module(echo)
    assert not [name for name, _ in pb_utils.MetricFamily.counters if "shm" in name]
    module = make_module(echo, pipeline="OCR")
    assert counter(pb_utils, "paddlex_shm_bytes") == 40960
    assert counter(pb_utils, "paddlex_shm_used_bytes") == 12288
    used[0] = 5
    run(module, request(pb_utils, x=np.zeros(1)))
    assert counter(pb_utils, "paddlex_shm_used_bytes") == 20480
    pb_utils.MetricFamily.counters[("paddlex_shm_used_bytes", frozenset())].total = -1
    run(module, request(pb_utils, x=np.zeros(1)))
    assert counter(pb_utils, "paddlex_shm_used_bytes") == -1


def test_settings_name_the_network(pb_utils, make_module):
    async def answer(self, call):
        caller = importlib.import_module("paddlex_triton.server.modules.network_caller")
        networks = caller.used_networks({STEP: call.network(STEP), "off": None})
        return {"settings": np.array([Probe(networks=networks, thresh=0.3).encode()], dtype=object)}

    (response,) = run(make_module(answer), request(pb_utils))
    settings = json.loads(response.array("settings")[0])
    assert settings["thresh"] == 0.3
    assert settings["networks"] == {STEP: {"name": "net", "sha256": "ab" * 32}}


def test_settings_say_which_network_one_stands_in_for(pb_utils, make_module, tmp_path):
    async def answer(self, call):
        caller = importlib.import_module("paddlex_triton.server.modules.network_caller")
        networks = caller.used_networks({STEP: call.network(STEP)})
        return {"settings": np.array([Probe(networks=networks).encode()], dtype=object)}

    def told(name: str) -> dict[str, str]:
        stand_in = {"name": name, "instead_of": "wanted", "reason": "its export failed: 0.1 is not 0.2"}
        (tmp_path / "probe").mkdir(exist_ok=True)
        (tmp_path / "probe" / "stand_ins.json").write_text(json.dumps({"OCR": {STEP: stand_in}}))
        (response,) = run(make_module(answer), request(pb_utils))
        return json.loads(response.array("settings")[0])["networks"][STEP]

    why = {"instead_of": "wanted", "reason": "its export failed: 0.1 is not 0.2"}
    assert told("net") == {"name": "net", "sha256": "ab" * 32, **why}
    assert told("one that a request does not choose") == {"name": "net", "sha256": "ab" * 32}


def test_service_errors_keep_their_code(pb_utils, make_module):
    async def answer(self, call):
        raise QueueFull("busy")

    (response,) = run(make_module(answer), request(pb_utils))
    assert response.error().code() == pb_utils.TritonError.UNAVAILABLE


def test_an_id_that_is_not_utf8_is_left_out(pb_utils, make_module, monkeypatch):
    def broken(self):
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    monkeypatch.setattr(pb_utils.InferenceRequest, "request_id", broken)
    good, bad = run(make_module(echo), request(pb_utils, x=np.array([7])), request(pb_utils))
    assert good.array("y").tolist() == [7]
    assert bad.error().message() == "probe: INVALID_PARAMETER: input 'x' is missing"


@pytest.mark.parametrize("timeout", [2**63 // 1000, 2**63 - 1, 2**64 - 1])
def test_a_timeout_of_centuries_is_no_error(pb_utils, make_module, timeout):
    async def answer(self, call):
        return {"deadline": np.array([call.deadline_ns], np.int64)}

    (response,) = run(make_module(answer), request(pb_utils, timeout=timeout))
    assert response.array("deadline")[0] > time.monotonic_ns()


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ((1, MAX_IMAGE_SIDE, 3), None),
        ((1, MAX_IMAGE_SIDE + 1, 3), ErrorCode.IMAGE_TOO_LARGE),
        ((MAX_IMAGE_SIDE + 1, 1, 3), ErrorCode.IMAGE_TOO_LARGE),
        ((20_000, 20_000, 3), ErrorCode.IMAGE_TOO_LARGE),
        ((0, 5, 3), ErrorCode.INVALID_PARAMETER),
        ((5, 5), ErrorCode.INVALID_PARAMETER),
        ((5, 5, 4), ErrorCode.INVALID_PARAMETER),
    ],
)
def test_pages_are_checked_before_any_work(pb_utils, make_module, shape, code):
    async def answer(self, call):
        return {"y": np.array(call.page("x").shape)}

    page = np.broadcast_to(np.uint8(0), shape)
    (response,) = run(make_module(answer), request(pb_utils, x=page))
    if code is None:
        assert tuple(response.array("y")) == shape
    else:
        assert response.error().message().startswith(f"probe: {code.value}: input 'x'")


PIPELINES_OF_NETWORKS = {"OCR.text_recognition_network": "net", "seal_recognition.text_recognition_network": "other"}


@pytest.fixture
def shared(make_module, tmp_path):
    """A module of two pipelines, with a network for each, that tells which ones a request is of."""

    async def answer(self, call):
        return {"y": np.array([call.spec.name, call.network("text_recognition").info.name, type(call.params).__name__])}

    module = make_module(answer)
    (tmp_path / "probe" / "other.network.json").write_text(json.dumps({**NETWORK, "name": "other"}))

    def load(parameters: dict[str, str]) -> Any:
        config = {"max_batch_size": 0, "parameters": {name: {"string_value": v} for name, v in parameters.items()}}
        module.initialize({"model_config": json.dumps(config), "model_repository": str(tmp_path / "probe")})
        return module

    return load


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (None, ["OCR", "net", "OCRParams"]),
        ("OCR", ["OCR", "net", "OCRParams"]),
        ("seal_recognition", ["seal_recognition", "other", "SealRecognitionParams"]),
    ],
)
def test_parameters_and_networks_are_those_of_the_request_s_pipeline(pb_utils, shared, name, expected):
    tensors = [] if name is None else [pb_utils.Tensor("pipeline", np.array([name.encode()], dtype=object))]
    (response,) = run(shared(PIPELINES_OF_NETWORKS), pb_utils.InferenceRequest(tensors))
    assert response.array("y").tolist() == expected


@pytest.mark.parametrize(
    ("loaded", "name", "message"),
    [
        (PIPELINES_OF_NETWORKS, "ocr", "probe: INVALID_PARAMETER: pipeline is 'ocr'; known: OCR, seal_recognition"),
        (
            PIPELINES_OF_NETWORKS,
            "doc_preprocessor",
            "probe: UNSUPPORTED: pipeline is 'doc_preprocessor'; on this server this module serves OCR, seal_rec",
        ),
        ({"OCR.text_recognition_network": ""}, "OCR", "probe: UNSUPPORTED: this server has no network for text_rec"),
    ],
)
def test_pipelines_that_are_not_served(pb_utils, shared, loaded, name, message):
    (response,) = run(shared(loaded), request(pb_utils, pipeline=np.array([name.encode()], dtype=object)))
    assert response.error().message().startswith(message)


def test_the_first_module_of_a_pipeline_needs_no_network(pb_utils, make_module, tmp_path):
    async def answer(self, call):
        return {"y": np.array([call.spec.name, call.optional_network("doc_unwarping") is None])}

    module = make_module(answer)
    config = {"max_batch_size": 0, "parameters": {"pipeline": {"string_value": "human_keypoint_detection"}}}
    module.initialize({"model_config": json.dumps(config), "model_repository": str(tmp_path / "probe")})
    (response,) = run(module, request(pb_utils))
    assert response.array("y").tolist() == ["human_keypoint_detection", "True"]


MODULES = sorted({(spec.name, module) for spec in PIPELINES.values() for module in spec.modules})


@pytest.mark.parametrize(("pipeline", "module"), MODULES)
def test_a_pipeline_s_parameters_are_what_its_modules_need(pb_utils, pipeline, module):
    model = runpy.run_path(str(modules_repository() / module / "1" / "model.py"))["TritonPythonModel"]
    assert model.stage == module
    assert issubclass(PIPELINES[pipeline].params, model.params_type)


def test_a_module_of_no_pipeline_does_not_load(pb_utils, shared):
    """Its folder was put together by another version, whose parameters have other names."""
    with pytest.raises(pb_utils.TritonModelException, match="names no pipeline; run `paddlex-triton assemble`"):
        shared({"text_detection_network": "net"})


def test_settings_are_one_json_document(pb_utils, make_module):
    base = importlib.import_module("paddlex_triton.server.modules.module")
    output = base.settings_output(Probe(networks={}, thresh=0.3))
    assert (output.shape, output.dtype) == ((1,), object)
    assert json.loads(output[0])["thresh"] == 0.3


def test_a_module_is_told_the_pixels_of_its_largest_page(pb_utils, make_module):
    async def answer(self, call):
        return {"y": np.array([call.max_pixels, call.page("x").size])}

    module = make_module(answer, max_image_pixels="12")
    fits, large = run(module, *(request(pb_utils, x=np.zeros((3, width, 3), np.uint8)) for width in (4, 5)))
    assert fits.array("y").tolist() == [12, 36]
    assert "IMAGE_TOO_LARGE: input 'x' is 5x3 (width x height)" in large.error().message()
    assert "12 pixels are allowed" in large.error().message()
