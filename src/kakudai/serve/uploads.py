"""Reading the body of a request into a file: every byte is counted, and nothing is waited for longer than allowed."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

import anyio
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from kakudai.serve.problems import Problem
from kakudai.serve.settings import Limits

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FILE_FIELD = "file"
FORM_ROOM = 64_000
"""Bytes of a form beside its picture."""

MAX_NAME = 120


class Gone(Exception):
    """The client has hung up before its request was complete."""


RAW = "send multipart/form-data, or the picture with its own Content-Type, such as image/jpeg"


@dataclass(slots=True)
class Upload:
    """What came with a request.

    Args:
        path: The picture's file.
        name: What the client calls it, without folders; "picture" if it does not say.
        fields: All other parts of the form.
        size: Of the picture, in bytes.
    """

    path: Path
    name: str = "picture"
    fields: list[tuple[str, str]] = field(default_factory=list)
    size: int = 0


async def receive_upload(request: Request, path: Path, limits: Limits) -> Upload:
    """Read the body of a request, a form or a raw picture.

    Raises:
        Problem: It is malformed, too large, too slow, or holds no picture.
        Gone: The client has hung up.
    """
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    if kind == b"application/x-www-form-urlencoded":
        raise Problem("no-picture", "a form of this kind carries no files", RAW)
    upload = Upload(path)
    with path.open("xb") as file:
        if kind == b"multipart/form-data":
            await _read_form(request, parameters.get(b"boundary", b""), upload, file, limits)
        else:
            async for piece in pieces(request, limits, limits.upload_bytes):
                file.write(piece)
                upload.size += len(piece)
    if not upload.size and any(name == "url" and value for name, value in upload.fields):
        raise Problem("not-possible", "this server fetches no addresses", f"send the picture as the field {FILE_FIELD}")
    if not upload.size:
        raise Problem("no-picture", "the request holds no picture, or an empty one")
    return upload


async def pieces(request: Request, limits: Limits, most: int) -> AsyncIterator[bytes]:
    """Yield a body piece by piece, up to `most` bytes.

    Raises:
        Problem: It is larger, or too slow.
        Gone: The client has hung up.
    """
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > most:
        raise too_large(limits)
    end, total, more = time.monotonic() + limits.upload_seconds, 0, True
    while more:
        patience = min(limits.pause_seconds, end - time.monotonic())
        with anyio.move_on_after(max(0.0, patience)) as waiting:
            message = await request.receive()
        if waiting.cancelled_caught:
            raise Problem("upload-too-slow", f"after {total} bytes nothing more came in time")
        if message["type"] == "http.disconnect":
            raise Gone
        piece, more = message.get("body", b""), message.get("more_body", False)
        total += len(piece)
        if total > most:
            raise too_large(limits)
        yield piece


def too_large(limits: Limits) -> Problem:
    """Return the problem with a file of too many bytes."""
    return Problem("too-large-bytes", f"the file has more than {limits.upload_bytes} bytes")


async def _read_form(request: Request, boundary: bytes, upload: Upload, file: BinaryIO, limits: Limits) -> None:
    if not 1 <= len(boundary) <= 200:
        raise Problem("malformed-request", "the form's Content-Type names no boundary")
    form = _Form(upload, file, limits)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for piece in pieces(request, limits, limits.upload_bytes + FORM_ROOM):
            parser.write(piece)
        parser.finalize()
    except FormParserError as error:
        raise Problem("malformed-request", f"the form is malformed: {str(error)[:200]}") from None
    if not form.ended:
        raise Problem("malformed-request", "the form stops before its end")


class _Form:
    """Takes the parts of a form as they come: the picture goes into a file, the rest into a list."""

    def __init__(self, upload: Upload, file: BinaryIO, limits: Limits) -> None:
        self.ended = False
        self._upload, self._file, self._limits = upload, file, limits
        self._header, self._value, self._disposition = b"", b"", b""
        self._name, self._content, self._parts, self._files = "", b"", 0, 0
        self._is_file = False

    def callbacks(self) -> "MultipartCallbacks":
        """Return what the parser calls."""
        return {
            "on_part_begin": self._part_begin,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > self._limits.fields:
            raise Problem("too-many-fields", f"the form has more than {self._limits.fields} fields")
        self._disposition, self._content, self._is_file = b"", b"", False

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        kind, parameters = parse_options_header(self._disposition)
        if kind != b"form-data" or b"name" not in parameters:
            raise Problem("malformed-request", "a part of the form has no name")
        self._name = parameters[b"name"].decode("utf-8", "replace")
        self._is_file = self._name == FILE_FIELD
        if not self._is_file:
            if parameters.get(b"filename"):
                said = f"there is a file in the field {self._name[:60]!r}"
                raise Problem("no-picture", said, f"the picture's field is called {FILE_FIELD}")
            return
        self._files += 1
        if self._files > 1:
            raise Problem("malformed-request", "the form has more than one picture", "send one request for each")
        self._upload.name = plain_name(parameters.get(b"filename", b"").decode("utf-8", "replace"))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if not self._is_file:
            self._content += data[start:end]
            if len(self._content) > self._limits.field_bytes:
                raise Problem("too-many-fields", f"the field {self._name[:60]!r} is too long")
            return
        self._upload.size += end - start
        if self._upload.size > self._limits.upload_bytes:
            raise too_large(self._limits)
        self._file.write(data[start:end])

    def _part_end(self) -> None:
        if not self._is_file:
            self._upload.fields.append((self._name, self._content.decode("utf-8", "replace")))

    def _end(self) -> None:
        self.ended = True


def plain_name(text: str) -> str:
    """Return what a client calls its file: the last part of a path, printable, of bounded length."""
    name = PurePosixPath(text.replace("\\", "/")).name
    name = "".join(letter for letter in name if letter.isprintable() and letter not in '<>:"|?*').strip(" .")
    stem, dot, ending = name.rpartition(".")
    if not dot:
        return name[:MAX_NAME] or "picture"
    return f"{stem[:MAX_NAME]}.{ending[:10]}"
