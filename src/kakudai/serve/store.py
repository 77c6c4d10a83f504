"""All jobs of a server and their files, in a private folder that has a quota and is gone when the server ends."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from kakudai.serve.jobs import Job, new_id
from kakudai.serve.problems import Problem
from kakudai.serve.settings import Limits

PREFIX = "kakudai-serve-"
LOCK = "lock"


class Store:
    """Jobs by their ids.

    Args:
        parent: Where its folder is made; None is the system's place for temporary files.
        limits: How long results live, and how much room they have.
    """

    def __init__(self, parent: Path | None, limits: Limits) -> None:
        self._limits = limits
        self._jobs: dict[str, Job] = {}
        self._deleting = ThreadPoolExecutor(1, "kakudai-delete")
        place = Path(tempfile.gettempdir() if parent is None else parent)
        sweep(place)
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))  # readable by this user alone
        self._lock = lock(self.folder)

    def new_folder(self) -> tuple[str, Path]:
        """Make a folder for a job; return its id and the folder.

        Raises:
            Problem: There is no room.
        """
        name = new_id()
        folder = self.folder / name
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise Problem("no-room", f"no folder can be made: {error.strerror}") from None
        return name, folder

    def add(self, job: Job) -> None:
        """Keep a job."""
        job.ends = time.time() + self._limits.life_seconds
        self._jobs[job.id] = job

    def find(self, name: str) -> Job:
        """Return a job.

        Raises:
            Problem: There is none of that id.
        """
        job = self._jobs.get(name)
        if job is None or (job.is_final and job.ends <= time.time()):
            raise Problem("job-not-found", "there is no job of this id, or not any more")
        return job

    def remove(self, job: Job) -> None:
        """Forget a job, and delete its files."""
        self._jobs.pop(job.id, None)
        self.delete(job.folder)

    def delete(self, folder: Path) -> None:
        """Delete a folder, a little later: large files take their time, and nobody waits for it."""
        with contextlib.suppress(RuntimeError):  # closed already, and with it everything is deleted
            self._deleting.submit(remove_folder, folder)

    def clean(self, job: Job) -> None:
        """Delete what a job that has ended needs no more: all but its result."""
        self.delete(job.decoded)
        job.source.unlink(missing_ok=True)
        if job.state != "done":
            job.result.unlink(missing_ok=True)
        job.ends = time.time() + self._limits.life_seconds

    def sweep(self) -> None:
        """Delete what has lived long enough, then the oldest until all have room."""
        now, final = time.time(), sorted((job for job in self._jobs.values() if job.is_final), key=lambda job: job.ends)
        surplus = len(final) - self._limits.ended
        for number, job in enumerate(final):
            if number < surplus or job.ends <= now:
                self.remove(job)
        done = sorted((job for job in self._jobs.values() if job.state == "done"), key=lambda job: job.ends)
        used = sum(job.bytes for job in done)
        for job in done[:-1]:  # the newest stays, whatever its size: somebody waits for it
            if used <= self._limits.disk_bytes:
                break
            used -= job.bytes
            self.remove(job)

    def jobs(self) -> list[Job]:
        """Return all jobs, the oldest first."""
        return list(self._jobs.values())

    @property
    def used(self) -> int:
        """Bytes of all results."""
        return sum(job.bytes for job in self._jobs.values())

    def close(self) -> None:
        """Delete everything."""
        self._jobs.clear()
        self._deleting.shutdown()
        remove_folder(self.folder)
        self._lock.close()


def lock(folder: Path) -> BinaryIO:
    """Mark a folder as in use for as long as the file that is returned is open, which the system ends with us."""
    file = (folder / LOCK).open("wb")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def sweep(place: Path) -> None:
    """Delete folders of servers of this user that were killed: those that nobody holds locked."""
    for folder in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid != os.getuid() or folder.is_symlink():
                continue
            with (folder / LOCK).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Delete a folder with all that is in it; that it is not there is as well."""
    shutil.rmtree(folder, ignore_errors=True)
