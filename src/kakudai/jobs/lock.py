"""One run at a time: a lock on an open file that the system takes away when its process ends, however it ends."""

import os
import sys

if sys.platform == "win32":
    import msvcrt

    FAR = 1 << 40
    """Windows lets nobody read what is locked, so a byte is locked that no manifest has."""

    def lock(descriptor: int) -> None:
        """Lock a file.

        Raises:
            OSError: Another process has locked it.
        """
        before = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(descriptor, before, os.SEEK_SET)
else:
    import fcntl

    def lock(descriptor: int) -> None:
        """Lock a file.

        Raises:
            OSError: Another process has locked it, or the file system knows no locks.
        """
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
