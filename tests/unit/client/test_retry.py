"""When it is tried again, and when not."""

import pytest

from paddlex_triton.client.exceptions import (
    DeadlineExceededError,
    InvalidImageError,
    PipelineNotLoadedError,
    RequestCancelledError,
    ServerBusyError,
    ServerError,
    ServerUnavailableError,
)
from paddlex_triton.client.retry import Deadline, RetryPolicy, call_with_retries, call_with_retries_async

POLICY = RetryPolicy(attempts=4, busy_attempts=6, first_wait_s=1.0, longest_wait_s=8.0)


class Clock:
    """Time that passes only in pauses and calls."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)


class Calls:
    """Fails as told, then succeeds; notes how much time it was given."""

    def __init__(self, *errors: Exception) -> None:
        self.errors: list[Exception] = [*errors]
        self.timeouts: list[float | None] = []

    def __call__(self, timeout_s: float | None) -> str:
        self.timeouts.append(timeout_s)
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def run(calls: Calls, clock: Clock, timeout_s: float | None = None) -> str:
    return call_with_retries(calls, POLICY, Deadline(timeout_s, clock=lambda: clock.now), clock.sleep)


@pytest.mark.parametrize("kind", [ServerBusyError, ServerUnavailableError])
@pytest.mark.parametrize("failures", [0, 1, 3])
def test_unavailable_is_tried_again(kind, failures):
    clock, calls = Clock(), Calls(*[kind("later")] * failures)
    assert run(calls, clock) == "done"
    assert len(clock.pauses) == failures
    assert all(0 <= pause <= 1.0 * 2**index for index, pause in enumerate(clock.pauses))


@pytest.mark.parametrize(
    "kind",
    [DeadlineExceededError, RequestCancelledError, InvalidImageError, PipelineNotLoadedError, ServerError, KeyError],
)
def test_everything_else_is_final(kind):
    clock, calls = Clock(), Calls(kind("no"))
    with pytest.raises(kind):
        run(calls, clock)
    assert clock.pauses == []


@pytest.mark.parametrize(("kind", "attempts"), [(ServerUnavailableError, 4), (ServerBusyError, 6)])
def test_attempts_are_limited(kind, attempts):
    calls = Calls(*[kind("later")] * 10)
    with pytest.raises(kind):
        run(calls, Clock())
    assert len(calls.timeouts) == attempts


def test_never_past_the_deadline():
    for _ in range(50):
        clock, calls = Clock(), Calls(*[ServerBusyError("later")] * 10)
        with pytest.raises(ServerBusyError):
            run(calls, clock, timeout_s=3.0)
        assert clock.now < 103.0


def test_each_try_gets_what_is_left():
    clock, calls = Clock(), Calls(*[ServerBusyError("later")] * 2)
    run(calls, clock, timeout_s=60.0)
    assert calls.timeouts == pytest.approx([60.0, 60.0 - clock.pauses[0], 60.0 - sum(clock.pauses)])


def test_a_deadline_that_has_passed():
    now = 0.0
    deadline = Deadline(2.0, clock=lambda: now)
    now = 2.0
    with pytest.raises(DeadlineExceededError, match="no answer within 2 s"):
        deadline.remaining_s()
    assert Deadline(None).remaining_s() is None


async def test_the_asyncio_twin():
    clock, calls = Clock(), Calls(ServerBusyError("later"), ServerUnavailableError("later"))

    async def call(timeout_s: float | None) -> str:
        return calls(timeout_s)

    deadline = Deadline(60.0, clock=lambda: clock.now)
    assert await call_with_retries_async(call, POLICY, deadline, clock.async_sleep) == "done"
    assert len(clock.pauses) == 2
    calls.errors.append(DeadlineExceededError("no"))
    with pytest.raises(DeadlineExceededError):
        await call_with_retries_async(call, POLICY, deadline, clock.async_sleep)
