"""A private folder for what is on its way between buckets and here.

It goes with the process; what a kill has left goes at the next start.
"""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from kakudai.errors import NoRoom
from kakudai.jobs.lock import lock

PREFIX = "kakudai-staging-"
"""What such folders are called, among the temporary files."""

HELD = "held"
"""The file in one that its process has locked."""

YOUNG_SECONDS = 60.0
"""So long a folder is left alone: it may be just being made, and its file not locked yet."""


@contextlib.contextmanager
def staging() -> Iterator[Path]:
    """Yield a new folder that nobody else can read, gone afterwards; take away those of killed processes.

    Raises:
        NoRoom: It cannot be made.
    """
    _sweep(Path(tempfile.gettempdir()))
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        held = os.open(folder / HELD, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise NoRoom(f"no folder for temporary files: {error.strerror}", "let TMPDIR name a disk with room") from error
    try:
        lock(held)
        yield folder
    finally:
        os.close(held)
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(temporary: Path) -> None:
    """Take away the folders whose processes have ended: nobody holds their locks."""
    for folder in temporary.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another's, or another is sweeping
            if time.time() < folder.stat().st_mtime + YOUNG_SECONDS:
                continue
            if not (folder / HELD).exists():
                folder.rmdir()
                continue
            held = os.open(folder / HELD, os.O_RDWR)
            try:
                lock(held)
            except OSError:
                continue
            finally:
                os.close(held)
            shutil.rmtree(folder, ignore_errors=True)
