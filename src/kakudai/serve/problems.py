"""Everything that can go wrong for a client, in one table: RFC 9457 problem documents with stable types.

Source: RFC 9457, Problem Details for HTTP APIs.
"""

from dataclasses import dataclass
from typing import Any

from kakudai.errors import (
    KakudaiError,
    ModelError,
    OutOfMemory,
    OutputError,
    PictureError,
    PictureTooLarge,
    RuntimeUnavailable,
    UsageError,
    WrongResult,
)

MEDIA_TYPE = "application/problem+json"
BASE = "/problems/"


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of problem.

    Args:
        status: Of the answer.
        title: The same few words each time.
        meaning: What it means, and what can be done, in sentences.
        retry: Seconds after which another try makes sense; None where the same request fails again.
    """

    status: int
    title: str
    meaning: str
    retry: int | None = None


KINDS: dict[str, Kind] = {
    "malformed-request": Kind(400, "The request is malformed", "The body is not what its headers say, or stops early."),
    "no-picture": Kind(
        400, "There is no picture", "Send one as the form field `file`, or as the whole body of the request."
    ),
    "too-many-fields": Kind(
        400, "The form has too many fields", "A form holds the picture and a few options; each option is short."
    ),
    "token-missing": Kind(
        401, "A token is needed", "This server wants a token: `Authorization: Bearer TOKEN`, or sign in at /token."
    ),
    "token-wrong": Kind(403, "The token is wrong", "Ask whoever runs this server for the right one."),
    "wrong-host": Kind(
        403,
        "The host is not this server's",
        "The Host header names another machine: web pages of others may not reach this server through their own names. "
        "Whoever runs it adds names with --name.",
    ),
    "cross-site": Kind(
        403, "The request comes from another site", "Pages of other sites may not use this server through a browser."
    ),
    "not-found": Kind(404, "There is nothing here", "See /openapi.json for all addresses."),
    "job-not-found": Kind(
        404,
        "There is no such job",
        "It never was, was cancelled, or its result has been deleted: results live for an hour at most.",
    ),
    "method-not-allowed": Kind(405, "The method is not allowed", "The Allow header says which are."),
    "upload-too-slow": Kind(408, "The upload is too slow", "Send it again over a better line, or a smaller file.", 1),
    "no-result": Kind(
        409, "There is no result yet", "Ask the job for its state, and fetch the result when it is done."
    ),
    "too-large-bytes": Kind(413, "The file is too large", "Save the picture with more compression, or smaller."),
    "too-large-pixels": Kind(413, "The picture has too many pixels", "Cut it, or shrink it."),
    "too-large-side": Kind(413, "The picture is too long", "Cut it into pieces."),
    "too-many-frames": Kind(413, "The animation has too many frames", "Only the first frame is used: send that."),
    "too-large-result": Kind(413, "The result would have too many pixels", "Ask for a smaller scale, or send a part."),
    "too-costly": Kind(
        413,
        "The picture would take too long",
        "A request that waits for its picture has a deadline: send it to /v1/jobs, or ask for less.",
    ),
    "not-a-picture": Kind(
        415, "This is no picture of a known format", "Formats are known by their content. GET /v1/models lists them."
    ),
    "broken-picture": Kind(
        422,
        "The picture is damaged",
        "Its format is known, but it cannot be decoded. Save it again in another program.",
    ),
    "too-hard-to-decode": Kind(
        422,
        "The picture takes too much to decode",
        "Decoding has limits on time and memory, which no ordinary picture reaches.",
    ),
    "wrong-option": Kind(
        422, "An option has a wrong value", "The document's `errors` say which, and what is accepted."
    ),
    "unknown-option": Kind(422, "An option is unknown", "The hint lists the known ones."),
    "unknown-model": Kind(422, "The model is unknown", "GET /v1/models lists all. Paths are not accepted."),
    "not-possible": Kind(422, "This cannot be done", "The options exclude each other, or no network can do it."),
    "cannot-enlarge": Kind(
        422,
        "The picture cannot be enlarged",
        "What came out was not the enlarged picture, so it was thrown away. Try another model.",
    ),
    "too-many-requests": Kind(
        429, "Too many pictures at once", "Wait until some of yours are done, then send the next.", 5
    ),
    "internal": Kind(500, "The server made a mistake", "This is a mistake of kakudai, not of the request."),
    "queue-full": Kind(503, "The queue is full", "Send it again after the seconds that Retry-After says.", 10),
    "too-many-uploads": Kind(503, "Too many uploads at once", "Send it again a little later.", 5),
    "too-many-streams": Kind(
        503, "Too many event streams at once", "Ask for the job's state now and then instead, or try again.", 5
    ),
    "starting": Kind(503, "The server is starting", "It is ready within seconds.", 2),
    "stopping": Kind(503, "The server is stopping", "Send it again when it is back.", 30),
    "worker-died": Kind(
        503, "The process at work has died", "Another has been started. If it happens again, the picture is why.", 2
    ),
    "no-room": Kind(503, "There is no room on the disk", "Whoever runs the server has to make some.", 60),
    "out-of-memory": Kind(503, "There is not enough memory", "Send a smaller picture, or try again later.", 30),
    "deadline": Kind(
        504, "It took too long", "The work was given up. Send it to /v1/jobs, which has more time, or ask for less."
    ),
}
"""Name -> what it is. Names are part of the API: they are added, and neither changed nor used for something else."""

STATUS_KINDS = {400: "malformed-request", 404: "not-found", 405: "method-not-allowed", 422: "wrong-option"}
"""What stands for the plain status codes that the framework gives."""


class Problem(Exception):
    """A request cannot be fulfilled, and the client is told why.

    Args:
        name: One of `KINDS`.
        detail: What happened this time, with values. One line.
        hint: What to do about it. One line, or empty.
        more: Further members of the document.
        retry: Seconds for Retry-After, where they are better known than the kind's.
    """

    def __init__(
        self, name: str, detail: str, hint: str = "", *, more: dict[str, Any] | None = None, retry: float | None = None
    ) -> None:
        super().__init__(detail)
        self.name, self.kind = name, KINDS[name]
        self.detail, self.hint, self.more = detail, hint, more or {}
        self.retry = self.kind.retry if retry is None else max(1, round(retry))

    @property
    def status(self) -> int:
        """Status of the answer."""
        return self.kind.status

    def as_json(self) -> dict[str, Any]:
        """Return the problem document."""
        return {
            "type": BASE + self.name,
            "title": self.kind.title,
            "status": self.status,
            "detail": self.detail,
            "hint": self.hint or self.kind.meaning,
            **self.more,
        }

    @property
    def headers(self) -> dict[str, str]:
        """Headers that belong to it."""
        headers = {} if self.retry is None else {"Retry-After": str(self.retry)}
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="kakudai"'
        return headers


NAMES: tuple[tuple[type[KakudaiError], str], ...] = (
    (PictureTooLarge, "too-large-pixels"),
    (PictureError, "broken-picture"),
    (OutOfMemory, "out-of-memory"),
    (WrongResult, "cannot-enlarge"),
    (OutputError, "not-possible"),
    (UsageError, "not-possible"),
    (ModelError, "not-possible"),
    (RuntimeUnavailable, "internal"),
)
"""Errors of the library -> problems; the first that fits counts."""


def name_of(error: KakudaiError) -> str:
    """Name the problem that an error of the library is for a client."""
    return next((name for kind, name in NAMES if isinstance(error, kind)), "internal")
