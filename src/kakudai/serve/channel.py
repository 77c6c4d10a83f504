"""What the helping processes share: JSON lines on standard input and output, and nothing else on either."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO


class Channel:
    """The standard streams of a helping process, for messages alone: what else is printed goes to standard error."""

    def __init__(self) -> None:
        self._in: BinaryIO = os.fdopen(os.dup(0), "rb")
        self._out: BinaryIO = os.fdopen(os.dup(1), "wb")
        self._writing = threading.Lock()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield what comes in until the other side has gone."""
        for line in self._in:
            yield json.loads(line)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; from any thread."""
        with self._writing:
            self._out.write(json.dumps(message).encode() + b"\n")
            self._out.flush()

    def close(self) -> None:
        """Let go of the streams, as a process does that was forked and must not speak."""
        for stream in (self._in, self._out):
            os.close(stream.fileno())
