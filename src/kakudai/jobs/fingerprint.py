"""Which file it is: its size, its time, and a hash of its bytes."""

import hashlib
import json
import os
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

BYTES = 16
"""Of a hash: enough that no two of any number of pictures meet by chance."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file was at one moment.

    Args:
        size: In bytes.
        mtime_ns: When it was last changed, in nanoseconds since 1970.
        hash: BLAKE2b of its bytes, 16 bytes in hexadecimal.
    """

    size: int
    mtime_ns: int
    hash: str


def stamp_file(path: str | PathLike[str]) -> Stamp:
    """Read a file and say what it is now.

    Raises:
        OSError: It cannot be read.
    """
    with Path(path).open("rb") as file:
        state = os.fstat(file.fileno())
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=BYTES))
    return Stamp(state.st_size, state.st_mtime_ns, digest.hexdigest())


def hash_bytes(data: bytes) -> str:
    """Return the hash of some bytes, as in a `Stamp`."""
    return hashlib.blake2b(data, digest_size=BYTES).hexdigest()


def hash_json(value: Any) -> str:
    """Return a hash that is the same for all ways to write down the same value."""
    return hash_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def is_same(path: str | PathLike[str], stamp: Stamp, *, verify: bool = False) -> bool:
    """Say whether a file has the bytes that it had when it was stamped.

    A file of the same size and time is taken for the same. Where only the time is another, as after a copy, its bytes
    decide.

    Args:
        path: The file.
        stamp: What it was.
        verify: Trust neither size nor time.
    """
    try:
        state = os.stat(path)  # noqa: PTH116 - twice for each of ten thousand pictures
        if state.st_size != stamp.size:
            return False
        if state.st_mtime_ns == stamp.mtime_ns and not verify:
            return True
        return stamp_file(path).hash == stamp.hash
    except OSError:
        return False
