"""When a picture counts as done, and when a file is ours."""

import os
import time
from pathlib import Path

import pytest

from kakudai.jobs.fingerprint import stamp_file
from kakudai.jobs.ledger import LEEWAY_NS, Ledger
from kakudai.jobs.lines import Entry, Status
from kakudai.jobs.places import Places


class Job:
    """A picture and its result in a folder, and a ledger that is told of them."""

    def __init__(self, folder: Path) -> None:
        self.source, self.target = folder / "in/a.png", folder / "out/a.png"
        for path in (self.source, self.target):
            path.parent.mkdir()
            path.write_bytes(path.parent.name.encode())
        self.places = Places(folder / "out")
        self.ledger = Ledger([], self.places)

    def take(self, status: Status, setting: str = "s", at_ns: int | None = None) -> None:
        after = stamp_file(self.target) if status == "done" else None
        key, now = self.places.key, at_ns if at_ns is not None else time.time_ns()
        before = stamp_file(self.source)
        self.ledger.take(Entry(key(self.source), key(self.target), status, setting, now, before, after))

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
    assert job.judge(verify=True) is None
    change(path)
    assert job.judge() is None
    change(path, size=True, keep_time=True)
    assert job.judge() is None


def test_what_failed_has_failed_until_something_changes(job: Job) -> None:
    job.take("failed")
    job.target.unlink()
    assert job.judge() == "failed"
    assert job.judge("other options") is None
    change(job.source)
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


def test_what_appeared_after_its_beginning_is_ours(job: Job) -> None:
    """Killed between the appearance of a result and its line."""
    job.take("begun")
    assert job.owns()
    assert job.judge() is None
    job.take("begun", at_ns=time.time_ns() + 5 * LEEWAY_NS)  # and killed a second time, before a new one appeared
    assert job.owns()
    old = time.time_ns() - 2 * LEEWAY_NS
    os.utime(job.target, ns=(old, old))
    assert not job.owns()


def test_a_failure_leaves_the_old_result_ours(job: Job) -> None:
    old = time.time_ns() - 2 * LEEWAY_NS
    os.utime(job.target, ns=(old, old))
    job.take("done")
    job.take("begun", "other options")
    assert job.owns()
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
