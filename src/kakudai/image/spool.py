"""Arrays of pixels that are too large for memory lie in nameless files, and are used like all others.

Decoded pictures, and what lies between two networks, can be larger than memory. Such an array is mapped from a file
that has no name and is gone when nobody uses it any more, also after a kill. What was read or written of it counts as
memory of this process until `forget` gives it back to the system, which keeps as much of the file as it has room for.
"""

import contextlib
import errno
import math
import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from kakudai.errors import OutputError
from kakudai.image.picture import Pixels

SMALL = 128 << 20
"""Bytes of an array up to which it is kept in memory. A number of the picture, never of the machine."""

ZEROS = bytes(1 << 20)


class Spooled(mmap.mmap):
    """A file that was made here. To `forget` a mapping of somebody else could lose what was written into it."""


@dataclass(frozen=True, slots=True)
class Room:
    """Where arrays go that are too large for memory.

    Args:
        folder: Has their files; None for the system's folder of temporary files, which may be memory itself.
        limit: Bytes of an array up to which it is kept in memory; None keeps all there.
    """

    folder: Path | None = None
    limit: int | None = SMALL

    def holds(self, shape: tuple[int, ...], dtype: DTypeLike) -> bool:
        """Say whether such an array is kept in memory."""
        return self.limit is None or math.prod(shape) * np.dtype(dtype).itemsize <= self.limit

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> Pixels:
        """Return an array of any content, in a file if it is large.

        Raises:
            OutputError: The disk is full, or the folder cannot be written.
        """
        kind = np.dtype(dtype)
        size = math.prod(shape) * kind.itemsize
        if self.holds(shape, kind):
            return np.empty(shape, kind)
        try:
            with tempfile.TemporaryFile(dir=self.folder) as file:
                _reserve(file.fileno(), size)
                return np.frombuffer(Spooled(file.fileno(), size), kind).reshape(shape)
        except OSError as error:
            raise OutputError(
                f"no room for {size} bytes of pixels in {self.folder or tempfile.gettempdir()}: {error.strerror}",
                "make room on the disk, or write elsewhere",
            ) from None


MEMORY = Room(limit=None)
"""All arrays in memory: for those who hand over their own arrays, and have room for the result."""


def _reserve(number: int, size: int) -> None:
    """Make a file that long, with room on the disk for all of it: a mapped file that has none kills the process."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(number, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
        else:
            return
    while size:
        size -= os.write(number, ZEROS[:size])


def mapping_of(array: Pixels) -> Spooled | None:
    """Return the file of a `Room` that an array, or what it is a view of, is mapped from; None for all others."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    return base if isinstance(base, Spooled) else None


def forget(*arrays: Pixels | None) -> None:
    """Give the memory of arrays that lie in files back to the system; what is in them stays."""
    for array in arrays:
        mapping = None if array is None else mapping_of(array)
        if mapping is not None and hasattr(mapping, "madvise"):
            with contextlib.suppress(OSError, ValueError):
                mapping.madvise(mmap.MADV_DONTNEED)


def strips(array: Pixels, rows: int = 256) -> Iterator[Pixels]:
    """Yield an array some rows at a time, from top to bottom, and forget each when the next is asked for."""
    for start in range(0, len(array), rows):
        yield array[start : start + rows]
        forget(array)


def together(bands: Iterable[Pixels], output: Pixels) -> Pixels:
    """Put rows that come from top to bottom into an array, and return it."""
    top = 0
    for band in bands:
        output[top : top + len(band)] = band
        top += len(band)
        forget(output)
    return output
