"""Objects are listed, fetched and put, and what goes wrong is one line with a hint; all in memory."""

import errno
import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from kakudai.errors import BucketError, KakudaiError, NoRoom, OutputExists, PictureNotFound, UsageError
from kakudai.jobs import asking
from kakudai.jobs import store as module
from kakudai.jobs.address import is_address, is_plain, refuse_addresses, understood
from kakudai.jobs.store import State, Store


@pytest.fixture
def store(monkeypatch) -> Store:
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    monkeypatch.setattr(asking, "WAITS", (0.0, 0.0))
    return Store("memory://b/a")


@pytest.mark.parametrize(("word", "whole"), [
    ("s3://b/a/", "s3://b/a"), ("S3://b", "s3://b"), ("memory:///b//", "memory://b"), ("file:///tmp/a", "/tmp/a"),
    ("s3a://b/a", "s3://b/a"), ("gcs://b/a", "gs://b/a"), ("az://b/a", "abfs://b/a"), ("sftp://me@h/a", "sftp://me@h/a"),
    ("a/b", "a/b"), ("C://a", "C://a"), ("http://host/a%20b.png", "http://host/a%20b.png"),
])  # fmt: skip
def test_addresses_are_understood(word: str, whole: str) -> None:
    assert understood(word) == whole
    assert is_address(whole) == ("://" in whole and not whole.startswith("C:"))


@pytest.mark.parametrize("word", ["s3://", "memory:///", "simplecache::s3://b/a"])
def test_what_names_no_object_is_refused(word: str) -> None:
    with pytest.raises(UsageError):
        understood(word)


@pytest.mark.parametrize("word", [
    "sftp://me:secret@host/a.png", "simplecache::ftp://me:secret@host/a.png", "https://host/a.png?sig=secret",
])  # fmt: skip
def test_what_nobody_else_should_read_is_refused_and_not_said(word: str) -> None:
    for refuse in (understood, lambda word: refuse_addresses("watch", word, Path(word))):
        with pytest.raises(UsageError) as caught:
            refuse(word)
        assert "secret" not in str(caught.value)
    with pytest.raises(UsageError) as caught:
        refuse_addresses("watch", Path(word))
    assert "secret" not in str(caught.value)


def test_keys_that_lead_elsewhere_are_no_names_of_files() -> None:
    assert is_plain("a/b c/d.png")
    for key in ("../a.png", "a/../../b.png", "/etc/a.png", "a//b.png", ".hidden/a.png", "a/.b.png", "a\0.png", ""):
        assert not is_plain(key)


def test_where_only_files_are_taken_addresses_are_refused(tmp_path: Path) -> None:
    refuse_addresses("watch", None, tmp_path, Path("a/b.png"), "C:/a")
    for name in ("s3://b/a.png", Path("s3://b/a.png")):
        with pytest.raises(UsageError, match="kakudai watch takes no addresses"):
            refuse_addresses("watch", name)


def test_objects_are_listed_in_order(store: Store) -> None:
    for name in ("b/in/z.png", "b/in/a/1.png", "b/in/a/2.png", "b/inner/x.png", "b/in/A.png"):
        store.write(b"data", f"memory://{name}")
    found = store.below("memory://b/in")
    assert list(found) == [f"memory://b/in/{name}" for name in ("A.png", "a/1.png", "a/2.png", "z.png")]
    assert set(store.below("memory://b/in", recursive=False)) == {"memory://b/in/A.png", "memory://b/in/z.png"}
    assert found["memory://b/in/A.png"] == store.look("memory://b/in/A.png")
    assert store.below("memory://b/nothing") == {}
    assert store.look("memory://b/in/a") is None


