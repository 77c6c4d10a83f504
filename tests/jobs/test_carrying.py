"""Inputs come in their order, few at a time; results are delivered only where nothing else is."""

import errno
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from kakudai.errors import BucketError, KakudaiError, NoRoom, OutputExists, PictureNotFound
from kakudai.jobs import carrying
from kakudai.jobs.carrying import Fetched, Task, deliver, fetched
from kakudai.jobs.fingerprint import stamp_file
from kakudai.jobs.sides import Sides
from kakudai.jobs.store import State

IN, OUT = "memory://b/in", "memory://b/out"


@pytest.fixture
def sides(monkeypatch, tmp_path: Path) -> Sides:
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    return Sides(Path(tempfile.mkdtemp(dir=tmp_path)))


@pytest.mark.parametrize(("room", "taken"), [(1 << 20, 5), (2500, 3), (1, 2)])
def test_a_few_inputs_are_fetched_before_they_are_wanted(
    sides: Sides, tmp_path: Path, monkeypatch, room: int, taken: int
) -> None:
    for number in range(12):
        sides.store(IN).write(bytes([number]) * 1000, f"{IN}/{number:02}.png")
    monkeypatch.setattr(carrying, "AHEAD_BYTES", room)
    names, asked = list(sides.below(IN)), []

    def tasks() -> Iterator[Task]:
        for name in names:
            asked.append(name)
            yield Task(name, name.replace("in", "out"))

    staging = tmp_path / "staging"
    staging.mkdir()
    for number, (task, got) in enumerate(fetched(tasks(), sides, staging)):
        assert isinstance(got, Fetched)
        assert (task.source, got.path.read_bytes()) == (names[number], bytes([number]) * 1000)
        assert len(asked) == min(number + taken, 12)
        got.drop()
    assert number == 11
    assert not list(staging.iterdir())


def test_what_does_not_come_is_told_and_the_rest_comes(sides: Sides, tmp_path: Path, monkeypatch) -> None:
    store = sides.store(IN)
    for name in ("a", "b", "c", "d"):
        store.write(bytes(1000), f"{IN}/{name}.png")
    sides.below(IN)
    store.remove(f"{IN}/a.png")
    store.write(bytes(999), f"{IN}/b.png")
    store.write(bytes(1001), f"{IN}/c.png")
    (tmp_path / "e.png").write_bytes(b"here")
    names = [*(f"{IN}/{name}.png" for name in "abcdx"), str(tmp_path / "e.png"), str(tmp_path / "f.png")]
    staging = tmp_path / "staging"
    staging.mkdir()
    found = [got for _, got in fetched((Task(name, "") for name in names), sides, staging)]
    assert set(staging.iterdir()) == {got.folder for got in found if isinstance(got, Fetched)}
    kinds = [type(got) for got in found]
    assert kinds == [PictureNotFound, BucketError, BucketError, Fetched, PictureNotFound, Fetched, PictureNotFound]
    assert all(isinstance(got, Fetched) or got.hint for got in found)
    monkeypatch.setattr(carrying.shutil, "disk_usage", lambda _: SimpleNamespace(free=999))
    [(_, got)] = fetched([Task(f"{IN}/d.png", "")], sides, staging)
    assert type(got) is BucketError  # one that is too large for the disk is no reason to end the others
    assert "cannot hold" in got.message


