"""Objects in buckets: the few things that are done with them, tried again while there is hope, each error one line.

fsspec knows the protocols; it is imported when the first address is used.
"""

import contextlib
import importlib
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kakudai.errors import BucketError, OutputExists, PictureNotFound, UsageError
from kakudai.jobs.address import is_bucket, within
from kakudai.jobs.asking import Made, asked, exists, no_bucket

LARGEST = 4 << 30
"""Bytes that are fetched at most of an object of which nobody says how large it is."""

SENT_AT_ONCE = 50 << 20
FETCHED_AT_ONCE = 5 << 20
"""Bytes; larger objects may go in several requests, of which each may be about another object."""

TAGS = ("ETag", "etag", "md5Hash")
TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")
"""What file systems call the name of a content, and the time of its last change."""


@dataclass(frozen=True, slots=True)
class State:
    """What an object was at one moment.

    Args:
        size: In bytes; None where that is not told.
        mtime_ns: When it was written, in nanoseconds since 1970; 0 where that is not told.
        tag: The server's name of its content; empty where it gives none.
    """

    size: int | None
    mtime_ns: int
    tag: str = ""

    def is_same(self, other: "State") -> bool:
        """Say whether it is the same content: by the server's word where it has one, else by the time.

        Where it has neither, nobody knows, and that is no.
        """
        if self.size is not None and other.size is not None and self.size != other.size:
            return False
        if self.tag and other.tag:
            return self.tag == other.tag
        return self.mtime_ns == other.mtime_ns != 0


class Store:
    """What holds objects. All methods may be called from several threads, and take whole addresses.

    Args:
        address: Of anything that it holds.

    Raises:
        UsageError: The protocol is unknown, or its package is missing.
        BucketError: It cannot be reached.
    """

    def __init__(self, address: str) -> None:
        self._protocol = address.partition("://")[0]
        fsspec = _fsspec()
        try:
            fsspec.get_filesystem_class(self._protocol)
        except (ImportError, ValueError) as error:
            raise _no_protocol(self._protocol, error) from error
        # What lists are remembered of would hide what others, and we, have written since.
        self._files = asked(address, lambda: fsspec.core.url_to_fs(address, use_listings_cache=False)[0])
        is_for_threads = self._protocol == "memory" or getattr(self._files, "async_impl", False)
        self._turn: contextlib.AbstractContextManager[Any] = (
            contextlib.nullcontext() if is_for_threads else threading.Lock()
        )
        self._is_proved = False

    def look(self, address: str) -> State | None:
        """Return the state of an object; None where there is none.

        Raises:
            BucketError: That cannot be found out.
        """
        try:
            found = self._asked(address, lambda: self._files.info(self._path(address)))
        except PictureNotFound:
            return None
        return _state(found) if _is_object(found) else None

    def below(self, prefix: str, *, recursive: bool = True) -> dict[str, State]:
        """Return all objects below a prefix, by their addresses, in the order of their names.

        Raises:
            BucketError: They cannot be listed.
            PictureNotFound: There is no such bucket.
        """
        path = self._path(prefix)
        try:
            found = self._asked(prefix, lambda: self._files.find(path, maxdepth=None if recursive else 1, detail=True))
        except PictureNotFound:
            if is_bucket(prefix) or not self._has_bucket(prefix):
                raise no_bucket(prefix) from None
            return {}
        if not found and is_bucket(prefix):
            self._has_bucket(prefix)
        root = path.rstrip("/") + "/"
        named = {name.removeprefix(root): info for name, info in found.items() if name.startswith(root)}
        return {within(prefix, name): _state(info) for name, info in sorted(named.items()) if _is_object(info)}

    def _has_bucket(self, address: str) -> bool:
        """Say whether the bucket of an address is there; protocols that have none always have it."""
        if self._protocol == "memory":
            return True
        bucket = "/".join(address.split("/")[:3])
        try:
            self._asked(bucket, lambda: self._files.info(self._path(bucket)))
        except PictureNotFound:
            return False
        return True

    def fetch(self, address: str, path: Path, limit: int) -> None:
        """Copy an object into a file.

        Args:
            address: Of the object.
            path: Of the file.
            limit: Bytes that are taken at most.

        Raises:
            PictureNotFound: There is no such object.
            BucketError: It cannot be read, or is larger than the limit.
            NoRoom: The disk is full.
        """
        limited = _limited(address, limit)
        self._asked(address, lambda: self._files.get_file(self._path(address), str(path), callback=limited()))

    def put(self, path: Path, address: str, *, create: bool) -> State:
        """Copy a file into an object, which appears whole or not at all.

        Args:
            path: Of the file.
            address: Of the object.
            create: Only where nothing is there. Servers that have proved it see to that themselves; others are asked
                before, see `prove`.

        Raises:
            OutputExists: There is an object, see `create`.
            BucketError: It cannot be written.
        """
        size = path.stat().st_size
        options = self._options(self._files.put_file, address, create=create, size=size)
        self._asked(address, lambda: self._files.put_file(str(path), self._path(address), **options))
        state = self.look(address)
        if state is None or state.size not in (size, None):
            raise BucketError(
                f"{address} has {'gone' if state is None else f'{state.size} bytes'}, though {size} were just written",
                "somebody else writes there, or the bucket does not keep what it is given",
            )
        return state

    def read(self, address: str) -> bytes | None:
        """Return the bytes of an object; None where there is none.

        Raises:
            BucketError: It cannot be read.
        """
        try:
            return bytes(self._asked(address, lambda: self._files.cat_file(self._path(address))))
        except PictureNotFound:
            return None

    def write(self, data: bytes, address: str, *, create: bool = False) -> None:
        """Make an object of some bytes, see `put`."""
        options = self._options(self._files.pipe_file, address, create=create, size=len(data))
        self._asked(address, lambda: self._files.pipe_file(self._path(address), data, **options))

    def prove(self, data: bytes, address: str) -> None:
        """Find out whether the server heeds "only where nothing is": write an object of ours that way which is there.

        Raises:
            BucketError: It cannot be written.
        """
        self._is_proved = True  # for this one request: nobody looks before it
        try:
            self.write(data, address, create=True)
        except OutputExists:
            return
        except BaseException:
            self._is_proved = False
            raise
        self._is_proved = False

    def remove(self, address: str) -> None:
        """Take away an object that is ours.

        Raises:
            BucketError: That cannot be done.
        """
        self._asked(address, lambda: self._files.rm_file(self._path(address)))

    def _asked(self, address: str, ask: Callable[[], Made]) -> Made:
        """Ask, one thread after the other where the package is not made for several, see `asked`."""

        def in_turn() -> Made:
            with self._turn:
                return ask()

        return asked(address, in_turn)

    def _options(self, method: Callable[..., Any], address: str, *, create: bool, size: int) -> dict[str, Any]:
        """Return how a file system is told to make an object only where there is none; some know no word for it.

        Raises:
            OutputExists: There is one; that was asked, unless the server has proved to see to it.
        """
        known = inspect.signature(method).parameters
        is_sure = "mode" in known and self._is_proved and size <= SENT_AT_ONCE
        if create and not is_sure and self.look(address) is not None:
            raise exists(address)
        if "mode" in known:
            return {"mode": "create" if create else "overwrite"}
        return {"overwrite": not create} if "overwrite" in known else {}

    def _path(self, address: str) -> str:
        return str(self._files._strip_protocol(address))


