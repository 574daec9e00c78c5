"""`create_pipeline(...).predict(...)`: order, errors in their place, parameters, threads."""

import json
import math
import random
import threading
import time
import warnings

import numpy as np
import pytest

import paddlex_triton
from paddlex_triton.client import RetryPolicy
from paddlex_triton.client import pipeline as pipeline_module
from paddlex_triton.client.exceptions import (
    InputError,
    InvalidImageError,
    InvalidParameterError,
    PipelineClosedError,
    ServerBusyError,
    ServerError,
    UnsupportedError,
)
from paddlex_triton.client.transports.mock import MockTransport
from paddlex_triton.limits import MAX_PAGES_IN_FLIGHT, MAX_TIMEOUT_S
from paddlex_triton.pipelines import PIPELINES


def texts(results):
    return [result["rec_texts"][0] for result in results]


@pytest.mark.parametrize("in_flight", [1, 4])
@pytest.mark.parametrize("count", [0, 1, 12])
def test_results_come_in_the_order_of_the_pages(pipeline, numbered, tensors, number, count, in_flight):
    delays = random.Random(1)

    def answer(request):
        time.sleep(delays.random() * 0.02)
        return tensors([str(number(request))])

    ocr, transport = pipeline(answer, max_in_flight=in_flight)
    assert texts(ocr.predict([numbered(k) for k in range(count)])) == [str(k) for k in range(count)]
    assert len({request.request_id for request in transport.sent}) == count


def test_pages_in_flight_are_bounded(pipeline, numbered, tensors):
    lock, running, most = threading.Lock(), 0, 0

    def answer(request):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return tensors(["a"])

    ocr, _ = pipeline(answer, max_in_flight=3)
    list(ocr.predict([numbered(k) for k in range(12)]))
    assert most == 3


def test_pages_are_read_no_further_than_they_are_needed(pipeline, numbered):
    ocr, transport = pipeline(max_in_flight=2)
    results = ocr.predict([numbered(k) for k in range(50)])
    next(results)
    results.close()
    assert len(transport.sent) <= 3


def test_an_error_of_the_server_is_raised_in_its_place(pipeline, numbered, tensors, number):
    def answer(request):
        if number(request) == 2:
            raise InvalidImageError("no image", request_id=request.request_id)
        time.sleep(0.01)
        return tensors([str(number(request))])

    ocr, transport = pipeline(answer)
    results = ocr.predict([numbered(k) for k in range(5)])
    assert [next(results)["rec_texts"], next(results)["rec_texts"]] == [["0"], ["1"]]
    with pytest.raises(InvalidImageError) as caught:
        next(results)
    assert caught.value.request_id in {request.request_id for request in transport.sent}
    assert list(results) == []


def test_an_error_of_the_input_is_raised_in_its_place(pipeline, numbered, tmp_path):
    ocr, transport = pipeline()
    results = ocr.predict([numbered(0), numbered(1), str(tmp_path / "none.png"), numbered(3)])
    assert [next(results)["rec_texts"], next(results)["rec_texts"]] == [["0"], ["1"]]
    with pytest.raises(InputError, match=r"none\.png"):
        next(results)
    assert len(transport.sent) == 2


def test_errors_count_inputs_without_a_name(pipeline, numbered, number, tensors):
    def answer(request):
        if number(request) == 1:
            raise InvalidImageError("no image")
        return tensors(["a"])

    ocr, _ = pipeline(answer)
    with pytest.raises(InvalidImageError, match=r"^input 2: no image"):
        list(ocr.predict([numbered(0), numbered(1)]))
    with pytest.raises(InvalidImageError, match=r"^no image"):
        list(ocr.predict(numbered(1)))


def test_a_generator_s_error_is_raised_in_its_place(pipeline, numbered):
    def images():
        yield numbered(0)
        yield numbered(1)
        yield 3.5

    ocr, _ = pipeline()
    found = []
    with pytest.raises(InputError, match="input 3: an input of type float"):
        for result in ocr.predict(images()):
            found.append(result["rec_texts"][0])
    assert found == ["0", "1"]


@pytest.mark.parametrize("in_flight", [1, 4])
def test_errors_in_the_places_of_their_pages(pipeline, numbered, number, tensors, tmp_path, in_flight):
    def answer(request):
        if number(request) == 2:
            raise InvalidImageError("no image")
        return tensors([str(number(request))])

    ocr, transport = pipeline(answer, max_in_flight=in_flight)
    inputs = [numbered(0), str(tmp_path / "none.png"), numbered(2), numbered(3)]
    outcomes = list(ocr.predict_outcomes(inputs))
    shown = [str(found) if isinstance(found, Exception) else found["rec_texts"][0] for found in outcomes]
    assert shown == ["0", f"{tmp_path}/none.png: there is no such file", "input 3: no image", "3"]
    assert len(transport.sent) == 3


