"""The application: PaddleX's paths, health, metrics, and the page to try it."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from paddlex_triton.gateway.endpoints import ENDPOINTS, Endpoint
from paddlex_triton.gateway.errors import ApiError, busy, error_response
from paddlex_triton.gateway.openapi import document
from paddlex_triton.gateway.schemas import Refusal
from paddlex_triton.gateway.service import Service
from paddlex_triton.gateway.settings import GatewaySettings
from paddlex_triton.version import __version__

PAGE = Path(__file__).parent / "page"
# The page loads nothing from elsewhere, and runs nothing that is written into it. That of the documentation does.
_POLICY = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"


def create_app(settings: GatewaySettings) -> FastAPI:
    """Make the application of one gateway.

    Args:
        settings: what it is started with.

    Raises:
        PaddleXTritonError: the URL or a pipeline file cannot be used.
    """
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await service.close()

    app = FastAPI(
        title="paddlex-triton",
        version=__version__,
        description="PaddleX's REST API, answered by NVIDIA Triton. Older generations of its bodies work too.",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.service = service
    for endpoint in ENDPOINTS:
        app.add_api_route(
            endpoint.path, _handler(service, endpoint), methods=["POST"], summary=endpoint.summary, tags=["Pipelines"]
        )
    _add_operations(app, service)
    _add_page(app)
    app.add_exception_handler(HTTPException, _plain_refusal)
    app.openapi = lambda: app.openapi_schema or _remember(app)
    if settings.api_keys:
        app.add_middleware(_Keys, keys=settings.api_keys)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
            expose_headers=["Retry-After", "Server-Timing"],
        )
    return app


def _handler(service: Service, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        return await service.answer(endpoint, request)

    handle.__name__ = endpoint.pipeline
    return handle


def _add_operations(app: FastAPI, service: Service) -> None:
    settings = service.settings

    @app.get("/health", tags=["Operations"], response_model=Refusal, responses={503: {"model": Refusal}})
    async def health() -> Response:
        """Tell whether Triton and its models answer."""
        if not await service.ready():
            return error_response(busy("the inference server is not ready", "unavailable"), str(uuid.uuid4()))
        return JSONResponse({"logId": str(uuid.uuid4()), "errorCode": 0, "errorMsg": "Healthy"})

    @app.get("/pipelines", tags=["Operations"])
    async def pipelines() -> dict[str, Any]:
        """Return the paths, whether their pipelines answer, and the limits of requests."""
        return {
            "pipelines": await service.pipelines(),
            "version": __version__,
            "maxBodyBytes": settings.max_body_bytes,
            "maxPages": settings.serving("OCR").max_num_input_imgs,
            "keyNeeded": bool(settings.api_keys),
            "urlsAllowed": settings.allow_urls,
        }

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(PAGE / "index.html", headers={"Content-Security-Policy": _POLICY})

    app.mount("/page", StaticFiles(directory=PAGE), name="page")


def _remember(app: FastAPI) -> dict[str, Any]:
    app.openapi_schema = document(app)
    return app.openapi_schema


async def _plain_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(ApiError(error.status_code, str(error.detail), headers=error.headers), str(uuid.uuid4()))


class _Keys:
    """Turns away requests to pipelines that carry no API key, before anything of them is read."""

    _PATHS = frozenset(endpoint.path for endpoint in ENDPOINTS)

    def __init__(self, app: ASGIApp, keys: frozenset[str]) -> None:
        self._app = app
        self._keys = [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in self._PATHS and not self._knows(scope):
            refusal = ApiError(
                401, "an API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY", headers=_CHALLENGE
            )
            await error_response(refusal, str(uuid.uuid4()))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        kind, _, bearer = headers.get(b"authorization", b"").partition(b" ")
        given = bearer.strip() if kind.lower() == b"bearer" else headers.get(b"x-api-key", b"")
        # All are compared, in constant time: how long it takes tells nothing.
        return sum(hmac.compare_digest(given, key) for key in self._keys) > 0


_CHALLENGE = {"WWW-Authenticate": "Bearer", "Connection": "close"}
