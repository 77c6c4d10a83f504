"""The page and its files, and the networks that run in the browser."""

import asyncio
import mimetypes
import os
from hashlib import sha256
from pathlib import Path, PurePath

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from kakudai.serve.browser import page_file as more_of_page
from kakudai.serve.problems import Problem

FOLDER = (Path(__file__).parent / "page").resolve()

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
}
"""What browsers insist on; other endings are as the system knows them."""


async def index(request: Request) -> Response:
    """Show the page."""
    return file_answer(request, FOLDER / "index.html")


async def favicon(request: Request) -> Response:
    """Answer the question that browsers ask unasked."""
    return file_answer(request, FOLDER / "mark.svg")


async def page_file(request: Request) -> Response:
    """Return a file of the page, or what the page needs to do pictures itself: networks, and what runs them."""
    name = request.path_params["path"]
    path = (FOLDER / name).resolve() if "\0" not in name else FOLDER
    inside = path.is_relative_to(FOLDER)
    shown = inside and not any(part.startswith((".", "_")) for part in path.relative_to(FOLDER).parts)
    if shown and os.path.isfile(path):  # noqa: PTH113 - unlike Path's it never raises, whatever the name
        return file_answer(request, path)
    more, tag = await asyncio.to_thread(_more, name)
    if more is None:
        raise Problem("not-found", "the page has no such file")
    if isinstance(more, Path):
        return file_answer(request, more)
    return unless_known(request, tag) or Response(more, headers=cached(tag), media_type=kind_of(name))


def _more(name: str) -> tuple[bytes | Path | None, str]:
    """Return what does not lie in the folder, and the tag of its content."""
    more = more_of_page(name)
    return more, f'"{sha256(more).hexdigest()[:32]}"' if isinstance(more, bytes) else ""


def file_answer(request: Request, path: Path) -> Response:
    """Answer with a file, or say that the browser has it already.

    Raises:
        Problem: There is no such file.
    """
    if not path.is_file():
        raise Problem("not-found", "the page has no such file")
    status = path.stat()
    tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
    headers = cached(tag)
    if path.suffix in (".js", ".mjs"):
        headers["Service-Worker-Allowed"] = "/"
    return unless_known(request, tag) or FileResponse(path, headers=headers, media_type=kind_of(path.name))


def kind_of(name: str) -> str:
    """Name the type of a file by its ending."""
    return TYPES.get(PurePath(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def cached(tag: str) -> dict[str, str]:
    """Return headers that let a browser keep a file and ask each time whether it is still the same."""
    return {"ETag": tag, "Cache-Control": "no-cache"}


def unless_known(request: Request, tag: str) -> Response | None:
    """Return the answer for a browser that has this version already; None for all others."""
    known = [word.strip().removeprefix("W/") for word in request.headers.get("if-none-match", "").split(",")]
    return Response(status_code=304, headers=cached(tag)) if tag in known else None