def test_errors_name_their_page(pipeline, tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")

    def answer(request):
        raise InvalidImageError("no image")

    ocr, _ = pipeline(answer)
    with pytest.raises(InvalidImageError, match=r"a\.png: no image"):
        list(ocr.predict(str(tmp_path / "a.png")))


def test_x_is_the_input_too(pipeline, numbered):
    ocr, _ = pipeline()
    assert (
        texts(ocr.predict(x=numbered(7))) == texts(ocr.predict(numbered(7))) == texts(ocr(input=numbered(7))) == ["7"]
    )
    for arguments in ({}, {"input": numbered(1), "x": numbered(1)}):
        with pytest.raises(TypeError, match="one input"):
            ocr.predict(**arguments)


def test_parameters_without_their_names(pipeline, numbered):
    ocr, transport = pipeline()
    list(ocr.predict(numbered(0), False, None, True, 736, "max", 2000, 0.25, text_rec_score_thresh=0.5))
    assert json.loads(transport.sent[0].inputs["params"][0]) == {
        "use_doc_orientation_classify": False,
        "use_textline_orientation": True,
        "text_det_limit_side_len": 736,
        "text_det_limit_type": "max",
        "text_det_max_side_limit": 2000,
        "text_det_thresh": 0.25,
        "text_rec_score_thresh": 0.5,
    }
    list(ocr.predict(numbered(0), *[None] * 11))
    assert transport.sent[1].inputs["params"][0] == b"{}"
    with pytest.raises(TypeError, match="at most 11 parameters without a name; 12 were given"):
        ocr.predict(numbered(0), *[None] * 12)
    with pytest.raises(TypeError, match="use_doc_unwarping twice"):
        ocr.predict(numbered(0), False, False, use_doc_unwarping=False)
    with pytest.raises(TypeError):
        ocr.predict()


@pytest.mark.parametrize("name", PIPELINES)
def test_every_pipeline_has_an_order_of_parameters_that_it_knows(name):
    # One is there to keep the places of the others, and is refused.
    assert set(PIPELINES[name].positional) - set(PIPELINES[name].params.model_fields) <= {"layout_det_res"}
    assert len(set(PIPELINES[name].positional)) == len(PIPELINES[name].positional)


def test_parameters_travel_as_they_were_given(pipeline, numbered):
    ocr, transport = pipeline(timeout=9.0)
    list(ocr.predict(numbered(0), text_det_limit_side_len=np.int64(736), text_det_thresh=None, text_det_box_thresh=0))
    (request,) = transport.sent
    assert request.model == "ocr"
    assert json.loads(request.inputs["params"][0]) == {"text_det_limit_side_len": 736, "text_det_box_thresh": 0}
    assert request.timeout_s == pytest.approx(9.0, abs=1.0)
    assert "words" not in request.outputs
    list(ocr.predict(numbered(0)))
    assert transport.sent[1].inputs["params"][0] == b"{}"


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"text_det_tresh": 0.3}, "unknown parameter 'text_det_tresh'; allowed: .*text_det_thresh"),
        ({"unknown": None}, "unknown parameter 'unknown'"),
        ({"text_det_thresh": 1.5}, "text_det_thresh is 1.5"),
        ({"text_det_limit_side_len": "736"}, "text_det_limit_side_len is '736'"),
        ({"use_doc_unwarping": object()}, "plain values"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_is_sent(pipeline, numbered, params, says):
    ocr, transport = pipeline()
    with pytest.raises(InvalidParameterError, match=says):
        ocr.predict(numbered(0), **params)
    assert transport.sent == []


def test_retries_keep_the_request_id_and_end_in_time(pipeline, numbered, tensors):
    failures = [ServerBusyError("full"), ServerBusyError("full")]

    def answer(request):
        if failures:
            raise failures.pop()
        return tensors(["a"])

    ocr, transport = pipeline(answer, retry=RetryPolicy(first_wait_s=0.01))
    assert texts(ocr.predict(numbered(0))) == ["a"]
    assert len(transport.sent) == 3
    assert len({request.request_id for request in transport.sent}) == 1

    def busy(request):
        raise ServerBusyError("full")

    ocr, _ = pipeline(busy, retry=RetryPolicy(first_wait_s=0.05), timeout=0.3)
    started = time.monotonic()
    with pytest.raises(ServerBusyError):
        list(ocr.predict(numbered(0)))
    assert time.monotonic() - started < 1.0


def test_an_answer_that_does_not_fit(pipeline, numbered, tensors):
    ocr, _ = pipeline(lambda request: {**tensors(["a"]), "texts": np.array([b"a", b"b"], object)})
    with pytest.raises(ServerError, match="do not fit"):
        list(ocr.predict(numbered(0)))


def test_threads_may_share_a_pipeline(pipeline, numbered):
    ocr, _ = pipeline()
    found: dict[int, list[str]] = {}

    def read(start: int) -> None:
        found[start] = texts(ocr.predict([numbered(start + k) for k in range(10)]))

    threads = [threading.Thread(target=read, args=(start,)) for start in (0, 50, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {start: [str(start + k) for k in range(10)] for start in (0, 50, 100)}


def test_close_once_for_all(pipeline, numbered):
    released = []
    ocr, transport = pipeline(release=lambda: released.append(1))
    with ocr:
        results = ocr.predict([numbered(k) for k in range(20)])
        next(results)
    ocr.close()
    assert transport.closed
    assert released == [1]
    with pytest.raises(PipelineClosedError):
        ocr.predict(numbered(0))
    with pytest.raises(PipelineClosedError):
        list(results)


TIMEOUTS = (0, -1, math.inf, math.nan, MAX_TIMEOUT_S + 1, 1e10, 1e13, "5", True)
PAGES_IN_FLIGHT = (0, -1, MAX_PAGES_IN_FLIGHT + 1, 1.5, "2", None, True)


@pytest.mark.parametrize("create", [paddlex_triton.create_pipeline, paddlex_triton.create_async_pipeline])
@pytest.mark.parametrize(
    ("options", "says"),
    [({"timeout": value}, f"timeout is .*must be .*at most {MAX_TIMEOUT_S}") for value in TIMEOUTS]
    + [
        ({"max_in_flight": value}, f"max_in_flight is .*must be .*to {MAX_PAGES_IN_FLIGHT}")
        for value in PAGES_IN_FLIGHT
    ],
)
def test_options_that_make_no_sense(create, options, says):
    with pytest.raises(InvalidParameterError, match=says):
        create("OCR", url="localhost:1", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": MAX_TIMEOUT_S, "max_in_flight": MAX_PAGES_IN_FLIGHT},
        {"timeout": np.float32(0.5), "max_in_flight": np.int64(1)},
        {"timeout": 1},
        {"timeout": None},
    ],
)
def test_options_up_to_the_limits(options):
    paddlex_triton.create_pipeline("OCR", url="localhost:1", **options).close()


def test_what_the_server_decides_is_explained_in_one_warning():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ocr = paddlex_triton.create_pipeline(
            "OCR", None, "gpu:0", True, hpi_config={"a": 1}, enable_hpi=False, url="localhost:1"
        )
        ocr.close()
    (warning,) = caught
    for word in ("device='gpu:0'", "use_hpip=True", "hpi_config={'a': 1}", "enable_hpi=False", "server"):
        assert word in str(warning.message)
    assert warning.filename == __file__


def test_no_warning_without_a_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paddlex_triton.create_pipeline(pipeline="ocr", url="http://localhost:1").close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("table_recognition",), "unknown pipeline 'table_recognition'; known: OCR"),
        ((None,), "known: OCR"),
    ],
)
def test_pipelines_that_are_not_there(arguments, says):
    with pytest.raises(UnsupportedError, match=says):
        paddlex_triton.create_pipeline(*arguments, url="localhost:1")


def test_unknown_arguments_are_mistakes():
    with pytest.raises(TypeError):
        paddlex_triton.create_pipeline("OCR", ulr="localhost:1")  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize(("pages", "terminal", "shown"), [(1, True, False), (3, True, True), (3, False, False)])
def test_the_progress_bar_is_for_several_pages_on_a_terminal(
    pipeline, numbered, capsys, monkeypatch, pages, terminal, shown
):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    ocr, _ = pipeline(max_in_flight=1)
    list(ocr.predict([numbered(k) for k in range(pages)]))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert (f"/{pages}" in captured.err) is shown


def test_the_defaults_are_those_of_the_documentation():
    assert pipeline_module.DEFAULT_PAGES_IN_FLIGHT == 4
    assert isinstance(MockTransport(lambda request: {}).metadata(), dict)