def _fsspec() -> Any:
    try:
        fsspec = importlib.import_module("fsspec")
    except ImportError as error:
        raise UsageError("addresses need the package fsspec", 'pip install "kakudai[buckets]"') from error
    return fsspec


def _no_protocol(protocol: str, error: Exception) -> UsageError:
    if isinstance(error, ValueError):
        return UsageError(
            f"{protocol}:// is no protocol that fsspec knows", "s3://, gs:// and abfs:// are, for example"
        )
    if protocol == "s3":
        return UsageError(f"{protocol}:// needs the package s3fs", 'pip install "kakudai[buckets]"')
    said = " ".join(str(error).split()) or "install what fsspec names for it"
    return UsageError(f"{protocol}:// needs a package that is not installed", said)


def _limited(address: str, limit: int) -> Callable[[], Any]:
    """Return what makes a callback that ends a download above a limit; each try needs its own."""
    from fsspec.callbacks import Callback

    class Limited(Callback):  # type: ignore[misc]  # as fsspec asks for; it has no types
        """Counts, and objects."""

        def set_size(self, size: int | None) -> None:
            """Take what the server says."""
            self._check(size or 0)

        def relative_update(self, inc: int = 1) -> None:
            """Take what has come."""
            self.value += inc
            self._check(self.value)

        def _check(self, size: int) -> None:
            if size > limit:
                raise BucketError(f"{address} has become larger than it was", "wait until it is whole")

    return Limited


def _is_object(info: dict[str, Any]) -> bool:
    """Say whether it is an object, and none that only stands for a folder."""
    return info.get("type") != "directory" and not str(info["name"]).endswith("/")


def _state(info: dict[str, Any]) -> State:
    tag = next((str(info[key]).strip('"') for key in TAGS if info.get(key)), "")
    time = next((info[key] for key in TIMES if info.get(key)), 0)
    size = info.get("size")
    return State(None if size is None else int(size), _nanoseconds(time), tag)


def _nanoseconds(time: object) -> int:
    """Return a time as whole microseconds, in nanoseconds, however a file system writes it."""
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            return 0
    if isinstance(time, datetime):
        time = time.timestamp()
    return round(float(time) * 1e6) * 1000 if isinstance(time, int | float) else 0
