"""Errors of the server, as callers see them.

Every error a module answers with reads `<stage>: <CODE>: <message>`. The code is ours; Triton's own status
follows from it. An ensemble puts `in ensemble '<name>', ` in front, and Triton's Python backend forgets the
status of nested calls: the code inside the message is what survives everywhere.

    ServiceError
    ├── InvalidImage          the bytes are not an image that is read here
    ├── ImageTooLarge         more bytes or pixels than allowed
    ├── InvalidParameter      `params` is not an object of known names and allowed values
    ├── Unsupported           a feature that this server does not have, or has not loaded
    ├── DeadlineExceeded      the caller's timeout passed
    ├── Cancelled             the caller went away
    ├── QueueFull             too many requests wait
    ├── NetworkUnavailable    a network is not loaded or not ready
    └── InternalError         anything else
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from paddlex_triton.limits import MAX_MESSAGE_CHARACTERS


class ErrorCode(str, Enum):
    """Our error codes: the `code` label of `paddlex_errors_total` and the second field of a message."""

    INVALID_IMAGE = "INVALID_IMAGE"
    IMAGE_TOO_LARGE = "IMAGE_TOO_LARGE"
    INVALID_PARAMETER = "INVALID_PARAMETER"
    UNSUPPORTED = "UNSUPPORTED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"
    QUEUE_FULL = "QUEUE_FULL"
    NETWORK_UNAVAILABLE = "NETWORK_UNAVAILABLE"
    INTERNAL = "INTERNAL"


# Names of TritonError's codes in the Python backend (`pb_utils.TritonError.<name>`).
TRITON_CODE: dict[ErrorCode, str] = {
    ErrorCode.INVALID_IMAGE: "INVALID_ARG",
    ErrorCode.IMAGE_TOO_LARGE: "INVALID_ARG",
    ErrorCode.INVALID_PARAMETER: "INVALID_ARG",
    ErrorCode.UNSUPPORTED: "UNSUPPORTED",
    ErrorCode.DEADLINE_EXCEEDED: "UNAVAILABLE",
    ErrorCode.CANCELLED: "UNAVAILABLE",
    ErrorCode.QUEUE_FULL: "UNAVAILABLE",
    ErrorCode.NETWORK_UNAVAILABLE: "UNAVAILABLE",
    ErrorCode.INTERNAL: "INTERNAL",
}


class ServiceError(Exception):
    """Base of all errors a stage answers with. The message is shown to callers: no paths, no tracebacks."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL


class InvalidImage(ServiceError):
    """The bytes are not an image of a supported kind, or are damaged."""

    code = ErrorCode.INVALID_IMAGE


class ImageTooLarge(ServiceError):
    """The image has more bytes or pixels than the server takes."""

    code = ErrorCode.IMAGE_TOO_LARGE


class InvalidParameter(ServiceError):
    """`params` has an unknown name, a wrong type or a value out of range."""

    code = ErrorCode.INVALID_PARAMETER


class Unsupported(ServiceError):
    """A feature that is not there, or whose network is not loaded."""

    code = ErrorCode.UNSUPPORTED


class DeadlineExceeded(ServiceError):
    """The request's own timeout passed before the work was done."""

    code = ErrorCode.DEADLINE_EXCEEDED


class Cancelled(ServiceError):
    """The caller cancelled the request."""

    code = ErrorCode.CANCELLED


class QueueFull(ServiceError):
    """A queue in front of a network or module is at its limit. Worth trying again."""

    code = ErrorCode.QUEUE_FULL


class NetworkUnavailable(ServiceError):
    """A network that the stage calls is not loaded or not ready. Worth trying again."""

    code = ErrorCode.NETWORK_UNAVAILABLE


class InternalError(ServiceError):
    """A fault of the server, named by an id that also stands in its log."""


@dataclass(frozen=True)
class StageMessage:
    """An error message taken apart: the stage that refused, our code, and what it said."""

    stage: str
    code: ErrorCode
    text: str


_MESSAGE = re.compile(
    r"(?P<stage>[a-z][a-z0-9_]*): (?P<code>" + "|".join(c.value for c in ErrorCode) + r"): (?P<text>.*)",
    re.DOTALL,
)


def format_message(stage: str, code: ErrorCode, text: str) -> str:
    """The message of an error response: `<stage>: <CODE>: <text>`, cut at MAX_MESSAGE_CHARACTERS."""
    message = f"{stage}: {code.value}: {text}"
    if len(message) <= MAX_MESSAGE_CHARACTERS:
        return message
    return message[: MAX_MESSAGE_CHARACTERS - 2] + " …"


def parse_message(message: str) -> StageMessage | None:
    """Find a stage's message in what Triton handed on (`in ensemble 'ocr', …` in front), None if there is none."""
    found = _MESSAGE.search(message)
    if found is None:
        return None
    return StageMessage(found["stage"], ErrorCode(found["code"]), found["text"])
