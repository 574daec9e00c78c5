"""From a body's bytes to its fields."""

from __future__ import annotations

import json
from typing import Any, Protocol

from pydantic import ValidationError

from paddlex_triton.gateway.answers import Answer
from paddlex_triton.gateway.bodies import Body
from paddlex_triton.gateway.endpoints import Endpoint
from paddlex_triton.gateway.errors import invalid_body, no_object, not_json


class Named(Protocol):
    """Whoever wants to know how a request is called, and its fields, even if it is refused."""

    names: Any

    def name(self, log_id: object) -> None:
        """Take the caller's id, which may be anything."""


def read_form(endpoint: Endpoint, raw: bytes, about: Named) -> tuple[Body, Answer[Any]]:
    """Read a body, and choose the form of its answer.

    Args:
        endpoint: the path.
        raw: JSON, UTF-8.
        about: is told of the request.

    Raises:
        ApiError: it is no JSON object, or a field is of a wrong type.
    """
    given = _read_object(raw)
    about.name(given.get("logId"))
    form = endpoint.form_of(given)
    about.names = form.body.fields_of_params()
    try:
        return form.body.model_validate(given), form.answer(given)
    except ValidationError as error:
        raise invalid_body(error) from None


def _read_object(raw: bytes) -> dict[str, Any]:
    if not raw:
        raise no_object(empty=True)
    try:
        given = json.loads(raw)
    except json.JSONDecodeError as error:
        raise not_json(error.pos) from None
    except UnicodeDecodeError as error:
        raise not_json(error.start) from None
    except (ValueError, RecursionError):
        # A number of too many digits, or nested too deeply.
        raise not_json(0) from None
    if not isinstance(given, dict):
        raise no_object(empty=False)
    return given
