"""Refusals of requests: status, and what is said, in PaddleX's words where it has some."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from paddlex_triton.client import exceptions

# Seconds after which a caller that was turned away may try again.
RETRY_AFTER_S = 1
INVALID_INPUT_FILE = "Invalid input file"
_INTERNAL = "Internal server error"


class GatewayError(Exception):
    """The gateway cannot be started as it was asked to."""


class ApiError(Exception):
    """A request is refused.

    Attributes:
        status: HTTP's, which is the answer's errorCode too.
        message: the answer's errorMsg.
        headers: of the answer.
        reason: a word for metrics.
    """

    def __init__(
        self, status: int, message: str, *, headers: Mapping[str, str] | None = None, reason: str = "bad_request"
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
        self.reason = reason


def busy(message: str, reason: str) -> ApiError:
    """Return the refusal of a request that may come again."""
    return ApiError(503, message, headers={"Retry-After": str(RETRY_AFTER_S)}, reason=reason)


def invalid_body(error: ValidationError) -> ApiError:
    """Return the refusal of a body of a wrong shape: PaddleX's list of faults as JSON."""
    faults = [
        {"type": fault["type"], "loc": _place(("body", *fault["loc"])), "msg": fault["msg"]}
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return ApiError(422, json.dumps(faults), reason="invalid_body")


def not_json(place: int) -> ApiError:
    """Return the refusal of a body that is no JSON, or in which it ends before `place`, in bytes."""
    fault = {"type": "json_invalid", "loc": _place(("body", place)), "msg": "JSON decode error"}
    return ApiError(422, json.dumps([fault]), reason="invalid_body")


def no_object(empty: bool) -> ApiError:
    """Return the refusal of a body that is missing, or is no JSON object."""
    kind, text = "model_attributes_type", "Input should be a valid dictionary or object to extract fields from"
    if empty:
        kind, text = "missing", "Field required"
    return ApiError(422, json.dumps([{"type": kind, "loc": "body", "msg": text}]), reason="invalid_body")


def refusal_of(error: exceptions.PaddleXTritonError, names: Mapping[str, str], *, reads_documents: bool) -> ApiError:
    """Return the refusal for what the client raised.

    Args:
        error: the client's.
        names: parameter -> field of the body; messages name fields.
        reads_documents: whether PaddleX's server has a text of its own for files that cannot be read.
    """
    if isinstance(error, exceptions.InputError) and error.__cause__ is not None:
        # Not the file's fault, but of what reads it.
        return internal()
    if isinstance(error, exceptions.InputError | exceptions.InvalidImageError):
        return ApiError(422, INVALID_INPUT_FILE if reads_documents else error.message, reason="invalid_input")
    if isinstance(error, exceptions.ImageTooLargeError):
        return ApiError(422, _about_page(error), reason="too_large")
    if isinstance(error, exceptions.PipelineNotLoadedError):
        return ApiError(404, "this pipeline is not loaded on this server", reason="not_loaded")
    if isinstance(error, exceptions.RequestError):
        return ApiError(422, _with_fields(error.message, names), reason="invalid_parameter")
    if isinstance(error, exceptions.DeadlineExceededError):
        return ApiError(504, "the answer was not ready in time", reason="deadline")
    if isinstance(error, exceptions.ServerBusyError):
        return busy("too many requests wait", "busy")
    if isinstance(error, exceptions.UnavailableError | exceptions.PipelineClosedError):
        # Not the client's words, which name the address.
        return busy("the inference server does not answer", "unavailable")
    return internal()


def internal() -> ApiError:
    """Return the answer to a request on which the server failed."""
    return ApiError(500, _INTERNAL, reason="internal")


def _about_page(error: exceptions.PaddleXTritonError) -> str:
    return f"{error.source}: {error.message}" if error.source else error.message


def _with_fields(message: str, names: Mapping[str, str]) -> str:
    # The longest first: one name may begin with another.
    for parameter in sorted(names, key=len, reverse=True):
        message = message.replace(parameter, names[parameter])
    return message


def _place(path: tuple[Any, ...]) -> str:
    """Write a place in the body as PaddleX does: `body.layoutUnclipRatio[0]`."""
    written = ""
    for part in path:
        written += f"[{part}]" if isinstance(part, int) else f".{part}" if written else str(part)
    return written
