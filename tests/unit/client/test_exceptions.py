"""Which class an answer becomes."""

import pytest

from paddlex_triton.client import exceptions
from paddlex_triton.client.exceptions import error_from_response
from paddlex_triton.errors import ErrorCode, format_message

BY_CODE = {
    ErrorCode.INVALID_IMAGE: exceptions.InvalidImageError,
    ErrorCode.IMAGE_TOO_LARGE: exceptions.ImageTooLargeError,
    ErrorCode.INVALID_PARAMETER: exceptions.InvalidParameterError,
    ErrorCode.UNSUPPORTED: exceptions.UnsupportedError,
    ErrorCode.DEADLINE_EXCEEDED: exceptions.DeadlineExceededError,
    ErrorCode.CANCELLED: exceptions.RequestCancelledError,
    ErrorCode.QUEUE_FULL: exceptions.ServerBusyError,
    ErrorCode.NETWORK_UNAVAILABLE: exceptions.ServerUnavailableError,
    ErrorCode.INTERNAL: exceptions.ServerError,
}

SHM_FULL = (
    "in ensemble 'ocr', Failed to increase the shared memory pool size for key 'paddlex_triton_7b70_eb71' to 16777216 "
    "bytes. If you are running Triton inside docker, use '--shm-size' flag. Error: No space left on device"
)


@pytest.mark.parametrize("code", list(ErrorCode))
def test_our_code_in_the_message_decides_whatever_the_status(code):
    message = "in ensemble 'ocr', " + format_message("text_detection", code, "the reason")
    error = error_from_response(message, "INTERNAL", "id-1")
    assert type(error) is BY_CODE[code]
    assert (error.stage, error.code, error.request_id, error.message) == ("text_detection", code, "id-1", "the reason")


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        ("INVALID_ARGUMENT", "unexpected inference input", exceptions.RequestError),
        ("NOT_FOUND", "Request for unknown model: 'ocr' is not found", exceptions.PipelineNotLoadedError),
        ("UNIMPLEMENTED", "", exceptions.UnsupportedError),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", exceptions.DeadlineExceededError),
        ("CANCELLED", "", exceptions.RequestCancelledError),
        ("UNAVAILABLE", "[request id: 1] Exceeds maximum queue size", exceptions.ServerBusyError),
        ("UNAVAILABLE", "Request timeout expired", exceptions.DeadlineExceededError),
        ("UNAVAILABLE", "Socket closed", exceptions.ServerUnavailableError),
        ("UNAVAILABLE", "Server is stopping", exceptions.ServerUnavailableError),
        ("NOT_FOUND", "Request for unknown model: 'ocr' has no available versions", exceptions.ServerUnavailableError),
        ("INVALID_ARGUMENT", "in ensemble 'ocr', 'x' has no available versions", exceptions.ServerUnavailableError),
        ("INTERNAL", "Stub process 'text_detection_0_0' is not healthy.", exceptions.ServerUnavailableError),
        ("UNAVAILABLE", "Stub process 'text_detection_0_0' is not healthy.", exceptions.ServerUnavailableError),
        ("INTERNAL", SHM_FULL, exceptions.ServerError),
        ("RESOURCE_EXHAUSTED", "received metadata size exceeds hard limit", exceptions.ServerError),
        ("RESOURCE_EXHAUSTED", "SERVER: Received message larger than max (5 vs. 4)", exceptions.ImageTooLargeError),
        ("CONTENT_TOO_LARGE", "", exceptions.ImageTooLargeError),
        ("INTERNAL", "boom", exceptions.ServerError),
        ("SOMETHING_NEW", "", exceptions.ServerError),
    ],
)
def test_the_status_decides_without_our_code(status, message, kind):
    error = error_from_response(message, status)
    assert type(error) is kind
    assert error.stage is None
    assert error.code is None
    assert str(error)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "Stub process 'a_0_0' is not healthy.",
            "'a_0_0' is not healthy; it died, and Triton starts none again: restart",
        ),
        (
            "'ocr' has no available versions",
            "'ocr' has no available versions; the server is about to stop, or to start",
        ),
        (SHM_FULL, "the server's /dev/shm is too small for pages like this one, or full"),
    ],
)
def test_what_triton_says_of_itself_is_explained(message, said):
    assert said in error_from_response(message, "INTERNAL").message


def test_str_has_source_stage_and_request():
    error = exceptions.InvalidImageError("no image", stage="doc_preprocessor", code=ErrorCode.INVALID_IMAGE)
    error.source, error.request_id = "a.png", "7"
    assert str(error) == "a.png: no image (doc_preprocessor: INVALID_IMAGE, request 7)"


def test_every_class_is_in_the_tree_of_the_module():
    classes = [
        kind
        for kind in vars(exceptions).values()
        if isinstance(kind, type) and issubclass(kind, exceptions.PaddleXTritonError)
    ]
    assert len(classes) >= 15
    for kind in classes:
        assert f" {kind.__name__} " in f" {exceptions.__doc__} ".replace("\n", " ")


def test_standard_classes_catch_them_too():
    assert issubclass(exceptions.DeadlineExceededError, TimeoutError)
    assert issubclass(exceptions.ServerUnavailableError, ConnectionError)
    assert issubclass(exceptions.InvalidParameterError, ValueError)
    assert issubclass(exceptions.InputError, ValueError)
