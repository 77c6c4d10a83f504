"""Which file it is: its size, its time, and a hash of its bytes."""

import hashlib
import json
import os
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

BYTES = 16
"""Of a hash: enough that no two of any number of pictures meet by chance."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file was at one moment.

    Args:
        size: In bytes.
        mtime_ns: When it was last changed, in nanoseconds since 1970.
        hash: BLAKE2b of its bytes, 16 bytes in hexadecimal.
        ctime_ns: When its bytes, its name or its permissions were last changed, which nobody can set; 0 where that was
            not known.
        tag: Of objects in buckets: the server's name of their content; empty where it gives none.
    """

    size: int
    mtime_ns: int
    hash: str
    ctime_ns: int = 0
    tag: str = ""


def stamp_file(path: str | PathLike[str]) -> Stamp:
    """Read a file and say what it is now.

    Raises:
        OSError: It cannot be read.
    """
    with Path(path).open("rb") as file:
        return _stamp(file, os.fstat(file.fileno()).st_ctime_ns)


def stamp_open(file: BinaryIO) -> Stamp:
    """Say what a file is that is written, and has no name yet: the time when it gets one is not known.

    Raises:
        OSError: It cannot be read.
    """
    place = file.tell()
    file.seek(0)
    try:
        return _stamp(file, 0)
    finally:
        file.seek(place)


def _stamp(file: BinaryIO, ctime_ns: int) -> Stamp:
    state = os.fstat(file.fileno())
    digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=BYTES))  # type: ignore[arg-type]
    return Stamp(state.st_size, state.st_mtime_ns, digest.hexdigest(), ctime_ns)


def stamp_known(path: str | PathLike[str], stamp: Stamp) -> Stamp:
    """Return a stamp with the times that a file has now, unless it is no longer what it was when it was stamped."""
    try:
        state = os.stat(path)  # noqa: PTH116
    except OSError:
        return stamp
    same = (state.st_size, state.st_mtime_ns) == (stamp.size, stamp.mtime_ns)
    return Stamp(stamp.size, stamp.mtime_ns, stamp.hash, state.st_ctime_ns) if same else stamp


def hash_bytes(data: bytes) -> str:
    """Return the hash of some bytes, as in a `Stamp`."""
    return hashlib.blake2b(data, digest_size=BYTES).hexdigest()


def hash_json(value: Any) -> str:
    """Return a hash that is the same for all ways to write down the same value."""
    return hash_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def is_same(path: str | PathLike[str], stamp: Stamp, *, verify: bool = False) -> bool:
    """Say whether a file has the bytes that it had when it was stamped.

    A file of the same size and times is taken for the same. Where only a time is another, as after a copy, its bytes
    decide.

    Args:
        path: The file.
        stamp: What it was.
        verify: Trust neither size nor times.
    """
    try:
        state = os.stat(path)  # noqa: PTH116 - twice for each of ten thousand pictures
        if state.st_size != stamp.size:
            return False
        if (state.st_mtime_ns, state.st_ctime_ns) == (stamp.mtime_ns, stamp.ctime_ns) and not verify:
            return True
        return stamp_file(path).hash == stamp.hash
    except OSError:
        return False


def has_times(path: str | PathLike[str], stamp: Stamp) -> bool:
    """Say whether a file is as it was without a look at its bytes."""
    try:
        state = os.stat(path)  # noqa: PTH116
    except OSError:
        return False
    now = (state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    return now == (stamp.size, stamp.mtime_ns, stamp.ctime_ns)
