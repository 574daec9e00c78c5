"""Pipelines in forked processes, under several event loops, left half way: they answer, and nothing hangs."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from ensemble_answers import make_tensors
from small_triton import serve

from paddlex_triton.client import create_async_pipeline, create_pipeline, embedded
from paddlex_triton.client.exceptions import PipelineClosedError
from paddlex_triton.client.processes import PerProcess
from paddlex_triton.server.host.launcher import EmbeddedServer

PAGE = np.full((8, 8, 3), 255, np.uint8)
PROTOCOLS = pytest.mark.parametrize("protocol", ["grpc", "http"])
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
SLOW_S = 1.5


@pytest.fixture
def url(protocol) -> Iterator[str]:
    """A server that answers "read" at once."""
    with serve(protocol, lambda: make_tensors(["read"])) as url:
        yield url


@pytest.fixture
def slow_url(protocol) -> Iterator[str]:
    """A server that takes its time."""

    def answer():
        time.sleep(SLOW_S)
        return make_tensors(["read"])

    with serve(protocol, answer) as url:
        yield url


def run(code: str, *arguments: str, limit_s: float = 30) -> str:
    """Run a program by itself, since what it does to its process is its own; return what it prints."""
    start = """
        import asyncio, multiprocessing, os, sys, threading, time, warnings
        import numpy as np
        from paddlex_triton.client import create_async_pipeline, create_pipeline
        from paddlex_triton.client.exceptions import PaddleXTritonError

        warnings.simplefilter("ignore", DeprecationWarning)
        PAGE = np.full((8, 8, 3), 255, np.uint8)

        def texts(results):
            return [result["rec_texts"] for result in results]

        async def texts_async(results):
            return [result["rec_texts"] async for result in results]

        def in_child(work):
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                print("child", work(), flush=True)
                sys.exit()
            assert os.waitpid(child, 0)[1] == 0
    """
    program = textwrap.dedent(start) + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=limit_s, check=False
    )
    assert done.returncode == 0, done.stderr
    # gRPC's own remark when a process is forked while it works.
    assert [line for line in done.stderr.splitlines() if "fork_posix.cc" not in line] == []
    return done.stdout


@FORKS
@PROTOCOLS
@pytest.mark.parametrize("used", [True, False])
def test_a_forked_process_answers(url, used):
    code = """
        ocr = create_pipeline("OCR", url=sys.argv[1], timeout=10)
        if sys.argv[2] == "True":
            list(ocr.predict([PAGE] * 6))

        def work():
            found = texts(ocr.predict([PAGE] * 6))
            ocr.close()
            return found

        in_child(work)
        in_child(lambda: texts(ocr.predict(PAGE)))
        print("parent", texts(ocr.predict([PAGE] * 2)))
        ocr.close()
    """
    assert run(code, url, str(used)).splitlines() == [
        f"child {[['read']] * 6}",
        "child [['read']]",
        f"parent {[['read']] * 2}",
    ]


@FORKS
@PROTOCOLS
def test_a_pool_of_forked_processes(url):
    code = """
        ocr = create_pipeline("OCR", url=sys.argv[1], timeout=10)
        list(ocr.predict(PAGE))

        def read(number):
            return texts(ocr.predict([PAGE] * 2))

        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(read, range(4)))
    """
    assert run(code, url).strip() == str([[["read"]] * 2] * 4)


@FORKS
@PROTOCOLS
def test_a_process_that_is_forked_while_pages_are_on_their_way(slow_url):
    code = """
        ocr = create_pipeline("OCR", url=sys.argv[1], timeout=10)
        results = ocr.predict([PAGE] * 8)
        next(results)

        def rest():
            try:
                return texts(results)
            except PaddleXTritonError as error:
                return error

        in_child(rest)
        in_child(lambda: texts(ocr.predict(PAGE)))
        print(len(list(results)))
    """
    assert run(code, slow_url).splitlines() == [
        "child these results are the parent process's; call predict again in this one",
        "child [['read']]",
        "7",
    ]


@FORKS
@PROTOCOLS
def test_a_forked_process_answers_on_asyncio(url):
    code = """
        ocr = create_async_pipeline("OCR", url=sys.argv[1], timeout=10)
        read = lambda: asyncio.run(texts_async(ocr.predict([PAGE] * 2)))
        print(read())
        in_child(read)
        print(read())
    """
    answer = str([["read"]] * 2)
    assert run(code, url).splitlines() == [answer, f"child {answer}", answer]


@FORKS
def test_a_pdf_in_a_process_that_is_forked_while_another_thread_renders(tmp_path):
    code = """
        import pypdfium2
        from paddlex_triton.client import documents
        from paddlex_triton.client.inputs import PageReader

        document = pypdfium2.PdfDocument.new()
        document.new_page(20, 20)
        document.save(sys.argv[1])

        def hold():
            with documents._PDFIUM:
                holding.set()
                time.sleep(0.5)

        holding = threading.Event()
        threading.Thread(target=hold).start()
        holding.wait()
        in_child(lambda: len(list(PageReader(sys.argv[1]))))
    """
    assert run(code, str(tmp_path / "a.pdf")) == "child 1\n"


@PROTOCOLS
def test_event_loops_one_after_the_other(url):
    async def read():
        return [result["rec_texts"] async for result in ocr.predict([PAGE] * 3)]

    async def read_and_close():
        async with ocr:
            return await read()

    ocr = create_async_pipeline("OCR", url=url, timeout=10)
    assert [asyncio.run(read()) for _ in range(3)] == [[["read"]] * 3] * 3
    assert asyncio.run(read_and_close()) == [["read"]] * 3
    with pytest.raises(PipelineClosedError):
        asyncio.run(read())


@PROTOCOLS
def test_event_loops_at_the_same_time(slow_url):
    async def read():
        return [result["rec_texts"] async for result in ocr.predict([PAGE] * 2)]

    ocr = create_async_pipeline("OCR", url=slow_url, timeout=10)
    found = []
    threads = [threading.Thread(target=lambda: found.append(asyncio.run(read()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [[["read"]] * 2] * 2


@PROTOCOLS
def test_of_two_pipelines_on_one_url_one_is_closed(slow_url):
    first, second = (create_pipeline("OCR", url=slow_url, timeout=10) for _ in range(2))
    with second:
        results = second.predict([PAGE] * 6)
        next(results)
        with first:
            next(first.predict(PAGE))
        assert len(list(results)) == 5


@PROTOCOLS
async def test_of_two_pipelines_on_one_url_one_is_closed_on_asyncio(slow_url):
    first, second = (create_async_pipeline("OCR", url=slow_url, timeout=10) for _ in range(2))
    async with second:
        results = aiter(second.predict([PAGE] * 6))
        await anext(results)
        async with first:
            await anext(aiter(first.predict(PAGE)))
        assert len([result async for result in results]) == 5


@PROTOCOLS
def test_iterators_left_half_way(url):
    with create_pipeline("OCR", url=url, timeout=10, max_in_flight=2) as ocr:
        left = [ocr.predict([PAGE] * 50) for _ in range(5)]
        for results in left:
            next(results)
        assert len(list(ocr.predict([PAGE] * 5))) == 5


@PROTOCOLS
@pytest.mark.parametrize("is_async", [False, True])
def test_a_program_that_ends_with_pages_on_their_way(slow_url, is_async):
    blocking = """
        ocr = create_pipeline("OCR", url=sys.argv[1], timeout=20)
        results = ocr.predict([PAGE] * 50)
        next(results)
    """
    asynchronous = """
        async def read():
            async for _ in create_async_pipeline("OCR", url=sys.argv[1], timeout=20).predict([PAGE] * 50):
                break

        asyncio.run(read())
    """
    started = time.monotonic()
    assert run(asynchronous if is_async else blocking, slow_url) == ""
    # Two rounds of answers at most, and the start of Python.
    assert time.monotonic() - started < 2 * SLOW_S + 8


@FORKS
def test_a_forked_process_leaves_its_parents_server_alone(tmp_path):
    class Server:
        stopped = False

        def stop(self):
            self.stopped = True

    running = embedded._Running(Server(), tmp_path / "log", process=os.getppid())  # pyright: ignore[reportArgumentType]
    running.folder.mkdir()
    embedded._stop(running)
    assert running.folder.is_dir()
    assert not running.server.stopped  # pyright: ignore[reportAttributeAccessIssue]
    server = EmbeddedServer(["OCR"])
    server._runtime = runtime = tmp_path / "runtime"
    runtime.mkdir()
    server._owner = os.getppid()
    server.stop()
    assert runtime.is_dir()


def test_threads_of_a_new_process_share_what_is_made_there(monkeypatch):
    things = PerProcess(object)
    parents = things.get()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert things.made() is None
    found = []
    threads = [threading.Thread(target=lambda: found.append(things.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert found[0] is things.made()
    assert found[0] is not parents
