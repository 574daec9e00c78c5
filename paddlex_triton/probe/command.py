"""The command line of the check."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TextIO
from urllib.parse import SplitResult, urlsplit

from paddlex_triton.probe.check import Sick, check

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_TIMEOUT_S = 5.0
_MAX_PAGES = 64
_URL_VARIABLE = "PADDLEX_TRITON_PROBE_URL"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a server and say in one line what was seen.

    Args:
        arguments: of the command line; those of this process if None.

    Returns:
        The exit status: 0 for a server that is well, or busy; 1 for any other.
    """
    given = _parser().parse_args(arguments)
    try:
        with _within(given.timeout):
            text = check(given.url, given.timeout, given.pages)
    except Sick as error:
        return _say(f"sick: {error}", sys.stderr, 1)
    return 0 if given.quiet else _say(text, sys.stdout, 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="paddlex-triton probe",
        description="Check a running server with a tiny page through each pipeline: exit status 0 if it is well or "
        "busy, 1 if not. On the server's own machine the processes of its models are looked at too.",
    )
    parser.add_argument(
        "url",
        nargs="?",
        type=_url,
        default=os.environ.get(_URL_VARIABLE) or DEFAULT_URL,
        help=f"Triton's HTTP endpoint, {DEFAULT_URL} or what {_URL_VARIABLE} says",
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=DEFAULT_TIMEOUT_S, help="seconds that it may take (%(default)g)"
    )
    parser.add_argument(
        "--pages",
        type=_pages,
        default=1,
        help="tiny pages at once for each pipeline (1); from another machine as many as a model has processes, so that "
        "each gets one",
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing of a server that is well")
    return parser


def _url(text: str) -> SplitResult:
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        usable, url = False, None
    if not usable or url is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no URL of Triton's HTTP endpoint, such as {DEFAULT_URL}")
    return url


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.05 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}; a number from 0.05 to 3600 is allowed")
    return value


def _pages(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_PAGES:
        raise argparse.ArgumentTypeError(f"{text!r}; a whole number from 1 to {_MAX_PAGES} is allowed")
    return int(text)


@contextmanager
def _within(timeout_s: float) -> Iterator[None]:
    """End what takes longer: a name that is not resolved, an answer that comes byte by byte."""

    def end(signum: int, frame: FrameType | None) -> None:
        raise Sick(f"it took longer than {timeout_s:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, timeout_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _say(text: str, stream: TextIO, status: int) -> int:
    print(text, file=stream)
    return status
