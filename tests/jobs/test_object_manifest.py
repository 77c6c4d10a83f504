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

from kakudai.errors import BucketError, UsageError
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
        assert not left.exists()
        assert first.stat().st_mode & 0o077 == 0
        assert (first / HELD).exists()
        assert second.exists()
    assert {path.name for path in tmp_path.iterdir()} == {f"{PREFIX}young", "another"}
    os.utime(tmp_path / f"{PREFIX}young", (1, 1))
    with staging():
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"another"}
