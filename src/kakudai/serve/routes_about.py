"""What the server says of itself: models and limits, health, counters, problems in words, signing in."""

import html
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from kakudai.image.formats import FORMATS, is_readable, output_formats
from kakudai.models import Model, shipped
from kakudai.models.shipped import LARGEST_SCALE, STYLES, enlarges
from kakudai.serve.answers import page, problem_answer, wants_page
from kakudai.serve.guard import COOKIE, same
from kakudai.serve.measures import MEDIA_TYPE
from kakudai.serve.problems import KINDS, Problem
from kakudai.serve.service import Service, service_of
from kakudai.serve.settings import Limits
from kakudai.serve.uploads import pieces

LARGEST_FORM = 4_000
"""Bytes of the form that carries a token."""


def about_models(service: Service) -> dict[str, object]:
    """Return what `GET /v1/models` says."""
    styles = [style for style in STYLES if enlarges(style)]
    return {
        "models": [about_model(model) for model in service.models.values()],
        "words": list(service.words),
        "scales": {style: _shipped(style, 2) for style in styles},
        "restores": {style: _shipped(f"{style}-restore", 1) for style in styles},
        "limits": about_limits(service.settings.limits),
        "keeps_place": service.settings.keep_gps,
    }


def _shipped(stem: str, first: int) -> list[int]:
    return [scale for scale in range(first, LARGEST_SCALE + 1) if shipped.is_shipped(f"{stem}-x{scale}")]


def about_model(model: Model) -> dict[str, object]:
    """Return what the page and programs want to know of a network."""
    return {
        "name": model.name,
        "scale": model.scale,
        "task": model.card.get("task", "upscale"),
        "style": next((style for style in STYLES if model.name.partition("-")[0] == style), None),
        "parameters": model.parameters,
        "licence": model.card.get("licence", ""),
        "quality": model.quality,
    }


def about_limits(limits: Limits) -> dict[str, object]:
    """Return the limits that concern whoever sends pictures."""
    return {
        "bytes": limits.upload_bytes,
        "input_pixels": limits.input_pixels,
        "input_side": limits.input_side,
        "output_pixels": limits.output_pixels,
        "formats_in": [name for name in FORMATS if is_readable(name)],
        "formats_out": list(output_formats()),
        "queue": limits.queue,
        "per_client": limits.per_client,
        "life_seconds": limits.life_seconds,
    }


async def models(request: Request) -> Response:
    """List the networks, the words for them, and the limits."""
    return JSONResponse(about_models(service_of(request)))


async def healthz(_: Request) -> Response:
    """Say that the server lives."""
    return PlainTextResponse("ok")


async def readyz(request: Request) -> Response:
    """Say whether pictures are taken now."""
    dispatcher = service_of(request).dispatcher
    if dispatcher.stopping:
        raise Problem("stopping", "the server is stopping")
    if not dispatcher.ready:
        raise Problem("starting", "the engine is not there yet")
    return PlainTextResponse("ready")


async def metrics(request: Request) -> Response:
    """Return the counters for Prometheus."""
    service = service_of(request)
    dispatcher = service.dispatcher
    body = service.measures.page(dispatcher.waiting, int(dispatcher.running is not None), service.store.used)
    return Response(body, media_type=MEDIA_TYPE)


async def problem(request: Request) -> Response:
    """Explain a type of problem in words."""
    name = request.path_params["name"]
    kind = KINDS.get(name)
    if kind is None:
        raise Problem("not-found", f"there is no problem called {name[:60]!r}", f"there are {', '.join(KINDS)}")
    if not wants_page(request.headers):
        return PlainTextResponse(f"{kind.title} ({kind.status})\n\n{kind.meaning}\n")
    body = f"<h1>{html.escape(kind.title)}</h1><p>Status {kind.status}</p><p>{html.escape(kind.meaning)}</p>"
    return HTMLResponse(page(kind.title, body))


FORM = (
    '<h1>Sign in</h1><form method="post" action="/token"><p><label>Token '
    '<input type="password" name="token" required autocomplete="current-password"></label></p>'
    "<p><button>Sign in</button></p></form>"
)


async def token_page(_: Request) -> Response:
    """Ask for the token, for browsers without scripts."""
    return HTMLResponse(page("Sign in", FORM))


async def take_token(request: Request) -> Response:
    """Keep the token in a cookie that no script can read and no other site can use."""
    service, body = service_of(request), b""
    async for piece in pieces(request, service.settings.limits, service.settings.limits.upload_bytes):
        body += piece
        if len(body) > LARGEST_FORM:
            raise Problem("malformed-request", "the form is too large")
    given = _field(body, "token")
    if service.settings.token is None:
        return RedirectResponse("/", 303)
    if not same(given, service.settings.token):
        return problem_answer(Problem("token-wrong", "the token is not this server's"), request.headers)
    answer = RedirectResponse("/", 303)
    secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
    answer.set_cookie(COOKIE, given, httponly=True, samesite="strict", secure=secure)
    return answer


def _field(body: bytes, name: str) -> str:
    try:
        return parse_qs(body.decode("utf-8", "replace"), max_num_fields=10).get(name, [""])[0]
    except ValueError:
        return ""
