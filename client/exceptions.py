"""Errors, one class for each thing that a caller can act on.

PaddleXTritonError
├── InputError                 a local input: file missing, unsupported kind, broken PDF, dead URL
├── RequestError               the server refused what was asked; asking again gives the same answer
│   ├── InvalidImageError          the bytes are not an image that is read there
│   ├── ImageTooLargeError         more bytes or pixels than allowed
│   ├── InvalidParameterError      an unknown name, a wrong type or a value out of range
│   ├── UnsupportedError           a feature that is not there, or whose network is not loaded
│   └── PipelineNotLoadedError     the server does not serve this pipeline
├── DeadlineExceededError      the caller's timeout passed
├── RequestCancelledError      the request was cancelled
├── UnavailableError           worth trying again later; the client has already tried
│   ├── ServerBusyError            too many requests wait
│   └── ServerUnavailableError     no server there, or a network in it is not ready
├── ServerError                a fault of the server
├── EmbeddedServerError        the embedded server cannot be started
└── PipelineClosedError        the pipeline was used after `close()`
"""

from __future__ import annotations

from paddlex_triton.client.wording import shown_name, shown_text
from paddlex_triton.errors import ErrorCode, parse_message
from paddlex_triton.limits import MAX_MESSAGE_CHARACTERS


class PaddleXTritonError(Exception):
    """Base of all errors of the client.

    Attributes:
        message: what was wrong, without the context that `str()` adds.
        stage: the module of the server that refused, None if the error did not come from one.
        code: our error code, None if there is none.
        request_id: the id under which the server's log knows the request, None if nothing was sent.
        source: the input it is about (a path, a URL, "page 3 of ..."), None if unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        stage: str | None = None,
        code: ErrorCode | None = None,
        request_id: str | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.stage = stage
        self.code = code
        self.request_id = request_id
        self.source = source

    def __str__(self) -> str:
        where = f"{shown_name(self.source)}: " if self.source else ""
        details = [f"{self.stage}: {self.code.value}" if self.stage and self.code else "", self._request()]
        context = ", ".join(detail for detail in details if detail)
        return f"{where}{shown_text(self.message, MAX_MESSAGE_CHARACTERS)}" + (f" ({context})" if context else "")

    def _request(self) -> str:
        return f"request {self.request_id}" if self.request_id else ""


class InputError(PaddleXTritonError, ValueError):
    """A local input cannot be read: a missing file, an unsupported kind, a broken PDF, a dead URL."""


class RequestError(PaddleXTritonError):
    """The server refused what was asked; asking again gives the same answer."""


class InvalidImageError(RequestError, ValueError):
    """The bytes are not an image of a supported kind, or are damaged."""


class ImageTooLargeError(RequestError, ValueError):
    """The image has more bytes or pixels than allowed."""


class InvalidParameterError(RequestError, ValueError):
    """A parameter has an unknown name, a wrong type or a value out of range."""


class UnsupportedError(RequestError):
    """A feature that is not there, or whose network the server has not loaded."""


class PipelineNotLoadedError(RequestError):
    """The server is there, and does not serve this pipeline."""


class DeadlineExceededError(PaddleXTritonError, TimeoutError):
    """The caller's timeout passed before the answer came."""


class RequestCancelledError(PaddleXTritonError):
    """The request was cancelled on its way."""


class UnavailableError(PaddleXTritonError):
    """No answer now, maybe later. The client has already tried again where the timeout left room."""


class ServerBusyError(UnavailableError):
    """A queue of the server is full."""


class ServerUnavailableError(UnavailableError, ConnectionError):
    """No server answers there, the connection broke, or a network in the server is not ready."""


class ServerError(PaddleXTritonError):
    """A fault of the server; its log has more under the request id."""


class EmbeddedServerError(PaddleXTritonError):
    """The embedded server cannot be started on this machine."""


class PipelineClosedError(PaddleXTritonError):
    """The pipeline was closed."""


_BY_CODE: dict[ErrorCode, type[PaddleXTritonError]] = {
    ErrorCode.INVALID_IMAGE: InvalidImageError,
    ErrorCode.IMAGE_TOO_LARGE: ImageTooLargeError,
    ErrorCode.INVALID_PARAMETER: InvalidParameterError,
    ErrorCode.UNSUPPORTED: UnsupportedError,
    ErrorCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    ErrorCode.CANCELLED: RequestCancelledError,
    ErrorCode.QUEUE_FULL: ServerBusyError,
    ErrorCode.NETWORK_UNAVAILABLE: ServerUnavailableError,
    ErrorCode.INTERNAL: ServerError,
}

# gRPC's names of Triton's statuses; the HTTP transport maps its numbers to them.
_BY_STATUS: dict[str, type[PaddleXTritonError]] = {
    "INVALID_ARGUMENT": RequestError,
    "NOT_FOUND": PipelineNotLoadedError,
    "UNIMPLEMENTED": UnsupportedError,
    "DEADLINE_EXCEEDED": DeadlineExceededError,
    "CANCELLED": RequestCancelledError,
    "UNAVAILABLE": ServerUnavailableError,
    # HTTP's 413; gRPC's RESOURCE_EXHAUSTED stands for a full disk and long headers just as well.
    "CONTENT_TOO_LARGE": ImageTooLargeError,
}

# What Triton and gRPC themselves say when no module of ours had a part in it, where the status says too little:
# the status (None for any), a part of the text in lower case, what it means, and what is
# said of it, with {} for that text.
_TEXTS: tuple[tuple[str | None, str, type[PaddleXTritonError], str], ...] = (
    ("UNAVAILABLE", "maximum queue size", ServerBusyError, "{}"),
    ("UNAVAILABLE", "timeout expired", DeadlineExceededError, "{}"),
    ("RESOURCE_EXHAUSTED", "message larger than max", ImageTooLargeError, "{}"),
    # It knows the model and has it unloaded.
    (None, "has no available versions", ServerUnavailableError, "{}; the server is about to stop, or to start"),
    # Said of a module's process ("Stub process ...").
    (None, "is not healthy", ServerUnavailableError, "{}; it died, and Triton starts none again: restart the server"),
    (None, "shared memory pool", ServerError, "the server's /dev/shm is too small for pages like this one, or full"),
)


def error_from_response(message: str, status: str, request_id: str | None = None) -> PaddleXTritonError:
    """Return the error for what a server answered: our code in the message first, the transport's status second.

    Args:
        message: the text of the error, as Triton handed it on.
        status: gRPC's name of the status, e.g. "INVALID_ARGUMENT", or "CONTENT_TOO_LARGE".
        request_id: the id the request was sent with.
    """
    if found := parse_message(message):
        return _BY_CODE[found.code](found.text, stage=found.stage, code=found.code, request_id=request_id)
    lower = message.lower()
    meant = ((kind, said) for only, text, kind, said in _TEXTS if only in (None, status) and text in lower)
    kind, said = next(meant, (_BY_STATUS.get(status, ServerError), "{}"))
    message = said.replace("{}", message.rstrip(".") if said != "{}" else message)
    return kind(message or f"the server answered {status}", request_id=request_id)
