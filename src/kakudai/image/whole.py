"""Files that appear whole or not at all.

What is being written has no name, so that nothing of it is left, whatever ends the process. Where the system has no
files without a name, it has a hidden one until it is finished, which only a kill leaves behind.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

NO_NAMELESS = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}
"""What systems without nameless files say."""

DESCRIPTORS = Path("/proc/self/fd")
"""Where a nameless file can be given a name."""


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

    def replace(self, path: Path) -> None:
        """Make it take the place of `path`, and its permissions.

        Raises:
            OSError: It cannot.
        """
        self.file.flush()
        os.fsync(self.file.fileno())
        if self.nameless:
            number = self.file.fileno()
            # With any src_dir_fd Python follows the link that the descriptor is; it has no other use for a whole path.
            os.link(DESCRIPTORS / str(number), self.beside, src_dir_fd=number)
        if path.exists():
            self.beside.chmod(stat.S_IMODE(path.stat().st_mode))
        self.beside.replace(path)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a new file that takes the place of `path`, and its permissions, when the block ends without an error."""
    if is_special(path):
        with path.open("wb") as file:
            yield file
        return
    with new_file(path) as new:
        yield new.file
        new.replace(path)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[NewFile]:
    """Yield a new file in the folder of `path` that is gone afterwards unless it replaced something.

    Raises:
        OSError: It cannot be made there.
    """
    beside = path.with_name(f".kakudai-{secrets.token_hex(8)}.part")
    number = _open_nameless(path.parent)
    with beside.open("xb") if number is None else os.fdopen(number, "wb") as file:
        try:
            yield NewFile(file, beside, nameless=number is not None)
        finally:
            beside.unlink(missing_ok=True)


def _open_nameless(folder: Path) -> int | None:
    """Return the descriptor of a new file without a name; None where the system has none."""
    if not hasattr(os, "O_TMPFILE") or not DESCRIPTORS.is_dir():
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o666)
    except OSError as error:
        if error.errno in NO_NAMELESS:
            return None
        raise


def is_special(path: Path) -> bool:
    """Tell whether the path is a device or pipe, as /dev/stdout is: to be written, never replaced."""
    return path.exists() and not stat.S_ISREG(path.stat().st_mode)
