"""When a picture counts as done, and when a file is ours."""

import os
import time
from pathlib import Path

import pytest

from kakudai.jobs.fingerprint import Stamp, stamp_file, stamp_open
from kakudai.jobs.ledger import Ledger
from kakudai.jobs.lines import Entry, Status
from kakudai.jobs.places import Places


class Job:
    """A picture and its result in a folder, and a ledger that is told of them."""

    def __init__(self, folder: Path) -> None:
        self.source, self.target = folder / "in/a.png", folder / "out/a.png"
        for path in (self.source, self.target):
            path.parent.mkdir(parents=True)
            path.write_bytes(path.parent.name.encode())
        self.places = Places(folder / "out")
        self.ledger = Ledger([], self.places)

    def take(self, status: Status, setting: str = "s", reason: str = "", after: Stamp | None = None) -> None:
        if status == "done":
            after = stamp_file(self.target)
        key, before = self.places.key, stamp_file(self.source)
        entry = Entry(key(self.source), key(self.target), status, setting, time.time_ns(), before, after, reason=reason)
        self.ledger.take(entry)

    def announce(self, data: bytes) -> None:
        """Say that a file with these bytes is about to appear."""
        path = self.target.with_name("new")
        path.write_bytes(data)
        with path.open("rb") as file:
            self.take("written", after=stamp_open(file))
        path.unlink()

    def judge(self, setting: str = "s", *, verify: bool = False) -> str | None:
        entry = self.ledger.judge(self.source, self.target, setting, verify=verify)
        return entry.status if entry else None

    def owns(self) -> bool:
        return self.ledger.owns(self.source, self.target)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def change(path: Path, *, size: bool = False, keep_time: bool = False) -> None:
    before = path.stat().st_mtime_ns
    path.write_bytes(b"changed" if size else bytes(len(path.read_bytes())))
    os.utime(path, ns=(before, before if keep_time else before + 10**9))


def test_done_is_a_line_and_a_whole_result(job: Job) -> None:
    assert job.judge() is None
    job.take("begun")
    assert job.judge() is None
    job.take("done")
    assert job.judge() == job.judge(verify=True) == "done"
    assert job.judge("other options") is None
    job.target.unlink()
    assert job.judge() is None


@pytest.mark.parametrize("name", ["source", "target"])
def test_a_change_of_bytes_is_seen(job: Job, name: str) -> None:
    job.take("done")
    path = getattr(job, name)
    os.utime(path, ns=(5, 5))
    assert job.judge() == "done"  # the time alone says nothing
    change(path, keep_time=True)
    assert job.judge() is None  # nor does it if it was put back
    change(path)
    assert job.judge() is None
    change(path, size=True, keep_time=True)
    assert job.judge() is None


def test_pictures_that_changed_places_are_seen(tmp_path: Path) -> None:
    """Of one size and one time, as frames out of a ZIP are."""
    first, second = Job(tmp_path / "1"), Job(tmp_path / "2")
    second.source.write_bytes(bytes(len(first.source.read_bytes())))
    for job in (first, second):
        os.utime(job.source, ns=(5, 5))
        job.take("done")
    first.source.rename(tmp_path / "first")
    second.source.rename(first.source)
    (tmp_path / "first").rename(second.source)
    assert first.judge() is None
    assert second.judge() is None


def test_what_is_no_picture_has_failed_until_it_changes(job: Job) -> None:
    job.take("failed", reason="PictureUnreadable")
    job.target.unlink()
    assert job.judge() == "failed"
    assert job.judge("other options") is None
    change(job.source)
    assert job.judge() is None


@pytest.mark.parametrize("reason", ["", "OutputError", "NoRoom", "PictureTooLarge", "OutOfMemory", "OSError"])
def test_what_failed_for_another_reason_is_done_again(job: Job, reason: str) -> None:
    job.take("failed", reason=reason)
    assert job.judge() is None


def test_a_book_with_bad_pages_has_failed_while_it_is_there(job: Job) -> None:
    job.take("failed", reason="BadPages", after=stamp_file(job.target))
    assert job.judge() == "failed"
    job.target.unlink()
    assert job.judge() is None


def test_a_result_is_ours_until_somebody_changes_it(job: Job) -> None:
    assert not job.owns()
    job.take("done")
    assert job.owns()
    assert job.ledger.origin(job.target) == job.source
    assert not job.ledger.owns(job.source.with_name("b.png"), job.target)
    change(job.target)
    assert not job.owns()
    assert job.ledger.origin(job.target) is None


def test_what_appears_after_its_beginning_is_not_ours(job: Job) -> None:
    """Killed, and then the user saves a file of that name."""
    job.take("begun")
    assert not job.owns()
    assert job.judge() is None


def test_what_was_announced_is_ours_and_done(job: Job) -> None:
    """Killed between the appearance of a result and its line, or before it."""
    job.take("done")
    job.announce(b"new")
    assert job.owns()
    assert job.judge() is None  # what is there is the old one
    job.target.write_bytes(b"new")
    assert job.owns()
    assert job.judge() == "written"
    change(job.target)
    assert not job.owns()
    assert job.judge() is None


def test_a_book_that_was_announced_is_ours_and_done_again(job: Job) -> None:
    """Nobody has written down whether all its pages were good."""
    job.target = job.target.with_suffix(".cbz")
    job.target.write_bytes(b"book")
    job.announce(b"book")
    assert job.owns()
    assert job.judge() is None


def test_a_failure_leaves_the_old_result_ours(job: Job) -> None:
    job.take("done")
    job.announce(b"never appeared")
    job.take("failed", "other options")
    assert job.owns()
    change(job.target)
    assert not job.owns()


def test_a_job_may_move_as_a_whole(job: Job, tmp_path: Path) -> None:
    assert job.places.key(job.source) == "../in/a.png"
    job.take("done")
    entries = job.ledger.entries
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("in", "out"):
        (tmp_path / name).rename(moved / name)
    (tmp_path / "link").symlink_to(moved)
    for root in (moved, tmp_path / "link"):
        ledger = Ledger(entries, Places(root / "out"))
        assert ledger.judge(root / "in/a.png", root / "out/a.png", "s") is not None
