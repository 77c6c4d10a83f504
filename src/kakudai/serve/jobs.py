"""One picture on its way through the server: what was asked, how far it is, and what became of it."""

import asyncio
import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any, Literal
from urllib.parse import quote

from kakudai.image.formats import FORMATS
from kakudai.serve.header import Header
from kakudai.serve.options import Options
from kakudai.serve.problems import Problem

State = Literal["waiting", "running", "done", "failed", "cancelled"]
FINAL: tuple[State, ...] = ("done", "failed", "cancelled")

MEDIA_TYPES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "tiff": "image/tiff",
    "avif": "image/avif",
    "gif": "image/gif",
}
"""Format -> what a result of it is sent as."""


def new_id() -> str:
    """Return 128 random bits: who does not know them cannot guess them."""
    return secrets.token_hex(16)


@dataclass(slots=True, eq=False)
class Job:
    """One picture.

    Args:
        id: 128 random bits; whoever knows them may see and cancel the job.
        folder: Its own, with all its files.
        client: Who asked.
        name: What the client calls the picture.
        options: What was asked.
        header: What the picture's file says of itself.
        input_size: (width, height).
        output_size: (width, height).
        estimate: Seconds that it will take, by its size.
        renamed: Name of the result, where it is not made of the picture's name.
    """

    id: str
    folder: Path
    client: str
    name: str
    options: Options
    header: Header
    input_size: tuple[int, int] | None = None
    output_size: tuple[int, int] | None = None
    estimate: float = 0.0
    renamed: str | None = None
    state: State = "waiting"
    place: int | None = None
    progress: float = 0.0
    model: str | None = None
    strength: int | None = None
    precision: str | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()
    seconds: float | None = None
    problem: Problem | None = None
    bytes: int = 0
    started: float | None = None
    ends: float = 0.0
    fetched: bool = False
    version: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def source(self) -> Path:
        """The picture as it was sent."""
        return self.folder / "upload"

    @property
    def decoded(self) -> Path:
        """The folder of its pixels, while it runs."""
        return self.folder / "decoded"

    @property
    def result(self) -> Path:
        """The result's file."""
        return self.folder / f"result.{FORMATS[self.format].extensions[0]}"

    @property
    def format(self) -> str:
        """Name of the result's format: what was asked, or that of the picture, or png where nobody writes that."""
        own = self.header.format
        # Of an animation the first frame is taken: its colours need no palette.
        return self.options.format or (own if FORMATS[own].saver and own != "gif" else "png")

    @property
    def file_name(self) -> str:
        """What the result is called when it is saved, as the command line calls it."""
        if self.renamed is not None:
            return self.renamed
        path = PurePath(self.name)
        known = FORMATS[self.format].extensions
        ending = path.suffix[1:] if path.suffix[1:].lower() in known else known[0]
        return f"{path.stem}_{self.options.label}.{ending}"

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL

    def change(self, **fields: Any) -> None:
        """Change some of its fields, and tell everybody who waits for that."""
        for name, value in fields.items():
            setattr(self, name, value)
        self.version += 1
        event, self._changed = self._changed, asyncio.Event()
        event.set()

    async def changed(self, version: int) -> None:
        """Wait until there is something newer than a version."""
        while self.version <= version:
            await self._changed.wait()

    async def finished(self) -> None:
        """Wait until nothing will change any more."""
        while not self.is_final:
            await self.changed(self.version)

    def seconds_left(self, ahead: float) -> float:
        """Estimate the time to the end; `ahead` is what those before it take."""
        if self.is_final:
            return 0.0
        if self.state == "waiting" or self.started is None:
            return round(ahead + self.estimate, 1)
        gone = time.monotonic() - self.started
        left = gone * (1 - self.progress) / self.progress if self.progress > 0.05 else self.estimate - gone
        return round(max(0.0, left), 1)

    def as_json(self, ahead: float = 0.0) -> dict[str, Any]:
        """Return what `GET /v1/jobs/{id}` says."""
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "place": self.place,
            "progress": round(self.progress, 3),
            "seconds_left": self.seconds_left(ahead),
            "input_size": self.input_size,
            "output_size": self.output_size,
            "model": self.model,
            "strength": self.strength,
            "precision": self.precision,
            "reason": self.reason,
            "notes": list(self.notes),
            "seconds": self.seconds,
            "result": f"/v1/jobs/{self.id}/result" if self.state == "done" else None,
            "problem": None if self.problem is None else self.problem.as_json(),
            "expires": datetime.fromtimestamp(self.ends, UTC).isoformat(timespec="seconds"),
        }

    def headers(self, *, inline: bool = False) -> dict[str, str]:
        """Return the headers of the result."""
        notes = json.dumps(list(self.notes))
        return {
            "Content-Type": MEDIA_TYPES[self.format],
            "Content-Disposition": f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{quote(self.file_name)}",
            "Kakudai-Model": plain(self.model or ""),
            "Kakudai-Strength": str(self.strength or 0),
            "Kakudai-Precision": self.precision or "",
            "Kakudai-Reason": plain(self.reason or ""),
            "Kakudai-Seconds": f"{self.seconds or 0:.3f}",
            "Kakudai-Notes": notes if len(notes) <= 4000 else "[]",
            "Cache-Control": "private, no-store",
        }


def plain(text: str) -> str:
    """Return text that a header can hold."""
    return text.encode("ascii", "replace").decode("ascii")
