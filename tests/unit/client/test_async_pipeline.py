"""The asyncio twin."""

import asyncio
import json
import threading
import time

import pytest

import paddlex_triton
from paddlex_triton.client import AsyncPipeline, RetryPolicy
from paddlex_triton.client.exceptions import (
    InputError,
    InvalidImageError,
    InvalidParameterError,
    PipelineClosedError,
    ServerBusyError,
)
from paddlex_triton.client.transports.mock import AsyncMockTransport
from paddlex_triton.pipelines import find_pipeline


@pytest.fixture
def make():
    def make_pipeline(answer, **options):
        transport = AsyncMockTransport(answer)
        released = []
        ocr = AsyncPipeline(find_pipeline("OCR"), lambda: (lambda: transport, lambda: released.append(1)), **options)
        return ocr, transport, released

    return make_pipeline


@pytest.fixture
def echo(tensors, number):
    return lambda request: tensors([str(number(request))])


@pytest.mark.parametrize("count", [0, 1, 9])
async def test_results_come_in_order(make, echo, numbered, count):
    def answer(request):
        result = echo(request)
        time.sleep(0.02 if result["texts"][0] == b"0" else 0.0)
        return result

    ocr, transport, released = make(answer)
    async with ocr:
        found = [result["rec_texts"][0] async for result in ocr.predict([numbered(k) for k in range(count)])]
    assert found == [str(k) for k in range(count)]
    assert transport.closed
    assert released == [1]


async def test_errors_come_in_their_place(make, echo, numbered, tmp_path):
    ocr, _, _ = make(echo)
    found = []
    with pytest.raises(InputError, match=r"none\.png"):
        async for result in ocr.predict([numbered(0), numbered(1), str(tmp_path / "none.png")]):
            found.append(result["rec_texts"][0])
    assert found == ["0", "1"]

    def refuse(request):
        raise InvalidImageError("no")

    ocr, _, _ = make(refuse)
    with pytest.raises(InvalidImageError):
        async for _ in ocr.predict(x=[numbered(0)] * 3):
            pass


async def test_parameters_are_checked_at_once(make, echo, numbered):
    ocr, _, _ = make(echo)
    with pytest.raises(InvalidParameterError):
        ocr.predict(numbered(0), nonsense=1)


async def test_leaving_early_cancels_the_rest(make, echo, numbered):
    started = threading.Semaphore(0)

    def answer(request):
        started.release()
        return echo(request)

    ocr, transport, _ = make(answer, max_in_flight=2)
    results = ocr.predict([numbered(k) for k in range(30)])
    async for _ in results:
        break
    await results.aclose()
    assert len(transport.sent) <= 4
    assert len(asyncio.all_tasks()) == 1


async def test_retries(make, tensors, numbered):
    failures = [ServerBusyError("full")]

    def answer(request):
        if failures:
            raise failures.pop()
        return tensors(["a"])

    ocr, transport, _ = make(answer, retry=RetryPolicy(first_wait_s=0.01))
    assert [result["rec_texts"] async for result in ocr.predict(numbered(0))] == [["a"]]
    assert len(transport.sent) == 2


async def test_a_closed_pipeline(make, echo, numbered):
    ocr, _, _ = make(echo)
    results = ocr.predict(numbered(0))
    await ocr.close()
    await ocr.close()
    with pytest.raises(PipelineClosedError):
        ocr.predict(numbered(0))
    with pytest.raises(PipelineClosedError):
        await anext(results)


class Waiting(AsyncMockTransport):
    """Never answers; closing cancels the tasks of its requests, as gRPC does."""

    def __init__(self):
        super().__init__(lambda request: {})
        self.tasks = []

    async def infer(self, *arguments, **keywords):
        self.tasks.append(asyncio.current_task())
        await asyncio.Event().wait()
        return {}

    async def close(self):
        for task in self.tasks:
            task.cancel()


@pytest.fixture
def consuming(numbered):
    """A task that waits for a result of a pipeline, the pipeline and its transport."""

    async def start():
        transport = Waiting()
        ocr = AsyncPipeline(find_pipeline("OCR"), lambda: (lambda: transport, lambda: None))

        async def consume():
            return [result async for result in ocr.predict([numbered(0), numbered(1)])]

        task = asyncio.create_task(consume())
        while len(transport.tasks) < 2:
            await asyncio.sleep(0.001)
        return task, ocr, transport

    return start


async def test_closing_while_a_result_is_waited_for(consuming):
    task, ocr, _ = await consuming()
    await ocr.close()
    with pytest.raises(PipelineClosedError):
        await task


@pytest.mark.parametrize("closed", [False, True])
async def test_the_caller_s_cancellation_stays_one(consuming, closed):
    task, ocr, transport = await consuming()
    task.cancel()
    if closed:
        await ocr.close()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all(sent.cancelled() for sent in transport.tasks)
    await ocr.close()


async def test_closing_between_results(make, echo, numbered):
    ocr, transport, _ = make(echo, max_in_flight=1)
    results = ocr.predict([numbered(0), numbered(1)])
    await anext(results)
    await ocr.close()
    with pytest.raises(PipelineClosedError):
        await anext(results)
    assert len(transport.sent) == 1


async def test_closing_while_the_server_is_looked_for(echo, numbered):
    started, go_on, released = threading.Event(), threading.Event(), []
    transport = AsyncMockTransport(echo)

    def open_server():
        started.set()
        go_on.wait(10)
        return lambda: transport, lambda: released.append(1)

    ocr = AsyncPipeline(find_pipeline("OCR"), open_server)

    async def consume():
        return [result async for result in ocr.predict(numbered(0))]

    waiting = asyncio.create_task(consume())
    await asyncio.to_thread(started.wait, 10)
    closing = asyncio.create_task(ocr.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    with pytest.raises(PipelineClosedError):
        await waiting
    assert (transport.closed, released) == (True, [1])


async def test_parameters_without_their_names(make, echo, numbered):
    ocr, transport, _ = make(echo)
    async for _ in ocr.predict(numbered(0), False, False):
        pass
    sent = json.loads(transport.sent[0].inputs["params"][0])
    assert sent == {"use_doc_orientation_classify": False, "use_doc_unwarping": False}
    with pytest.raises(TypeError, match="12 were given"):
        ocr.predict(numbered(0), *[None] * 12)


def test_it_is_made_outside_of_a_loop_with_the_same_warning():
    with pytest.warns(UserWarning, match="device='cpu'"):
        ocr = paddlex_triton.create_async_pipeline("OCR", device="cpu", url="localhost:1")
    assert ocr.name == "OCR"
