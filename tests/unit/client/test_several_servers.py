"""Requests over several servers: how they are spread, and what becomes of them when a server does not answer."""

import asyncio
import copy
import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from paddlex_triton.client import AsyncPipeline, Pipeline, create_pipeline, embedded
from paddlex_triton.client.exceptions import (
    DeadlineExceededError,
    InvalidImageError,
    InvalidParameterError,
    PaddleXTritonError,
    PipelineNotLoadedError,
    RequestCancelledError,
    ServerBusyError,
    ServerError,
    ServerUnavailableError,
)
from paddlex_triton.client.retry import NO_RETRIES
from paddlex_triton.client.transports import Endpoint, parse_endpoints, several
from paddlex_triton.client.transports.base import ThreadedTransport
from paddlex_triton.client.transports.mock import MockTransport
from paddlex_triton.client.transports.roster import FIRST_PAUSE_S, LONGEST_PAUSE_S, Roster
from paddlex_triton.client.transports.several import AsyncSeveralServers, SeveralServers
from paddlex_triton.pipelines import find_pipeline

ENDPOINTS = parse_endpoints(["a:1", "b:2", "c:3"])
AWAY = ServerUnavailableError("no server answers at grpc://a:1")


class Machine(MockTransport):
    """A server that answers with its name, or with an error; it says that it is ready when it is."""

    def __init__(self, name: str, error: PaddleXTritonError | None = None) -> None:
        super().__init__(self._work)
        self.name, self.error, self.ready, self.seconds = name, error, True, 0.0
        self.asked = 0

    def _work(self, request):
        time.sleep(self.seconds)
        if self.error is not None:
            raise copy.copy(self.error)
        return {"name": np.array([self.name.encode()], dtype=object)}

    def server_ready(self):
        return self.ready

    def model_ready(self, model):
        self.asked += 1
        return self.ready


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """The roster's clock, which stands still."""
    clock = Clock()
    monkeypatch.setattr(several, "Roster", lambda endpoints, transports: Roster(endpoints, transports, clock))
    return clock


Machines = list[Machine]
Infer = Callable[..., str]


@pytest.fixture(params=["blocking", "asyncio"])
def servers(request, clock):
    """Three servers, and a function that infers once and gives the name of who answered."""
    machines = [Machine(name) for name in "abc"]
    loop = asyncio.new_event_loop()
    given = {"request_id": "r", "outputs": ("name",)}
    if request.param == "blocking":
        transport = SeveralServers(ENDPOINTS, machines)

        def infer(timeout_s=None):
            return transport.infer("ocr", {}, timeout_s=timeout_s, **given)["name"][0].decode()
    else:
        asynchronous = AsyncSeveralServers(ENDPOINTS, [ThreadedTransport(machine) for machine in machines])

        async def once(timeout_s):
            tensors = await asynchronous.infer("ocr", {}, timeout_s=timeout_s, **given)
            # Servers that are asked answer meanwhile.
            await asyncio.gather(*asynchronous._asking)
            return tensors["name"][0].decode()

        def infer(timeout_s=None):
            return loop.run_until_complete(once(timeout_s))

    yield machines, infer
    loop.close()


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def names(infer: Infer, count: int) -> str:
    return "".join(infer() for _ in range(count))


def test_they_take_turns(servers):
    _, infer = servers
    assert names(infer, 7) == "abcabca"


def test_the_one_with_the_fewest_in_flight_is_next(clock):
    roster = Roster(ENDPOINTS, "abc", clock)
    taken = [next(roster.attempts(None)) for _ in range(5)]
    assert "".join(attempt.server.transport for attempt in taken) == "abcab"
    for attempt in (taken[1], taken[4]):
        with attempt:
            pass
    # b has none now, c one, a two.
    assert "".join(next(roster.attempts(None)).server.transport for _ in range(4)) == "bcba"
    assert [server.in_flight for server in roster.servers] == [3, 2, 2]


def test_threads_share_them_evenly(clock):
    machines = [Machine(name) for name in "abc"]
    transport = SeveralServers(ENDPOINTS, machines)
    for machine in machines:
        machine.seconds = 0.001

    def infer(_):
        return transport.infer("ocr", {}, ("name",), request_id="r", timeout_s=None)["name"][0]

    with ThreadPoolExecutor(6) as threads:
        counts = Counter(threads.map(infer, range(120)))
    assert min(counts.values()) >= 30
    assert [server.in_flight for server in transport._roster.get().servers] == [0, 0, 0]


@pytest.mark.parametrize(
    "error",
    [
        AWAY,
        PipelineNotLoadedError("Request for unknown model: 'ocr' is not found"),
        RequestCancelledError("CANCELLED"),
    ],
)
def test_one_that_does_not_answer_is_left_out_and_named(servers, caplog, error):
    machines, infer = servers
    machines[0].error = error
    assert names(infer, 6) == "bcbcbc"
    assert len(machines[0].sent) == 1
    assert [record.message for record in caplog.records] == [f"grpc://a:1 is left out: {error.message}"]


