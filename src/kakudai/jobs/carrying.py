"""Objects on their way: inputs are fetched before they are wanted, results delivered while the next are made."""

import contextlib
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kakudai.errors import BucketError, KakudaiError, NoRoom, OutputError, OutputExists, PictureNotFound
from kakudai.image.whole import Place, whole_file
from kakudai.image.writing import NO_ROOM
from kakudai.jobs.address import is_address
from kakudai.jobs.asking import FULL
from kakudai.jobs.fingerprint import Stamp, stamp_file
from kakudai.jobs.sides import Sides, stamped
from kakudai.jobs.store import FETCHED_AT_ONCE, LARGEST, State

AHEAD_OBJECTS = 4
AHEAD_BYTES = 256 << 20
"""That are fetched before they are wanted; an object that is larger comes alone."""

LONGEST_NAME = 60
"""Characters at the end of an object's name that its file here has: disks take no longer ones, buckets do."""


@dataclass(frozen=True, slots=True)
class Task:
    """One picture to do.

    Args:
        source: Path or address of the input.
        target: Of the output.
        replaces: What is there is written over, whosever it is.
    """

    source: str
    target: str
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """An input that lies here.

    Args:
        path: The file.
        stamp: What it is, and was in the bucket.
        folder: For it and its result, to be taken away when both are done with; see `drop`.
    """

    path: Path
    stamp: Stamp
    folder: Path

    def result(self, target: str) -> Path:
        """Return where the result is made, under the last part of its own name."""
        folder = self.folder / "out"
        folder.mkdir(exist_ok=True)
        return folder / os.path.basename(target)[-LONGEST_NAME:]  # noqa: PTH119 - of an address, too

    def drop(self) -> None:
        """Take away what is not wanted any more; a file that was here before stays."""
        shutil.rmtree(self.folder, ignore_errors=True)


def fetched(
    tasks: Iterable[Task], sides: Sides, staging: Path
) -> Generator[tuple[Task, Fetched | KakudaiError], None, None]:
    """Yield tasks in their order with their inputs, or why there is none; the next are fetched meanwhile.

    Args:
        tasks: Each is asked for only when there is room for its input.
        sides: Knows how.
        staging: Where inputs are put.
    """
    ahead: deque[tuple[Task, int, Future[Fetched]]] = deque()
    todo = iter(tasks)
    with ThreadPoolExecutor(AHEAD_OBJECTS, "kakudai-fetch") as pool:
        try:
            task = next(todo, None)
            while task is not None or ahead:
                if task is not None and len(ahead) < AHEAD_OBJECTS:
                    size = _size(task.source, sides)
                    if not ahead or size + sum(waiting for _, waiting, _ in ahead) <= AHEAD_BYTES:
                        ahead.append((task, size, pool.submit(fetch, task.source, sides, staging)))
                        task = next(todo, None)
                        continue
                first, _, coming = ahead.popleft()
                try:
                    yield first, coming.result()
                except KakudaiError as error:
                    yield first, error
        finally:
            for _, _, coming in ahead:
                coming.cancel()


def _size(name: str, sides: Sides) -> int:
    """Return the bytes that an input will take here."""
    if not is_address(name):
        return 0
    with contextlib.suppress(KakudaiError):  # it is said when it is fetched
        state = sides.state(name)
        if state is not None:
            return AHEAD_BYTES if state.size is None else state.size
    return 0


def fetch(name: str, sides: Sides, staging: Path) -> Fetched:
    """Bring an input here, into a folder of its own.

    Raises:
        KakudaiError: That cannot be done; nothing of it stays.
    """
    try:
        folder = Path(tempfile.mkdtemp(dir=staging))
        try:
            path, stamp = _brought(name, sides, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return Fetched(path, stamp, folder)
    except OSError as error:
        if error.errno in FULL:
            raise NoRoom("the disk for temporary files is full", "make room, or let TMPDIR name another") from error
        raise PictureNotFound(f"{name} cannot be read: {error.strerror}", "check it and its permissions") from error


def _brought(name: str, sides: Sides, folder: Path) -> tuple[Path, Stamp]:
    """Return the file of an input and its stamp; an object is fetched for that."""
    if not is_address(name):
        return Path(name), stamp_file(name)
    state = sides.state(name)
    if state is None:
        raise PictureNotFound(f"there is no {name}", "check it")
    if state.size is not None and state.size > shutil.disk_usage(folder).free:
        raise BucketError(f"the disk for temporary files cannot hold {name}", "let TMPDIR name one with more room")
    path, store = folder / name.rpartition("/")[2][-LONGEST_NAME:], sides.store(name)
    store.fetch(name, path, LARGEST if state.size is None else state.size)
    size = path.stat().st_size
    if state.size not in (size, None):
        raise BucketError(f"{name} has {size} bytes, not {state.size}", "wait until it is whole")
    if size > FETCHED_AT_ONCE:
        now = store.look(name)
        if now is None or not (now == state or now.is_same(state)):
            raise BucketError(f"{name} has changed while it was read", "wait until it is whole")
    return path, stamped(stamp_file(path), state)


def deliver(result: Path, task: Task, sides: Sides, *, owned: Callable[[str, str], bool]) -> Stamp:
    """Bring a result to its target; where something is there that is not ours, only its very bytes are good enough.

    That is what a run finds that goes on after a kill, between a result's appearance and its line, and what a second
    try finds if the answer to the first was lost.

    Args:
        result: The file.
        task: Whose it is.
        sides: Knows how.
        owned: Says of a source and a target whether the target is still our earlier result.

    Returns: What the target is now.

    Raises:
        OutputExists: Something else is there.
        OutputError: It cannot be written.
        NoRoom: The disk here is full.
        BucketError: It cannot be written there.
    """
    stamp, target = stamp_file(result), task.target
    if not is_address(target):
        return _deliver_here(result, task, stamp, owned=owned)
    store = sides.store(target)
    try:
        state = store.put(result, target, create=not (task.replaces or _is_still_ours(task, sides, owned)))
    except OutputExists as error:
        found = store.look(target)
        if found is None or found.size not in (stamp.size, None) or not sides.has_bytes(target, stamp):
            raise _appeared(target) from error
        state = found
    sides.remember(target, state)
    return stamped(stamp, state)


def _is_still_ours(task: Task, sides: Sides, owned: Callable[[str, str], bool]) -> bool:
    """Ask the server anew about an earlier result of ours: the list that told of it is old by now."""
    before: State | None = sides.state(task.target)
    if before is None or not owned(task.source, task.target):
        return False
    now = sides.store(task.target).look(task.target)
    return now is not None and now.is_same(before)


def _deliver_here(result: Path, task: Task, stamp: Stamp, *, owned: Callable[[str, str], bool]) -> Stamp:
    path = Path(os.path.realpath(task.target))
    place = Place(path, lambda: task.replaces or owned(task.source, task.target))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with result.open("rb") as source, whole_file(path, place) as file:
            shutil.copyfileobj(source, file, 1 << 20)
    except OutputExists:
        if not path.is_file() or stamp_file(path).hash != stamp.hash:
            raise _appeared(task.target) from None
    except OSError as error:
        kind = NoRoom if error.errno in NO_ROOM else OutputError
        raise kind(f"{task.target} cannot be written: {error.strerror}", "check its folder and disk") from error
    return stamp_file(path)


def _appeared(target: str) -> OutputExists:
    hint = "it stays as it is; move it away, or use --on-exists overwrite or rename"
    return OutputExists(f"{target} exists, and is something else", hint)
