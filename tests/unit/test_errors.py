"""Error messages survive what Triton wraps around them."""

from urllib.parse import quote

import pytest

from paddlex_triton import errors
from paddlex_triton.errors import TRITON_CODE, ErrorCode, ServiceError, format_message, parse_message
from paddlex_triton.limits import MAX_MESSAGE_CHARACTERS


@pytest.mark.parametrize("code", list(ErrorCode))
@pytest.mark.parametrize("wrapped", ["{}", "in ensemble 'ocr', {}", "[400] in ensemble 'ocr', {}"])
def test_round_trip(code, wrapped):
    text = "what was wrong: line 1\nline 2"
    found = parse_message(wrapped.format(format_message("text_detection", code, text)))
    assert found is not None
    assert (found.stage, found.code, found.text) == ("text_detection", code, text)


@pytest.mark.parametrize("message", ["", "unexpected inference input 'x'", "stage: NOT_A_CODE: text"])
def test_other_messages_are_left_alone(message):
    assert parse_message(message) is None


def test_every_code_has_a_triton_status_and_a_class():
    assert set(TRITON_CODE) == set(ErrorCode)
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, ServiceError)]
    assert {c.code for c in classes} == set(ErrorCode)


@pytest.mark.parametrize("extra", [0, 1, 100_000])
def test_messages_are_cut_to_what_grpc_carries(extra):
    frame = len(format_message("stage", ErrorCode.INTERNAL, ""))
    text = "字" * (MAX_MESSAGE_CHARACTERS - frame + extra)
    message = format_message("stage", ErrorCode.INTERNAL, text)
    assert len(message) == MAX_MESSAGE_CHARACTERS
    assert message.endswith(" …") is (extra > 0)
    # Percent-encoded, with room for what Triton puts in front, within gRPC's 16 KiB.
    assert len(quote(message)) < 16 * 1024 - 512
    assert parse_message(message) is not None
