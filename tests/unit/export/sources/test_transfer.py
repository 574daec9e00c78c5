"""Downloads over HTTP, from a server that breaks off, stalls, refuses and changes its files."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import pytest
from hub_server import NOBODY, Fault, HubServer

from paddlex_triton.export.errors import SourceError, Unreachable
from paddlex_triton.export.limits import MAX_FETCHED_BYTES
from paddlex_triton.export.sources.transfer import NotThere, Patience, download

CONTENT = bytes(range(256)) * 1000
FILE = "/net.tar"


@pytest.fixture
def hub():
    with HubServer().running() as server:
        server.files[FILE] = CONTENT
        yield server


class Fetch:
    """Downloads a hub's file without pauses, and keeps what was said and slept."""

    def __init__(self, hub: HubServer, path: Path) -> None:
        self.hub, self.path = hub, path
        self.said: list[tuple[int, int | None]] = []
        self.slept: list[float] = []

    def __call__(
        self, file: str = FILE, *, url: str | None = None, max_bytes: int = MAX_FETCHED_BYTES, **patience: Any
    ) -> str:
        return download(
            url or self.hub.url + file,
            self.path,
            progress=lambda there, size: self.said.append((there, size)),
            max_bytes=max_bytes,
            patience=Patience(**{"connect_s": 2.0, "read_s": 2.0, "attempts": 3, **patience}),
            sleep=self.slept.append,
        )


@pytest.fixture
def fetch(hub, tmp_path):
    return Fetch(hub, tmp_path / "net.part")


def assert_whole(fetch, digest: str, content: bytes = CONTENT) -> None:
    assert fetch.path.read_bytes() == content
    assert digest == hashlib.sha256(content).hexdigest()


