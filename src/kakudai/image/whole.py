"""Files that appear whole or not at all.

What is being written has no name, so that nothing of it is left, whatever ends the process. Where the system has no
files without a name, it has a hidden one until it is finished, which only a kill leaves behind.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kakudai.errors import OutputExists

NO_NAMELESS = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}
"""What systems without nameless files say."""

DESCRIPTORS = Path("/proc/self/fd")
"""Where a nameless file can be given a name."""


NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
"""What disks say that know no second names of files, such as FAT."""


@dataclass(frozen=True, slots=True)
class Place:
    """A path where a file is to appear, for whoever has a say in that.

    Args:
        path: The path.
        may_replace: Asked whether a file that is there is replaced; else nothing is written.
        announce: Called with the whole new file before it appears; what it raises keeps it from appearing.
    """

    path: Path
    may_replace: Callable[[], bool]
    announce: Callable[[BinaryIO], None] | None = None

    def __fspath__(self) -> str:
        """Return the path, for all that take one."""
        return os.fspath(self.path)


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that nobody knows of yet.

    Args:
        file: To be written.
        beside: A name of its own, in the folder where it will appear.
        nameless: It has not got that name yet.
    """

    file: BinaryIO
    beside: Path
    nameless: bool

    def appear(self, path: Path, place: Place | None = None) -> None:
        """Make it take the place of `path`, and its permissions.

        Raises:
            OSError: It cannot.
            OutputExists: There is a file, and `place` does not let it be replaced.
        """
        self.file.flush()
        os.fsync(self.file.fileno())
        if place is not None and place.announce is not None:
            place.announce(self.file)
        if place is None or (os.path.lexists(path) and place.may_replace()):
            self._replace(path)
            return
        try:
            self._add(path)
        except FileExistsError:
            hint = "it stays as it is; move it away, or use --on-exists overwrite or rename"
            raise OutputExists(f"{path} has appeared meanwhile", hint) from None

    def _replace(self, path: Path) -> None:
        if self.nameless:
            self._name(self.beside)
        if path.exists():
            self.beside.chmod(stat.S_IMODE(path.stat().st_mode))
        self.beside.replace(path)

    def _add(self, path: Path) -> None:
        """Appear where nothing is: no name is ever taken away from another file.

        Raises:
            FileExistsError: Something is there.
        """
        if self.nameless:
            self._name(path)
            return
        try:
            os.link(self.beside, path)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
            self.beside.rename(path)

    def _name(self, path: Path) -> None:
        """Give the nameless file a name that no other has."""
        number = self.file.fileno()
        # With any src_dir_fd Python follows the link that the descriptor is; it has no other use for a whole path.
        os.link(DESCRIPTORS / str(number), path, src_dir_fd=number)


@contextlib.contextmanager
def whole_file(path: Path, place: Place | None = None) -> Iterator[BinaryIO]:
    """Yield a new file that takes the place of `path`, and its permissions, when the block ends without an error.

    Args:
        path: Where, without links.
        place: Who has a say in that.
    """
    if is_special(path):
        with path.open("wb") as file:
            yield file
        return
    with new_file(path) as new:
        yield new.file
        new.appear(path, place)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[NewFile]:
    """Yield a new file in the folder of `path` that is gone afterwards unless it replaced something.

    Raises:
        OSError: It cannot be made there.
    """
    beside = path.with_name(f".kakudai-{secrets.token_hex(8)}.part")
    number = _open_nameless(path.parent)
    with beside.open("x+b") if number is None else os.fdopen(number, "w+b") as file:
        try:
            yield NewFile(file, beside, nameless=number is not None)
        finally:
            beside.unlink(missing_ok=True)


def _open_nameless(folder: Path) -> int | None:
    """Return the descriptor of a new file without a name; None where the system has none."""
    if not hasattr(os, "O_TMPFILE") or not DESCRIPTORS.is_dir():
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666)
    except OSError as error:
        if error.errno in NO_NAMELESS:
            return None
        raise


def is_special(path: Path) -> bool:
    """Tell whether the path is a device or pipe, as /dev/stdout is: to be written, never replaced."""
    return path.exists() and not stat.S_ISREG(path.stat().st_mode)
