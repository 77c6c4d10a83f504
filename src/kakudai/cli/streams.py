"""Pictures through pipes: all of standard input, and a standard output that is written whole or says that it is not."""

import io
import sys
from typing import BinaryIO, cast

from kakudai.errors import UsageError


def read_standard_input() -> bytes:
    """Return all of standard input.

    Raises:
        UsageError: It is a terminal.
    """
    if sys.stdin.isatty():
        raise UsageError(
            "standard input is a terminal", "pipe a picture into it: cat photo.jpg | kakudai - -o large.png"
        )
    return sys.stdin.buffer.read()


def standard_output() -> BinaryIO:
    """Return a stream into standard output.

    Raises:
        UsageError: It is a terminal.
    """
    if sys.stdout.isatty():
        raise UsageError(
            "standard output is a terminal, which shows no pictures",
            "write into a file: kakudai photo.jpg -o large.png",
        )
    return cast(BinaryIO, WholeWriter(sys.stdout.buffer))


class WholeWriter(io.RawIOBase):
    """Write everything that is given, at once and to the end.

    Under `python -u` and PYTHONUNBUFFERED, as many containers have it, `sys.stdout.buffer` may write only a part and
    report so in a number that nobody reads: a picture cut off that passes for a whole one. And what lies in a buffer
    fails only after the program has said that all went well.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]  # io's Buffer type is Python 3.12's
        """Write all bytes and flush; return their number."""
        rest = memoryview(data).cast("B")
        while len(rest):
            rest = rest[self._stream.write(rest) or 0 :]
        self._stream.flush()
        return len(data)