def test_whole_file(hub, fetch):
    assert_whole(fetch, fetch())
    assert [asked.range for asked in hub.asked] == [None]
    there = [there for there, _ in fetch.said]
    assert there == sorted(there)
    assert fetch.said[-1] == (len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("content", [b"", b"x"])
def test_small_files(hub, fetch, content):
    hub.files[FILE] = content
    assert_whole(fetch, fetch(), content)


def test_broken_off_and_continued_at_once(hub, fetch):
    hub.faults[FILE] = [Fault(breaks_after=100_000)]
    assert_whole(fetch, fetch())
    tag = f'"{hashlib.sha256(CONTENT).hexdigest()[:16]}"'
    assert [(asked.range, asked.if_range) for asked in hub.asked] == [(None, None), ("bytes=100000-", tag)]
    assert len(fetch.slept) == 1


def test_broken_off_and_continued_by_the_next_run(hub, fetch):
    hub.faults[FILE] = [Fault(breaks_after=70_000), Fault(breaks_after=0)]
    with pytest.raises(SourceError, match=r"net.tar: .* \(1 tries in a row\)"):
        fetch(attempts=1)
    assert fetch.path.stat().st_size == 70_000
    assert_whole(fetch, fetch())
    assert [asked.range for asked in hub.asked] == [None, "bytes=70000-", "bytes=70000-"]


def test_what_is_whole_is_not_asked_for_again(hub, fetch):
    assert fetch() == fetch()
    assert len(hub.asked) == 1


def test_tries_that_bring_bytes_do_not_count(hub, fetch):
    hub.faults[FILE] = [Fault(breaks_after=1000) for _ in range(10)]
    assert_whole(fetch, fetch(attempts=2))
    assert len(hub.asked) == 11


def test_server_without_parts(hub, fetch):
    hub.takes_ranges = False
    hub.faults[FILE] = [Fault(breaks_after=100_000)]
    assert_whole(fetch, fetch())
    assert [asked.range for asked in hub.asked] == [None, "bytes=100000-"]


def test_file_that_changed_is_fetched_anew(hub, fetch):
    hub.faults[FILE] = [Fault(breaks_after=100_000), Fault(status=500)]
    with pytest.raises(SourceError):
        fetch(attempts=1)
    hub.files[FILE] = other = CONTENT[::-1]
    assert_whole(fetch, fetch(), other)
    assert hub.asked[-1].range == "bytes=100000-"


@pytest.mark.parametrize(
    ("validators", "continued"), [(("ETag",), True), (("W/",), False), (("W/", "Last-Modified"), True), ((), False)]
)
def test_only_what_tells_versions_apart_lets_a_part_be_continued(hub, fetch, validators, continued):
    hub.validators = validators
    hub.faults[FILE] = [Fault(breaks_after=100_000)]
    assert_whole(fetch, fetch())
    assert (hub.asked[1].range is not None) == continued


def test_part_of_another_address_is_not_continued(hub, fetch):
    hub.files["/other.tar"] = CONTENT
    hub.faults[FILE] = [Fault(breaks_after=100_000), Fault(status=500)]
    with pytest.raises(SourceError):
        fetch(attempts=1)
    assert_whole(fetch, fetch("/other.tar"))
    assert hub.asked[-1].range is None


@pytest.mark.parametrize(
    "answer",
    [
        Fault(status=416),
        Fault(status=206, headers={"Content-Range": f"bytes 5-9/{len(CONTENT)}"}, body=b"wrong"),
        Fault(status=206, headers={"Content-Range": "bytes 100000-100004/100005"}, body=b"wrong"),
        Fault(status=206, body=b"wrong"),
    ],
    ids=["416", "another start", "another size", "no range"],
)
def test_wrong_parts_are_thrown_away(hub, fetch, answer):
    hub.faults[FILE] = [Fault(breaks_after=100_000), answer]
    assert_whole(fetch, fetch())
    assert [asked.range for asked in hub.asked] == [None, "bytes=100000-", None]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_busy_then_there(hub, fetch, status):
    hub.faults[FILE] = [Fault(status=status)] * 2
    assert_whole(fetch, fetch())
    assert (len(hub.asked), len(fetch.slept)) == (3, 2)


def test_busy_for_ever(hub, fetch):
    hub.faults[FILE] = [Fault(status=503)] * 9
    with pytest.raises(SourceError, match=r"net.tar: 503 Service Unavailable \(3 tries in a row\)"):
        fetch()
    assert len(hub.asked) == 3


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_not_there_is_final(hub, fetch, status):
    hub.faults[FILE] = [Fault(status=status)]
    with pytest.raises(NotThere, match=f"net.tar: {status}"):
        fetch()
    assert (len(hub.asked), fetch.slept) == (1, [])


def test_refused_request_is_final(hub, fetch):
    hub.faults[FILE] = [Fault(status=400)]
    with pytest.raises(SourceError, match=r"net.tar: 400 Bad Request"):
        fetch()
    assert len(hub.asked) == 1


def test_nobody_there_is_said_at_once(fetch):
    started = time.monotonic()
    with pytest.raises(Unreachable, match=r"127.0.0.1:1/net.tar: .*refused"):
        fetch(url=f"{NOBODY}{FILE}")
    assert (time.monotonic() - started < 1.5, fetch.slept) == (True, [])


def test_server_that_says_nothing(hub, fetch):
    hub.faults[FILE] = [Fault(silent_s=30)]
    started = time.monotonic()
    assert_whole(fetch, fetch(read_s=0.2))
    assert (time.monotonic() - started < 5, len(hub.asked)) == (True, 2)


def test_server_that_stops_saying_anything(hub, fetch):
    hub.chunk, hub.pause_s = 200_000, 30
    hub.faults[FILE] = [Fault(), Fault(silent_s=30)]
    with pytest.raises(SourceError, match=r"timed out|ReadTimeout"):
        fetch(read_s=0.2, attempts=1)
    assert fetch.path.stat().st_size == 200_000


def test_largest_file(fetch):
    assert_whole(fetch, fetch(max_bytes=len(CONTENT)))


@pytest.mark.parametrize("length", [str(len(CONTENT)), None])
def test_too_large_file(hub, fetch, length):
    hub.faults[FILE] = [Fault(headers={"Content-Length": length})]
    with pytest.raises(SourceError, match=rf"{len(CONTENT) - 1} (bytes \(MAX|are fetched \(MAX)_FETCHED_BYTES\)"):
        fetch(max_bytes=len(CONTENT) - 1)
    assert not fetch.path.exists()


def test_file_of_unknown_size(hub, fetch):
    hub.faults[FILE] = [Fault(headers={"Content-Length": None})]
    assert_whole(fetch, fetch())
    assert fetch.said[-1] == (len(CONTENT), None)


def test_packed_answer_is_refused(hub, fetch):
    hub.faults[FILE] = [Fault(headers={"Content-Encoding": "gzip"})]
    with pytest.raises(SourceError, match="comes as gzip, which was not asked for"):
        fetch()


def test_redirects_are_followed_but_not_for_ever(hub, fetch):
    hub.faults["/moved"] = [Fault(status=302, headers={"Location": FILE})]
    assert_whole(fetch, fetch("/moved"))
    fetch.path.unlink()
    hub.faults["/round"] = [Fault(status=302, headers={"Location": "/round"})] * 9
    with pytest.raises(SourceError, match=r"/round: .*redirects"):
        fetch("/round")
    assert hub.paths_asked().count("/round") == 6


@pytest.mark.parametrize("url", ["http://", "http://[", "ftp://127.0.0.1/net.tar"])
def test_addresses_that_are_none(fetch, url):
    with pytest.raises(SourceError):
        fetch(url=url)
