"""A manifest in a bucket: what is secured can be read by others, and one run at a time has it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from kakudai.errors import BucketError, OutputError, UsageError
from kakudai.jobs import object_manifest
from kakudai.jobs.lines import Entry, Run, write_line
from kakudai.jobs.object_manifest import STALE_SECONDS, ObjectManifest
from kakudai.jobs.staging import HELD, PREFIX, staging
from kakudai.jobs.store import Store

ADDRESS = "memory://b/out/m.jsonl"
RUN = Run("0.1.0", {"scale": 2.0}, {"net": "ab"}, "onnxruntime", 5)


def entry(name: str = "a.png") -> Entry:
    return Entry(f"memory://b/in/{name}", f"memory://b/out/{name}", "done", RUN.setting, 7)


@pytest.fixture
def store(monkeypatch) -> Store:
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    monkeypatch.setattr(object_manifest, "CONFIRM_SECONDS", 0.01)
    return Store(ADDRESS)


def opened(store: Store, folder: Path, **named: bool) -> ObjectManifest:
    return ObjectManifest(store, ADDRESS, Path(tempfile.mkdtemp(dir=folder)), **named)


def test_what_was_added_is_there_for_the_next(store: Store, tmp_path: Path) -> None:
    with opened(store, tmp_path) as manifest:
        manifest.add(RUN)
        assert store.read(ADDRESS) is None
        manifest.secure()
        assert store.read(ADDRESS) == write_line(RUN)
        manifest.add(entry())
    store.write(b"".join([write_line(RUN), b"\0\0\n", write_line(entry()), b'{"half'])[:-2], ADDRESS)
    with opened(store, tmp_path) as manifest:
        assert (manifest.contents.entries, manifest.contents.corrupt) == ([entry()], [2])
        manifest.add(entry("b.png"))
    assert store.read(ADDRESS) == write_line(RUN) + b"\0\0\n" + write_line(entry()) + write_line(entry("b.png"))
    assert list(store.below("memory://b")) == [ADDRESS]


def test_nothing_is_made_before_there_is_something_to_say(store: Store, tmp_path: Path) -> None:
    with opened(store, tmp_path), opened(store, tmp_path, reading=True):
        pass
    assert store.below("memory://b") == {}


def test_it_is_uploaded_from_time_to_time(store: Store, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(object_manifest, "UPLOAD_SECONDS", 0.02)
    with opened(store, tmp_path) as manifest:
        first = json.loads(store.read(f"{ADDRESS}.lock") or b"")
        manifest.add(RUN)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and store.read(ADDRESS) is None:
            time.sleep(0.01)
        assert store.read(ADDRESS) == write_line(RUN)
        assert json.loads(store.read(f"{ADDRESS}.lock") or b"")["at"] > first["at"]


def test_two_runs_do_not_mix(store: Store, tmp_path: Path) -> None:
    with opened(store, tmp_path) as first:
        first.add(RUN)
        with pytest.raises(UsageError, match="another run is writing"):
            opened(store, tmp_path)
        assert opened(store, tmp_path, reading=True).contents.runs == []
    opened(store, tmp_path).close()


def test_who_was_taken_for_dead_stops_and_takes_nothing_away(store: Store, tmp_path: Path, monkeypatch) -> None:
    first = opened(store, tmp_path)
    first.add(RUN)
    lock = json.loads(store.read(f"{ADDRESS}.lock") or b"")
    store.write(json.dumps({**lock, "at": lock["at"] - STALE_SECONDS}).encode(), f"{ADDRESS}.lock")
    with opened(store, tmp_path) as second:
        with pytest.raises(BucketError, match="has taken over"):
            first.secure()
        with pytest.raises(BucketError, match="has taken over"):
            first.close()
        second.add(RUN)
        second.secure()
    assert store.read(ADDRESS) == write_line(RUN)


def test_other_objects_stay_as_they_are(store: Store, tmp_path: Path) -> None:
    store.write(b"hello\n", ADDRESS)
    with pytest.raises(UsageError, match="no manifest of kakudai"):
        opened(store, tmp_path)
    assert list(store.below("memory://b")) == [ADDRESS]
    store.write(b"hello\n", f"{ADDRESS}.lock")
    with pytest.raises(UsageError, match="no lock of kakudai"):
        opened(store, tmp_path)
    assert store.read(f"{ADDRESS}.lock") == b"hello\n"


def test_staging_goes_with_its_process_or_after_a_kill_with_the_next(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = "import os\nfrom kakudai.jobs.staging import staging\nwith staging() as folder:\n    os._exit(9)"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    [left] = tmp_path.iterdir()
    (tmp_path / f"{PREFIX}young").mkdir()
    (tmp_path / "another").mkdir()
    with staging() as first, staging() as second:
        assert left.exists()  # its file may be just about to be locked
        assert first.stat().st_mode & 0o077 == 0
        assert (first / HELD).exists()
        assert second.exists()
    assert {path.name for path in tmp_path.iterdir()} == {left.name, f"{PREFIX}young", "another"}
    for path in (left, tmp_path / f"{PREFIX}young"):
        os.utime(path, (1, 1))
    with staging():
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"another"}


def test_what_the_thread_has_seen_is_said_by_the_next_line(store: Store, tmp_path: Path, monkeypatch) -> None:
    """A run that has lost its lock goes on with no other picture, nor does one whose thread has died."""
    monkeypatch.setattr(object_manifest, "UPLOAD_SECONDS", 0.02)

    def said(manifest: ObjectManifest) -> str:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                manifest.check()
            except BucketError:
                break
            time.sleep(0.01)
        for call in (manifest.check, manifest.secure, lambda: manifest.add(RUN)):
            with pytest.raises(BucketError) as caught:
                call()
        return caught.value.message

    first = opened(store, tmp_path)
    store.write(json.dumps({"kakudai": "lock", "run": "other", "at": time.time()}).encode(), f"{ADDRESS}.lock")
    assert "another run (other) has taken over" in said(first)
    with pytest.raises(BucketError, match="has taken over"):
        first.close()
    store.remove(f"{ADDRESS}.lock")
    second = opened(store, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(second, "_mine", lambda: 1 / 0)
        assert "ZeroDivisionError" in said(second)
    with pytest.raises(BucketError, match="cannot be uploaded"):
        second.close()
    assert store.below("memory://b") == {}  # the lock is left all the same


def test_who_could_not_renew_for_long_stops_before_it_is_taken_for_dead(store: Store, tmp_path: Path) -> None:
    manifest = opened(store, tmp_path)
    manifest.add(RUN)
    manifest._renewed -= STALE_SECONDS / 2 + 1
    for call in (manifest.check, manifest.secure, manifest.close, lambda: manifest.add(RUN)):
        with pytest.raises(BucketError, match="could not be renewed for"):
            call()
    assert store.below("memory://b") == {}


def test_a_manifest_that_appears_meanwhile_stays(store: Store, tmp_path: Path) -> None:
    manifest = opened(store, tmp_path)
    manifest.add(RUN)
    store.write(b"theirs\n", ADDRESS)
    with pytest.raises(BucketError, match="has appeared meanwhile"):
        manifest.close()
    assert {name: store.read(name) for name in store.below("memory://b")} == {ADDRESS: b"theirs\n"}
    store.remove(ADDRESS)
    with opened(store, tmp_path) as again:
        again.add(RUN)
        store.write(write_line(RUN), ADDRESS)  # ours, of which the answer was lost
        again.add(entry())
    assert store.read(ADDRESS) == write_line(RUN) + write_line(entry())


def test_who_takes_over_waits_and_looks_again(store: Store, tmp_path: Path, monkeypatch) -> None:
    old = {"kakudai": "lock", "run": "old", "at": time.time() - STALE_SECONDS - 1}
    store.write(json.dumps(old).encode(), f"{ADDRESS}.lock")

    def another(seconds: float) -> None:
        assert seconds == object_manifest.CONFIRM_SECONDS
        store.write(json.dumps({**old, "run": "third", "at": time.time()}).encode(), f"{ADDRESS}.lock")

    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", another)
        with pytest.raises(UsageError, match="another run is writing"):
            opened(store, tmp_path)
    assert json.loads(store.read(f"{ADDRESS}.lock") or b"")["run"] == "third"


def test_the_lock_is_left_whatever_fails_at_the_end(store: Store, tmp_path: Path, monkeypatch) -> None:
    manifest = opened(store, tmp_path)
    manifest.add(RUN)
    real = manifest._file.close

    def fail() -> None:
        real()
        raise OutputError("the disk is full")

    monkeypatch.setattr(manifest._file, "close", fail)
    with pytest.raises(OutputError):
        manifest.close()
    assert {name: store.read(name) for name in store.below("memory://b")} == {ADDRESS: write_line(RUN)}


def test_a_renewal_that_took_too_long_is_none(store: Store, tmp_path: Path, monkeypatch) -> None:
    manifest = opened(store, tmp_path)
    manifest.add(RUN)

    def renew() -> None:
        manifest._renewed -= STALE_SECONDS

    monkeypatch.setattr(manifest, "_renew", renew)
    with pytest.raises(BucketError, match="could not be renewed"):
        manifest.secure()
    assert store.read(ADDRESS) is None
    with pytest.raises(BucketError, match="could not be renewed"):
        manifest.close()
