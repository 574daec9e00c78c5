"""The OpenAPI document: bodies are read by hand, so FastAPI does not know them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from paddlex_triton.gateway.endpoints import ENDPOINTS, Endpoint
from paddlex_triton.gateway.schemas import Refusal, answer_with

_REFUSALS = {
    401: "The API key is missing or wrong.",
    404: "The pipeline is not loaded.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    422: "The body or its file cannot be used; errorMsg says why.",
    500: "The server failed; its log has more under the logId.",
    503: "Too many requests, or Triton does not answer; try again after Retry-After seconds.",
    504: "The answer was not ready in time.",
}
# A white pixel, so that the page of the documentation has something to send.
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg=="


def document(app: FastAPI) -> dict[str, Any]:
    """Return the document of an application with the paths of the API."""
    made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    models = [(form.body, "validation") for endpoint in ENDPOINTS for form in endpoint.forms]
    models += [(form.result, "serialization") for endpoint in ENDPOINTS for form in endpoint.forms]
    models.append((Refusal, "serialization"))
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")  # pyright: ignore[reportArgumentType]
    made.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
    for endpoint in ENDPOINTS:
        made["paths"][endpoint.path]["post"].update(_operation(endpoint))
    return made


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    bodies = [{"$ref": f"#/components/schemas/{form.body.__name__}"} for form in endpoint.forms]
    source = endpoint.current.body.SOURCE
    example = {source: _PIXEL, **({"fileType": 1} if source == "file" else {}), "visualize": False}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": bodies[0] if len(bodies) == 1 else {"anyOf": bodies},
                    "example": example,
                }
            },
        },
        "responses": {
            "200": _content("The answer.", answer_with(*(form.result for form in endpoint.forms))),
            **{str(status): _content(text, _REFUSAL) for status, text in _REFUSALS.items()},
        },
    }


_REFUSAL = {"$ref": "#/components/schemas/Refusal"}


def _content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
