"""What stands before every request: is it meant for this server, may it come from there, does it have the token?

And what every answer gets: headers that keep browsers in bounds, and a place in the counters.
"""

import hmac
import ipaddress
import socket
import time
from http.cookies import CookieError, SimpleCookie

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kakudai.serve.answers import problem_answer
from kakudai.serve.measures import Measures
from kakudai.serve.problems import Problem
from kakudai.serve.settings import Settings, is_loopback

COOKIE = "kakudai_token"

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}

OPEN = ("/", "/healthz", "/readyz", "/openapi.json", "/token", "/favicon.ico")
OPEN_BELOW = ("/page/", "/problems/")
"""What needs no token: the page itself, so that it can ask for one, and what tells nothing."""

HARMLESS = ("GET", "HEAD", "OPTIONS")
METHODS = (*HARMLESS, "POST", "PUT", "PATCH", "DELETE")
"""Those that are counted by their names: clients can make up others, and each name is kept for ever."""

THROWN_AWAY = 4
"""A body that is not wanted is read all the same, up to so many times the limit: a client that is cut off while it
sends does not read why."""

THROWING_SECONDS = 10.0

SLOW = 408
"""Whoever has been too slow already is not listened to any longer."""


class Body:
    """The body of a request, which remembers whether it has been read to its end."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._limit, self._begun, self._ended = receive, limit, False, False

    async def receive(self) -> Message:
        """Return the next message of the client."""
        self._begun = True
        message = await self._receive()
        self._ended = self._ended or message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def throw_away(self, headers: Headers) -> None:
        """Read what is left of it, and forget it; but ask nobody to begin who waits to be asked."""
        if not self._begun and "expect" in headers:
            return
        said, total = headers.get("content-length", ""), 0
        if said.isdecimal() and int(said) > THROWN_AWAY * self._limit:
            return
        with anyio.move_on_after(THROWING_SECONDS):
            while not self._ended and total <= THROWN_AWAY * self._limit:
                total += len((await self.receive()).get("body", b""))


class Guard:
    """Stands before the application."""

    def __init__(self, app: ASGIApp, settings: Settings, measures: Measures) -> None:
        self._app, self._settings, self._measures = app, settings, measures
        self._names = known_names(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with the problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        body = Body(receive, self._settings.limits.upload_bytes)

        async def wrapped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status >= 400 and status != SLOW and scope["method"] not in HARMLESS:
                    await body.throw_away(Headers(scope=scope))
                headers = MutableHeaders(raw=message["headers"])
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            problem = self._refusal(scope, Headers(scope=scope))
            if problem is not None:
                await problem_answer(problem, Headers(scope=scope))(scope, body.receive, wrapped)
            else:
                await self._app(scope, body.receive, wrapped)
        finally:
            route = getattr(scope.get("endpoint"), "__name__", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._measures.answered(route, method, status, time.perf_counter() - started)

    def _refusal(self, scope: Scope, headers: Headers) -> Problem | None:
        """Return why a request is not let through."""
        host = host_of(headers.get("host", ""))
        if not self._knows(host):
            return Problem("wrong-host", f"this server is not called {host[:100]!r}")
        if scope["method"] not in HARMLESS and _from_elsewhere(headers):
            return Problem("cross-site", "a page of another site has sent this")
        path = scope["path"]
        if self._settings.token is None or path in OPEN or path.startswith(OPEN_BELOW):
            return None
        given = given_token(headers)
        if given is None:
            return Problem("token-missing", "the request has no token")
        if not same(given, self._settings.token):
            return Problem("token-wrong", "the token is not this server's")
        return None

    def _knows(self, host: str) -> bool:
        if host in self._names:
            return True
        return "*" in self._names and _is_address(host)


def known_names(settings: Settings) -> frozenset[str]:
    """Return the names that requests may give as their host; "*" stands for all that are plain addresses."""
    names = {settings.host.strip("[]").lower(), *(name.lower() for name in settings.names)}
    names |= {"127.0.0.1", "::1", "localhost"}
    if settings.host in ("0.0.0.0", "::"):
        names |= {"*", socket.gethostname().lower()}
    return frozenset(names)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def host_of(header: str) -> str:
    """Return the name in a Host header, without port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


def _from_elsewhere(headers: Headers) -> bool:
    """Say whether a browser sends this for a page of another site.

    Browsers say so in Sec-Fetch-Site; old ones only name the origin. Forms of our own page have the origin "null",
    because of its Referrer-Policy.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin", "null")
    return origin != "null" and origin.partition("://")[2].lower() != headers.get("host", "").lower()


def given_token(headers: Headers) -> str | None:
    """Return the token of a request: of its Authorization header, or of its cookie."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return cookie.value if cookie is not None else None


def same(given: str, token: str) -> bool:
    """Compare two secrets in a time that does not depend on them."""
    return hmac.compare_digest(given.encode(), token.encode())


def check_exposure(settings: Settings) -> str | None:
    """Say what is wrong with listening there without a token; None if nothing is."""
    if is_loopback(settings.host) or settings.token:
        return None
    return f"{settings.host} can be reached by others, and there is no token"
