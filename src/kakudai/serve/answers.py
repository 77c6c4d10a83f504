"""How answers look: problems as JSON for programs, and as a page for people whose browser asks for one."""

import html
from collections.abc import Mapping
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from kakudai.serve.problems import KINDS, MEDIA_TYPE, Problem


def wants_page(headers: Mapping[str, str]) -> bool:
    """Say whether the client is a browser that shows what it gets, rather than a program."""
    accept = headers.get("accept", "")
    return "text/html" in accept and "json" not in accept


def problem_answer(problem: Problem, headers: Mapping[str, str]) -> Response:
    """Return the answer that tells of a problem."""
    if wants_page(headers):
        body = (
            f"<h1>{html.escape(problem.kind.title)}</h1><p>{html.escape(problem.detail)}</p>"
            f"<p>{html.escape(problem.hint or problem.kind.meaning)}</p>"
            + ('<p><a href="/token">Sign in</a></p>' if problem.status in (401, 403) else "")
            + '<p><a href="/">Back</a></p>'
        )
        return HTMLResponse(page(problem.kind.title, body), problem.status, headers=problem.headers)
    return JSONResponse(problem.as_json(), problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def page(title: str, body: str, *, refresh: int | None = None) -> str:
    """Return a whole page; `body` is markup.

    Args:
        title: Plain text.
        body: Markup of the main part.
        refresh: Seconds after which the browser asks again; None where nothing will change.
    """
    again = "" if refresh is None else f'<meta http-equiv="refresh" content="{refresh}">'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{again}'
        f'<title>{html.escape(title)} - kakudai</title><link rel="stylesheet" href="/page/style.css"></head>'
        f'<body class="plain"><main>{body}</main></body></html>'
    )


def problem_schema() -> dict[str, Any]:
    """Return the schema of a problem document."""
    error = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("field", "value", "accepted")},
        "required": ["field", "value", "accepted"],
    }
    return {
        "type": "object",
        "description": "What went wrong, as RFC 9457 has it.",
        "properties": {
            "type": {"type": "string", "enum": [f"/problems/{name}" for name in KINDS]},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "hint": {"type": "string"},
            "errors": {"type": "array", "items": error},
        },
        "required": ["type", "title", "status", "detail", "hint"],
    }
