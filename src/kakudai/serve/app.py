"""The application: which address is answered by what."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

import kakudai
from kakudai.serve import routes_about, routes_jobs, routes_page, routes_upscale
from kakudai.serve.answers import problem_answer
from kakudai.serve.guard import Guard
from kakudai.serve.openapi import document
from kakudai.serve.problems import STATUS_KINDS, Problem
from kakudai.serve.service import Service
from kakudai.serve.uploads import Gone

ROUTES: tuple[tuple[str, str, Callable[[Request], Awaitable[Response]]], ...] = (
    ("POST", "/v1/upscale", routes_upscale.upscale),
    ("POST", "/v1/jobs", routes_jobs.submit),
    ("GET", "/v1/jobs/{id}", routes_jobs.state),
    ("DELETE", "/v1/jobs/{id}", routes_jobs.cancel),
    ("GET", "/v1/jobs/{id}/events", routes_jobs.events),
    ("GET", "/v1/jobs/{id}/result", routes_jobs.result),
    ("GET", "/v1/models", routes_about.models),
    ("POST", "/v1/analyse", routes_upscale.analyse),
    ("POST", "/api", routes_upscale.waifu2x),
    ("GET", "/healthz", routes_about.healthz),
    ("GET", "/readyz", routes_about.readyz),
    ("GET", "/metrics", routes_about.metrics),
    ("GET", "/problems/{name}", routes_about.problem),
)
"""The API: all of it is in the OpenAPI document."""

PAGES: tuple[tuple[str, str, Callable[[Request], Awaitable[Response]]], ...] = (
    ("GET", "/", routes_page.index),
    ("GET", "/favicon.ico", routes_page.favicon),
    ("GET", "/page/{path:path}", routes_page.page_file),
    ("GET", "/jobs/{id}", routes_jobs.job_page),
    ("POST", "/jobs/{id}/cancel", routes_jobs.cancel_page),
    ("GET", "/token", routes_about.token_page),
    ("POST", "/token", routes_about.take_token),
)
"""For browsers."""


def build(service: Service) -> FastAPI:
    """Put the application together."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            await service.close()

    app = FastAPI(title="kakudai", version=kakudai.__version__, docs_url=None, redoc_url=None, lifespan=life)
    app.state.service = service
    for method, path, answer in (*ROUTES, *PAGES):
        methods = ["GET", "HEAD"] if method == "GET" and not path.endswith("/events") else [method]
        app.add_route(path, answer, methods=methods)
    app.openapi = lambda: document(token=service.settings.token is not None)  # type: ignore[method-assign]
    app.add_exception_handler(Problem, _tell)
    app.add_exception_handler(Gone, _gone)
    app.add_exception_handler(HTTPException, _translate)
    app.add_exception_handler(RequestValidationError, _translate)
    app.add_exception_handler(Exception, _own_mistake)
    app.add_middleware(Guard, settings=service.settings, measures=service.measures)
    return app


async def _tell(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_answer(error, request.headers)


async def _gone(request: Request, _: Exception) -> Response:
    """Answer nobody: the client has hung up."""
    return problem_answer(Problem("malformed-request", "the request stops before its end"), request.headers)


async def _translate(request: Request, error: Exception) -> Response:
    """Make a problem of what the framework says."""
    status = error.status_code if isinstance(error, HTTPException) else 422
    name = STATUS_KINDS.get(status, "internal" if status >= 500 else "malformed-request")
    answer = problem_answer(Problem(name, f"{request.method} {request.url.path[:200]}"), request.headers)
    if isinstance(error, HTTPException) and error.headers:
        answer.headers.update(error.headers)
    return answer


async def _own_mistake(request: Request, error: Exception) -> Response:
    return problem_answer(Problem("internal", type(error).__name__), request.headers)