def made(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "made.png"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("where", ["there", "here"])
def test_a_result_replaces_only_what_it_may(sides: Sides, tmp_path: Path, where: str) -> None:
    target = f"{OUT}/a.png" if where == "there" else str(tmp_path / "new/a.png")

    def is_there() -> bytes | None:
        return sides.store(OUT).read(target) if where == "there" else Path(target).read_bytes()

    def bring(data: bytes, *, ours: bool = False, replaces: bool = False) -> None:
        task = Task(f"{IN}/a.png", target, replaces)
        stamp = deliver(made(tmp_path, data), task, sides, owned=lambda *_: ours)
        assert (stamp.size, stamp.hash) == (len(data), stamp_file(tmp_path / "made.png").hash)
        assert sides.is_same(target, stamp, verify=True)

    bring(b"one")
    bring(b"one")  # the very same bytes
    for data in (b"two", b"longer"):
        with pytest.raises(OutputExists, match="is something else"):
            bring(data)
        assert is_there() == b"one"
    bring(b"two", ours=True)
    bring(b"six", replaces=True)
    assert is_there() == b"six"


def test_what_was_ours_and_has_changed_since_the_list_stays(sides: Sides, tmp_path: Path) -> None:
    sides.store(OUT).write(b"ours", f"{OUT}/a.png")
    sides.below(OUT)
    before = sides.state(f"{OUT}/a.png")
    assert before is not None
    sides.store(OUT).write(b"theirs", f"{OUT}/a.png")
    with pytest.raises(OutputExists):
        deliver(made(tmp_path, b"new"), Task(f"{IN}/a.png", f"{OUT}/a.png"), sides, owned=lambda *_: True)
    assert sides.store(OUT).read(f"{OUT}/a.png") == b"theirs"
    sides.remember(f"{OUT}/a.png", State(1, 1))
    assert sides.state(f"{OUT}/a.png") == State(1, 1)


def test_no_file_here_has_a_name_that_is_too_long(sides: Sides, tmp_path: Path) -> None:
    last = "\N{CAT}" * 300 + ".png"
    sides.store(IN).write(b"data", f"{IN}/{last}")
    [(_, got)] = fetched([Task(f"{IN}/{last}", f"{OUT}/{last}")], sides, tmp_path)
    assert not isinstance(got, KakudaiError)
    assert got.path.read_bytes() == b"data"
    got.result(f"{OUT}/{last}").write_bytes(b"result")


@pytest.mark.parametrize(("limit", "kind"), [(10, BucketError), (1000, Fetched)])
def test_a_large_object_that_changes_while_it_is_fetched_is_refused(
    sides: Sides, tmp_path: Path, monkeypatch, limit: int, kind: type
) -> None:
    """A small one comes in one request; what the list has said of it is not what the next run will see."""
    store = sides.store(IN)
    store.write(bytes(1000), f"{IN}/a.png")
    sides.below(IN)
    real = store.fetch

    def fetch(address: str, path: Path, most: int) -> None:
        real(address, path, most)
        store.write(b"1" * 1000, address)

    monkeypatch.setattr(store, "fetch", fetch)
    monkeypatch.setattr(carrying, "FETCHED_AT_ONCE", limit)
    [(_, got)] = fetched([Task(f"{IN}/a.png", "")], sides, tmp_path)
    assert isinstance(got, kind)
    assert isinstance(got, Fetched) or "has changed while it was read" in got.message


@pytest.mark.parametrize(("largest", "kind"), [(999, BucketError), (1000, Fetched)])
def test_of_what_tells_no_size_only_so_much_is_fetched(
    sides: Sides, tmp_path: Path, monkeypatch, largest: int, kind: type
) -> None:
    sides.store(IN).write(bytes(1000), f"{IN}/a.png")
    real = MemoryFileSystem.info
    monkeypatch.setattr(MemoryFileSystem, "info", lambda files, path: {**real(files, path), "size": None})
    monkeypatch.setattr(carrying, "LARGEST", largest)
    [(_, got)] = fetched([Task(f"{IN}/a.png", "")], sides, tmp_path)
    assert isinstance(got, kind)
    if isinstance(got, Fetched):
        assert got.stamp.size == 1000
        assert sides.is_same(f"{IN}/a.png", got.stamp, verify=True)


def test_a_disk_here_that_is_full_takes_no_other_result(sides: Sides, tmp_path: Path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(carrying.shutil, "copyfileobj", fail)
    with pytest.raises(NoRoom, match="cannot be written: No space left"):
        deliver(made(tmp_path, b"data"), Task(f"{IN}/a.png", str(tmp_path / "a.png")), sides, owned=lambda *_: False)