def test_it_is_asked_after_a_pause_and_used_again(servers, clock, caplog):
    machines, infer = servers
    caplog.set_level(logging.INFO)
    machines[0].error, machines[0].ready = AWAY, False
    pause = FIRST_PAUSE_S
    names(infer, 3)
    for failures in range(1, 12):
        assert machines[0].asked == failures - 1
        clock.now += pause * 0.99
        names(infer, 3)
        assert machines[0].asked == failures - 1
        clock.now += pause * 0.02
        names(infer, 3)
        wait_until(lambda failures=failures: machines[0].asked == failures)
        pause = min(pause * 2, LONGEST_PAUSE_S)
    assert pause == LONGEST_PAUSE_S
    # Nobody's request was spent on it meanwhile.
    assert len(machines[0].sent) == 1
    machines[0].error, machines[0].ready = None, True
    clock.now += LONGEST_PAUSE_S * 1.01
    names(infer, 3)
    wait_until(lambda: "is used again" in caplog.text)
    assert set(names(infer, 3)) == set("abc")


def test_one_that_says_it_is_ready_and_fails_is_left_out_for_longer_every_time(servers, clock, caplog):
    machines, infer = servers
    machines[0].error = AWAY
    names(infer, 3)
    for failures in range(2, 6):
        clock.now += FIRST_PAUSE_S * 2 ** (failures - 2) * 1.01
        names(infer, 3)
        wait_until(lambda failures=failures: caplog.text.count("used again") == failures - 1)
        assert set(names(infer, 4)) == set("bc")
        assert len(machines[0].sent) == failures
    # An answer makes it as good as the others.
    machines[0].error = None
    clock.now += LONGEST_PAUSE_S
    names(infer, 3)
    wait_until(lambda: caplog.text.count("used again") == 5)
    assert set(names(infer, 3)) == set("abc")
    machines[0].error = AWAY
    names(infer, 3)
    clock.now += FIRST_PAUSE_S * 1.01
    names(infer, 3)
    wait_until(lambda: caplog.text.count("used again") == 6)


def test_what_one_that_stops_still_answers_does_not_bring_it_back(clock):
    roster = Roster(ENDPOINTS, "abc", clock)
    earlier, _, _, later = (next(roster.attempts(None)) for _ in range(4))
    assert earlier.server is later.server
    with later:
        raise AWAY
    with earlier:
        pass
    assert [next(roster.attempts(None)).server.transport for _ in range(4)].count("a") == 0


def test_a_busy_one_is_not_left_out(servers, caplog):
    machines, infer = servers
    machines[0].error = ServerBusyError("Exceeds maximum queue size")
    assert "a" not in names(infer, 9)
    assert len(machines[0].sent) > 2
    assert not caplog.records


def test_what_every_server_would_say_is_said_by_one(servers):
    machines, infer = servers
    for machine in machines:
        machine.error = InvalidImageError("no image")
    with pytest.raises(InvalidImageError, match=r"^no image$"):
        infer()
    machines[1].error = ServerError("boom")
    with pytest.raises(ServerError, match=r"^boom$"):
        infer()
    assert [len(machine.sent) for machine in machines] == [1, 1, 0]


def test_all_are_tried_and_named_when_none_answers(servers):
    machines, infer = servers
    for machine in machines:
        machine.error = AWAY
    for _ in range(2):
        with pytest.raises(ServerUnavailableError) as refused:
            infer()
        # The second time all are left out, and tried all the same.
        assert set(refused.value.message.split("; ")) == {
            "no server answers at grpc://a:1",
            "grpc://b:2: no server answers at grpc://a:1",
            "grpc://c:3: no server answers at grpc://a:1",
        }
    machines[2].error = None
    assert infer() == "c"


def test_none_that_is_left_out_is_tried_where_others_are_busy(servers):
    machines, infer = servers
    machines[0].error = AWAY
    names(infer, 3)
    machines[1].error = machines[2].error = ServerBusyError("Exceeds maximum queue size")
    with pytest.raises(ServerBusyError, match=r"grpc://b:2: Exceeds .*; grpc://c:3: Exceeds|c:3: .*; grpc://b:2: "):
        infer()
    assert len(machines[0].sent) == 1


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ((AWAY, PipelineNotLoadedError("not found"), AWAY), ServerUnavailableError),
        ((PipelineNotLoadedError("not found"),) * 3, PipelineNotLoadedError),
        ((AWAY, ServerBusyError("full"), AWAY), ServerBusyError),
    ],
)
def test_the_kind_of_error_is_the_one_that_is_worth_most_patience(servers, errors, kind):
    machines, infer = servers
    for machine, error in zip(machines, errors, strict=True):
        machine.error = error
    with pytest.raises(kind):
        infer()