def test_an_object_appears_only_where_nothing_is(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    state = store.put(path, "memory://b/a", create=True)
    assert state == store.look("memory://b/a")
    with pytest.raises(OutputExists):
        store.put(path, "memory://b/a", create=True)
    path.write_bytes(b"other")
    assert store.put(path, "memory://b/a", create=False).size == 5
    assert store.read("memory://b/a") == b"other"
    store.remove("memory://b/a")
    assert store.read("memory://b/a") is None


def test_more_bytes_than_were_announced_are_not_fetched(store: Store, tmp_path: Path) -> None:
    store.write(bytes(100), "memory://b/a")
    with pytest.raises(BucketError, match="larger"):
        store.fetch("memory://b/a", tmp_path / "a", 99)
    store.fetch("memory://b/a", tmp_path / "a", 100)
    assert (tmp_path / "a").read_bytes() == bytes(100)
    with pytest.raises(PictureNotFound):
        store.fetch("memory://b/none", tmp_path / "b", 100)


def test_what_does_not_keep_all_bytes_is_found_out(store: Store, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(100))
    real = io.BytesIO.write
    monkeypatch.setattr("fsspec.implementations.memory.MemoryFile.write", lambda file, data: real(file, data[:50]))
    with pytest.raises(BucketError, match="has 50 bytes, though 100"):
        store.put(path, "memory://b/a", create=True)


def refusal(code: str, status: int) -> OSError:
    """What s3fs raises where a server gives no condition in its answer, as MinIO does."""
    error = OSError(errno.EINVAL, "At least one of the pre-conditions you specified did not hold")
    error.__cause__ = RuntimeError("ClientError")
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error.__cause__.response = answer  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(("error", "kind", "tries"), [
    (TimeoutError("slow"), BucketError, 3), (ConnectionResetError("gone"), BucketError, 3),
    (OSError(errno.EBUSY, "SlowDown"), BucketError, 3), (PermissionError("Access Denied"), BucketError, 1),
    (FileNotFoundError("The specified bucket does not exist"), PictureNotFound, 1),
    (OSError(errno.ENOSPC, "full"), NoRoom, 1), (OSError(errno.EINVAL, "PreconditionFailed"), OutputExists, 1),
    (refusal("PreconditionFailed", 412), OutputExists, 1), (refusal("412", 412), OutputExists, 1),
    (refusal("ConditionalRequestConflict", 409), OutputExists, 1), (refusal("InvalidRequest", 400), BucketError, 1),
    (type("NoCredentialsError", (Exception,), {})("none"), BucketError, 1), (RuntimeError("?\n?"), BucketError, 1),
])  # fmt: skip
def test_errors_are_lines_and_what_may_pass_is_tried_again(
    store: Store, monkeypatch, error: Exception, kind: type[KakudaiError], tries: int
) -> None:
    calls = []

    def fail(*words: object, **named: object) -> None:
        calls.append(words)
        raise error

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", lambda files, path, data, mode="overwrite": fail())
    with pytest.raises(kind) as caught:
        store.write(b"data", "memory://b/a")
    assert type(caught.value) is kind
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert len(calls) == tries


def test_what_passes_is_no_error(store: Store, monkeypatch) -> None:
    real, calls = MemoryFileSystem.info, []

    def info(files: MemoryFileSystem, path: str) -> object:
        calls.append(path)
        if len(calls) < 3:
            raise TimeoutError
        return real(files, path)

    store.write(b"data", "memory://b/a")
    monkeypatch.setattr(MemoryFileSystem, "info", info)
    assert store.look("memory://b/a") is not None


def test_a_store_that_knows_no_word_for_it_is_asked_before(store: Store, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(
        MemoryFileSystem, "put_file", lambda files, here, there: files.pipe_file(there, Path(here).read_bytes())
    )
    path = tmp_path / "a"
    path.write_bytes(b"one")
    store.put(path, "memory://b/a", create=True)
    path.write_bytes(b"two")
    with pytest.raises(OutputExists):
        store.put(path, "memory://b/a", create=True)
    assert store.read("memory://b/a") == b"one"
    store.put(path, "memory://b/a", create=False)
    assert store.read("memory://b/a") == b"two"


def test_protocols_that_cannot_be_used(monkeypatch) -> None:
    with pytest.raises(UsageError, match="no protocol that fsspec knows"):
        Store("nonsense://b/a")

    def missing(protocol: str) -> None:
        raise ImportError("Install its package to access it")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(UsageError) as caught:
        Store("s3://b/a")
    assert caught.value.hint == 'pip install "kakudai[buckets]"'
    with pytest.raises(UsageError) as caught:
        Store("gs://b/a")
    assert caught.value.hint == "Install its package to access it"
    monkeypatch.setattr(module.importlib, "import_module", missing)
    with pytest.raises(UsageError, match="need the package fsspec") as caught:
        Store("s3://b/a")
    assert "kakudai[buckets]" in caught.value.hint


def test_a_content_is_the_same_by_its_tag_or_its_time() -> None:
    assert State(3, 5, "x").is_same(State(3, 6, "x"))
    assert not State(3, 5, "x").is_same(State(3, 5, "y"))
    assert not State(3, 5).is_same(State(3, 6, "x"))
    assert State(3, 5).is_same(State(3, 5, "x"))
    assert State(None, 5).is_same(State(3, 5))
    assert State(None, 0, "x").is_same(State(3, 0, "x"))
    assert not State(3, 5, "x").is_same(State(4, 5, "x"))
    assert not State(3, 0).is_same(State(3, 0))  # nobody knows
    assert not State(3, 0, "x").is_same(State(3, 0))


def looks(store: Store, monkeypatch) -> list[str]:
    """Return a list that each question for the state of an object will be added to."""
    asked: list[str] = []
    real = store.look
    monkeypatch.setattr(store, "look", lambda address: asked.append(address) or real(address))
    return asked


def test_a_store_that_has_proved_the_condition_is_not_asked_before(store: Store, monkeypatch) -> None:
    asked = looks(store, monkeypatch)
    store.write(b"lock", "memory://b/lock", create=True)
    assert asked == ["memory://b/lock"]
    store.prove(b"lock", "memory://b/lock")
    store.write(b"data", "memory://b/a", create=True)
    assert asked == ["memory://b/lock"]
    with pytest.raises(OutputExists):
        store.write(b"other", "memory://b/a", create=True)
    monkeypatch.setattr(module, "SENT_AT_ONCE", 3)  # what goes in parts is another kind of request
    store.write(b"data", "memory://b/large", create=True)
    assert asked[1:] == ["memory://b/large"]


def test_a_store_that_ignores_the_condition_is_asked_before(store: Store, monkeypatch) -> None:
    real = MemoryFileSystem.pipe_file
    monkeypatch.setattr(
        MemoryFileSystem, "pipe_file", lambda files, path, data, mode="overwrite": real(files, path, data)
    )
    store.write(b"lock", "memory://b/lock", create=True)
    store.prove(b"lock", "memory://b/lock")
    store.write(b"theirs", "memory://b/a", create=True)
    with pytest.raises(OutputExists):
        store.write(b"ours", "memory://b/a", create=True)
    assert store.read("memory://b/a") == b"theirs"


def test_what_knows_no_threads_is_asked_by_one_at_a_time(tmp_path: Path, monkeypatch) -> None:
    now = most = 0
    real = LocalFileSystem.info

    def info(files: LocalFileSystem, path: str) -> object:
        nonlocal now, most
        now += 1
        most = max(most, now)
        time.sleep(0.02)
        now -= 1
        return real(files, path)

    (tmp_path / "a").write_bytes(b"data")
    store = Store(f"file://{tmp_path}/a")
    monkeypatch.setattr(LocalFileSystem, "info", info)
    with ThreadPoolExecutor(4) as pool:
        assert {state.size for state in pool.map(store.look, [f"file://{tmp_path}/a"] * 4) if state} == {4}
    assert most == 1


def test_a_size_that_is_not_told_is_none(store: Store, tmp_path: Path, monkeypatch) -> None:
    real = MemoryFileSystem.info
    store.write(b"data", "memory://b/a")
    (tmp_path / "a").write_bytes(b"data")
    monkeypatch.setattr(MemoryFileSystem, "info", lambda files, path: {**real(files, path), "size": None})
    state = store.look("memory://b/a")
    assert state is not None
    assert state.size is None
    assert store.put(tmp_path / "a", "memory://b/a", create=False).size is None
