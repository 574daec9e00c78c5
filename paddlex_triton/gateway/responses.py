"""Answers as bytes: PaddleX's envelope, `{logId, errorCode, errorMsg}`."""

from __future__ import annotations

import json

from starlette.responses import Response

from paddlex_triton.gateway.errors import ApiError


def error_response(error: ApiError, log_id: str) -> Response:
    """Return the answer to a refused request."""
    content = {"logId": log_id, "errorCode": error.status, "errorMsg": error.message}
    return Response(to_json(content), error.status, error.headers, "application/json")


def to_json(content: object) -> bytes:
    """Write JSON; halves of characters, which callers may send, as escapes."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")