def test_tries_share_one_deadline(servers, clock):
    machines, infer = servers

    def slow(machine):
        def work(request):
            clock.now += 4
            raise AWAY

        return work

    for machine in machines:
        machine._answer = slow(machine)
    with pytest.raises(DeadlineExceededError, match="within 7 s"):
        infer(timeout_s=7)
    sent = [sent.timeout_s for machine in machines for sent in machine.sent]
    assert sent == [7, 3]


def test_one_that_hangs_costs_a_timeout_once(servers):
    machines, infer = servers
    machines[0].error = DeadlineExceededError("no answer within the timeout")
    with pytest.raises(DeadlineExceededError):
        infer()
    assert set(names(infer, 6)) == set("bc")


def test_health_is_that_of_any(servers):
    machines, _ = servers

    async def ready():
        transport = AsyncSeveralServers(ENDPOINTS, [ThreadedTransport(machine) for machine in machines])
        return await transport.server_ready(), await transport.model_ready("ocr"), await transport.metadata()

    blocking = SeveralServers(ENDPOINTS, machines)
    for a, b, c in itertools.product((True, False), repeat=3):
        for machine, state in zip(machines, (a, b, c), strict=True):
            machine.ready = state
        assert blocking.server_ready() is blocking.model_ready("ocr") is (a or b or c)
        assert asyncio.run(ready()) == (a or b or c, a or b or c, {"name": "mock"})
    assert blocking.metadata() == {"name": "mock"}
    blocking.close()
    assert all(machine.closed for machine in machines)


def test_a_slow_server_does_not_hold_up_the_health_of_another(monkeypatch):
    machines = [Machine("a"), Machine("b")]
    hangs = threading.Event()
    monkeypatch.setattr(machines[0], "server_ready", lambda: hangs.wait(10))

    async def ready():
        transport = AsyncSeveralServers(ENDPOINTS[:2], [ThreadedTransport(machine) for machine in machines])
        answer = await transport.server_ready()
        seconds = time.monotonic() - began
        hangs.set()
        return answer, seconds

    began = time.monotonic()
    answer, seconds = asyncio.run(ready())
    assert answer
    assert seconds < 5


def test_pages_of_a_pipeline_survive_a_server(tensors, numbered):
    """One server stops in the middle; no page fails, without any retry of the pipeline's own."""
    machines = [Machine("a"), Machine("b")]
    for machine in machines:
        machine._answer = lambda request: tensors(["x"])
    transport = SeveralServers(ENDPOINTS[:2], machines)

    def stopping(request):
        time.sleep(0.01)
        raise AWAY

    with Pipeline(find_pipeline("OCR"), transport, retry=NO_RETRIES, max_in_flight=4) as pipeline:
        results = []
        for result in pipeline.predict(numbered(index) for index in range(40)):
            results.append(result)
            if len(results) == 10:
                machines[0]._answer = stopping
        assert len(results) == 40

    async def run():
        servers = AsyncSeveralServers(ENDPOINTS[:2], [ThreadedTransport(machine) for machine in machines])
        async with AsyncPipeline(
            find_pipeline("OCR"), lambda: (lambda: servers, lambda: None), retry=NO_RETRIES
        ) as ocr:
            return [result async for result in ocr.predict([numbered(1)] * 20)]

    assert len(asyncio.run(run())) == 20


def test_endpoints():
    assert parse_endpoints("a") == (Endpoint("grpc", "a", 8001),)
    assert [str(each) for each in parse_endpoints(["a", "http://b:1"])] == ["grpc://a:8001", "http://b:1"]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ([], "must be the address of a server or a list"),
        (["a", 1], "must be the address of a server or a list"),
        (["a", "b", "grpc://a:8001"], "url names grpc://a:8001 twice"),
        (["a", "ftp://b"], "unknown scheme 'ftp'"),
    ],
)
def test_endpoints_that_are_refused(url, says):
    with pytest.raises(InvalidParameterError, match=says):
        create_pipeline("OCR", url=url)


def test_several_must_serve_the_pipeline(monkeypatch):
    machines = {str(endpoint): Machine(str(endpoint)) for endpoint in ENDPOINTS}
    monkeypatch.setattr(embedded, "open_transport", lambda endpoint: machines[str(endpoint)])
    urls = list(machines)
    # One that is not ready may become so.
    machines[urls[0]].ready = False
    create_pipeline("OCR", url=urls).close()
    for url in urls[1:]:
        monkeypatch.setattr(machines[url], "model_ready", lambda model: False)
    with pytest.raises(PipelineNotLoadedError, match="grpc://b:2, grpc://c:3 do not serve OCR; all servers"):
        create_pipeline("OCR", url=urls)
    with pytest.raises(PipelineNotLoadedError, match=r"^grpc://b:2 does not serve OCR"):
        create_pipeline("OCR", url=urls[:2])
