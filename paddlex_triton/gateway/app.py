"""The application: PaddleX's paths, health, metrics, and the page to try it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException

from paddlex_triton.gateway.endpoints import ENDPOINTS, Endpoint
from paddlex_triton.gateway.errors import ApiError, busy
from paddlex_triton.gateway.load import check_key
from paddlex_triton.gateway.openapi import document
from paddlex_triton.gateway.responses import error_response
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
        service.begin()
        yield
        await service.close()

    # FastAPI's own page of the documentation loads its scripts from elsewhere.
    app = FastAPIOffline(
        title="paddlex-triton",
        version=__version__,
        description="PaddleX's REST API, answered by NVIDIA Triton. Older generations of its bodies work too.",
        lifespan=lifespan,
        # Spans are the service's, whichever version of FastAPI there is.
        telemetry={"tracing": False, "metrics": False, "logs": False},
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
    async def metrics(request: Request) -> Response:
        try:
            check_key(request, () if settings.open_metrics else settings.api_keys)
        except ApiError as error:
            return error_response(error, str(uuid.uuid4()))
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
