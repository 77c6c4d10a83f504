"""The lines of a manifest: one for each run, and those of its pictures.

{"schema": 1, "kind": "run", "kakudai": "0.1.0", "setting": "…", "options": {…}, "networks": {"photo-x2": "…"}}
{"schema": 1, "kind": "picture", "status": "begun", "input": {"path": "../in/a.png", "size": …, …}, …}
{"schema": 1, "kind": "picture", "status": "written", …, "output": {"path": "a.png", "size": …, "hash": …}}
{"schema": 1, "kind": "picture", "status": "done", …, "output": {"path": "a.png", "size": …, …}, "seconds": 0.31}

"written" is said of a result that is whole and about to appear: if that very file is there, the picture is done.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from kakudai.jobs.fingerprint import Stamp, hash_json

SCHEMA = 1
"""Version of the lines; it rises when a key changes its meaning or goes."""

Status = Literal["begun", "written", "done", "failed", "skipped"]

BAD_PAGES = "BadPages"
"""The reason of a book that is done but for some pages."""

FINAL = ("PictureUnreadable", BAD_PAGES)
"""Reasons that follow from the bytes of the input alone: they hold until those are others."""


class NewerSchema(ValueError):
    """A line was written by a later version of kakudai."""


@dataclass(frozen=True, slots=True)
class Run:
    """What holds for all pictures of one run.

    Args:
        kakudai: Version of the program.
        options: All that decides the bytes of a result, as it was asked for.
        networks: Name -> hash, of every network that a picture may be given.
        runtime: What ran them.
        started_ns: Nanoseconds since 1970.
    """

    kakudai: str
    options: dict[str, Any]
    networks: dict[str, str]
    runtime: str = ""
    started_ns: int = 0

    @property
    def setting(self) -> str:
        """A hash of what decides the bytes of a result; results of another setting do not count."""
        return hash_json([self.kakudai, self.options, sorted(self.networks.values())])


@dataclass(frozen=True, slots=True)
class Entry:
    """What was begun with one picture, or became of it.

    Args:
        source: Path of the input, see `Places`.
        target: Path of the output; empty where it had none.
        status: What this line says.
        setting: Of the run, see `Run.setting`.
        at_ns: When the line was written, in nanoseconds since 1970.
        before: The input when it was begun; None where it could not be read.
        after: The output, where one was written, or is about to appear.
        error: Why there is none, or not all of it.
        hint: What to do about that.
        reason: The kind of that error, by the name of its class; empty in lines that do not say.
        seconds: Reading, enlarging and writing it.
        pixels: Of the output, all frames together.
        networks: That were used, by name.
    """

    source: str
    target: str
    status: Status
    setting: str
    at_ns: int
    before: Stamp | None = None
    after: Stamp | None = None
    error: str = ""
    hint: str = ""
    reason: str = ""
    seconds: float = 0.0
    pixels: int = 0
    networks: tuple[str, ...] = ()


def write_line(content: Run | Entry) -> bytes:
    """Return a line with its end."""
    fields: dict[str, Any]
    if isinstance(content, Run):
        fields = {"kind": "run", "setting": content.setting, **asdict(content)}
    else:
        fields = {"kind": "picture", "status": content.status, **_of_entry(content)}
    return json.dumps({"schema": SCHEMA, **fields}, separators=(",", ":")).encode() + b"\n"


def _of_entry(entry: Entry) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "input": {"path": entry.source, **_of_stamp(entry.before)},
        "output": {"path": entry.target, **_of_stamp(entry.after)},
        "setting": entry.setting,
        "at_ns": entry.at_ns,
    }
    told = {
        "error": entry.error, "hint": entry.hint, "reason": entry.reason, "pixels": entry.pixels,
        "networks": entry.networks,
    }  # fmt: skip
    return {**fields, "seconds": round(entry.seconds, 3), **{key: value for key, value in told.items() if value}}


def _of_stamp(stamp: Stamp | None) -> dict[str, Any]:
    if stamp is None:
        return {}
    tag = {"tag": stamp.tag} if stamp.tag else {}
    return {"size": stamp.size, "mtime_ns": stamp.mtime_ns, "ctime_ns": stamp.ctime_ns, "hash": stamp.hash, **tag}


def read_line(line: bytes) -> Run | Entry:
    """Read a line.

    Raises:
        NewerSchema: It was written by a later version.
        ValueError: It is no line of a manifest, or is damaged.
    """
    try:
        fields = json.loads(line)
        if fields["schema"] > SCHEMA:
            raise NewerSchema(f"schema {fields['schema']}")
        return _entry(fields) if fields["kind"] == "picture" else _run(fields)
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"not a line of a manifest: {error}") from error


def _run(fields: dict[str, Any]) -> Run:
    if fields["kind"] != "run":
        raise ValueError(f"kind is {fields['kind']!r}")
    return Run(
        str(fields["kakudai"]), dict(fields["options"]), dict(fields["networks"]), str(fields["runtime"]),
        int(fields["started_ns"]),
    )  # fmt: skip


def _entry(fields: dict[str, Any]) -> Entry:
    status, before, after = fields["status"], fields["input"], fields["output"]
    if status not in get_args(Status):
        raise ValueError(f"status is {status!r}")
    return Entry(
        str(before["path"]),
        str(after["path"]),
        cast(Status, status),
        str(fields["setting"]),
        int(fields["at_ns"]),
        _stamp(before),
        _stamp(after),
        str(fields.get("error", "")),
        str(fields.get("hint", "")),
        str(fields.get("reason", "")),
        float(fields["seconds"]),
        int(fields.get("pixels", 0)),
        tuple(fields.get("networks", ())),
    )


def _stamp(fields: dict[str, Any]) -> Stamp | None:
    if "hash" not in fields:
        return None
    size, mtime_ns, ctime_ns = int(fields["size"]), int(fields["mtime_ns"]), int(fields.get("ctime_ns", 0))
    return Stamp(size, mtime_ns, str(fields["hash"]), ctime_ns, str(fields.get("tag", "")))
