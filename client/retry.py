"""Trying again: only where it helps, and never past the caller's deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    wait_random_exponential,
)

from paddlex_triton.client.exceptions import DeadlineExceededError, ServerBusyError, UnavailableError

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how patiently to try again.

    Attributes:
        attempts: tries in all when no server answers or a network is not ready; about two seconds.
        busy_attempts: tries in all when a queue is full; about a minute.
        first_wait_s: upper end of the first pause; it doubles with every try.
        longest_wait_s: upper end of every later pause. Pauses are drawn at random below their upper end, so that
            callers turned away together do not come back together.
    """

    attempts: int = 5
    busy_attempts: int = 50
    first_wait_s: float = 0.25
    longest_wait_s: float = 3.0

    def allows(self, error: BaseException | None, attempt: int) -> bool:
        """Tell whether another try may follow the given one, counted from 1."""
        return attempt < (self.busy_attempts if isinstance(error, ServerBusyError) else self.attempts)


NO_RETRIES = RetryPolicy(attempts=1, busy_attempts=1)


@dataclass(frozen=True)
class Deadline:
    """The end of a caller's patience.

    Attributes:
        timeout_s: seconds from `start`; None for endless patience.
    """

    timeout_s: float | None
    clock: Callable[[], float] = time.monotonic
    start: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", self.clock())

    def remaining_s(self) -> float | None:
        """Return what is left.

        Raises:
            DeadlineExceededError: nothing is.
        """
        if self.timeout_s is None:
            return None
        left = self.start + self.timeout_s - self.clock()
        if left <= 0:
            raise DeadlineExceededError(f"no answer within {self.timeout_s:g} s")
        return left

    def leaves_room_for(self, pause_s: float) -> bool:
        """Tell whether a pause would end before the deadline."""
        return self.timeout_s is None or self.clock() + pause_s < self.start + self.timeout_s


def call_with_retries(
    call: Callable[[float | None], T],
    policy: RetryPolicy,
    deadline: Deadline,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Call until it succeeds, fails for good, or the time is up.

    Args:
        call: takes the seconds that are left.
        policy: how often.
        deadline: how long.
        sleep: how to pause.

    Raises:
        PaddleXTritonError: what the last try raised.
    """
    retrying = Retrying(**_settings(policy, deadline), sleep=sleep)
    return retrying(lambda: call(deadline.remaining_s()))


async def call_with_retries_async(
    call: Callable[[float | None], Awaitable[T]],
    policy: RetryPolicy,
    deadline: Deadline,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Do as `call_with_retries`, in asyncio."""

    async def once() -> T:
        return await call(deadline.remaining_s())

    return await AsyncRetrying(**_settings(policy, deadline), sleep=sleep)(once)


def _settings(policy: RetryPolicy, deadline: Deadline) -> dict[str, Any]:
    def stop(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        return not (policy.allows(error, state.attempt_number) and deadline.leaves_room_for(state.upcoming_sleep))

    return {
        "retry": retry_if_exception_type(UnavailableError),
        "wait": wait_random_exponential(multiplier=policy.first_wait_s, max=policy.longest_wait_s),
        "stop": stop,
        "reraise": True,
    }
