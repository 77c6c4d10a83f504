"""The file that a job is written down in: read whole at the start, then only lengthened, a line at a time."""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from kakudai.errors import OutputError, UsageError
from kakudai.jobs.lines import Entry, NewerSchema, Run, read_line, write_line
from kakudai.jobs.lock import lock

NAME = "kakudai-manifest.jsonl"
"""What it is called in an output folder."""

START = b'{"schema":1,"kind":"run",'
"""What the first line begins with."""

BINARY = getattr(os, "O_BINARY", 0)
"""On Windows: write what is given, and no other ends of lines."""

FSYNC_SECONDS = 5.0
"""A power cut costs the lines of so many seconds; pictures that they tell of are done again."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a manifest says.

    Args:
        runs: In their order.
        entries: Of pictures, in their order.
        corrupt: Numbers of lines, from 1, that cannot be read.
        whole: Bytes up to the end of the last whole line. What comes after was cut off by a crash, and says nothing.
    """

    runs: list[Run] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    corrupt: list[int] = field(default_factory=list)
    whole: int = 0


def read_manifest(path: Path) -> Contents:
    """Read a manifest.

    Raises:
        UsageError: It is another kind of file, or was written by a later version.
        OutputError: It cannot be read.
    """
    try:
        return parse(path.read_bytes(), path)
    except FileNotFoundError:
        raise UsageError(f"there is no manifest {path}", "it lies in the output folder of a job") from None
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror}", "check its permissions") from error


def parse(data: bytes, path: Path | str) -> Contents:
    """Read the bytes of a manifest that lies at a path or an address, see `read_manifest`."""
    contents = Contents(whole=data.rfind(b"\n") + 1)
    for number, line in enumerate(data[: contents.whole].split(b"\n")[:-1], 1):
        try:
            content = read_line(line)
        except NewerSchema as error:
            raise UsageError(f"{path} was written by a later kakudai ({error})", "use that one") from error
        except ValueError:
            contents.corrupt.append(number)
        else:
            (contents.runs if isinstance(content, Run) else contents.entries).append(content)  # type: ignore[arg-type]
    begins_as_ours = data.startswith(START[: len(data)])
    if not contents.runs and not contents.entries and not begins_as_ours:
        raise UsageError(f"{path} is no manifest of kakudai", "name another file with --manifest")
    return contents


class Manifest:
    """A manifest that a run adds to. No other run can have it meanwhile. It is made when the first line is written.

    Args:
        path: The file, which need not be there.
        reading: Nothing will be written: whoever writes meanwhile is not disturbed.

    Attributes:
        contents: What it said when it was opened.

    Raises:
        UsageError: It is a folder or another kind of file, or another run has it.
        OutputError: It cannot be read.
    """

    def __init__(self, path: Path, *, reading: bool = False) -> None:
        self.path, self.contents = path, Contents()
        if path.is_dir():
            raise UsageError(f"the manifest {path} is a folder", f"name a file, for example {path / NAME}")
        self._reading = reading
        self._file: int | None = None
        self._torn = self._writable = False
        self._synced = time.monotonic()
        if os.path.lexists(path):
            if reading:
                self.contents = read_manifest(path)
            else:
                self._open()

    def __enter__(self) -> "Manifest":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def add(self, content: Run | Entry) -> None:
        """Write a line; it is in the hands of the system when this returns.

        Raises:
            OutputError: It cannot be written. Nothing more should be done then, for nobody would know of it.
        """
        with _failing(self.path):
            file = self._to_write()
            rest = write_line(content)
            start = os.fstat(file).st_size
            try:
                while rest:
                    rest = rest[os.write(file, rest) :]
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(file, start)  # or the next line would be spoiled by half a line before it
                raise
            if time.monotonic() > self._synced + FSYNC_SECONDS:
                os.fsync(file)
                self._synced = time.monotonic()

    @property
    def name(self) -> str:
        """What to call it."""
        return str(self.path)

    @property
    def is_writable(self) -> bool:
        """Whether lines can be added to a file that is there."""
        return self._writable and not self._reading

    def sync(self) -> None:
        """Bring all lines to the disk.

        Raises:
            OutputError: That cannot be done.
        """
        with _failing(self.path):
            if self._file is not None and self._writable:
                os.fsync(self._file)
                self._synced = time.monotonic()

    def close(self) -> None:
        """Bring everything to the disk and let another run have it."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            with _failing(self.path):
                if self._writable:
                    os.fsync(file)
        finally:
            os.close(file)

    def _open(self) -> None:
        """Open, lock and read the manifest that is there; one that cannot be written is good enough to be read."""
        try:
            self._file, self._writable = os.open(self.path, os.O_RDWR | os.O_APPEND | BINARY), True
        except OSError:
            with _failing(self.path):
                self._file = os.open(self.path, os.O_RDONLY | BINARY)
        try:
            self._lock(self._file)
            self.contents = read_manifest(self.path)
        except BaseException:
            os.close(self._file)
            raise
        self._torn = self.contents.whole < os.fstat(self._file).st_size

    def _to_write(self) -> int:
        """Return the open file, made if there was none, without what a crash has cut off."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | BINARY, 0o666)
            except FileExistsError:
                raise _in_use(self.path) from None
            self._writable = True
            self._lock(self._file)
        if not self._writable:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if self._torn:
            os.ftruncate(self._file, self.contents.whole)
            self._torn = False
        return self._file

    def _lock(self, file: int) -> None:
        try:
            lock(file)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise _in_use(self.path) from None
            hint = "put it on another disk with --manifest FILE"
            raise OutputError(f"{self.path} cannot be locked: {error.strerror}", hint) from error


def _in_use(path: Path) -> UsageError:
    return UsageError(f"another run is writing {path}", "wait until it has ended, or name another with --manifest")


@contextlib.contextmanager
def _failing(path: Path) -> Iterator[None]:
    """Turn what the operating system says into one line with a hint."""
    try:
        yield
    except OSError as error:
        hint = "put that right and give the same command again: it goes on where it was"
        raise OutputError(f"cannot write {path}: {error.strerror}", hint) from error
