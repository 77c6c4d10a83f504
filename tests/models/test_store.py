"""models/store.py: what is imported stays, what is cached may go, and nothing is ever half there."""

import os
import sys
from pathlib import Path

import pytest

from kakudai.errors import ModelInvalid, ModelNotFound, OutputError, OutputExists, UsageError
from kakudai.models import store


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAKUDAI_HOME", str(tmp_path))
    return tmp_path


def test_models_are_kept_found_and_removed(home: Path) -> None:
    store.keep("one", b"onnx")
    store.keep("two.v2", b"other", (b"param", b"bin"))
    assert store.imported_names() == ["one", "two.v2"]
    assert store.read_imported("one") == (b"onnx", None)
    assert store.read_imported("two.v2") == (b"other", (b"param", b"bin"))
    assert store.read_imported("three") is None
    store.remove("one")
    assert store.imported_names() == ["two.v2"]
    assert sorted(path.name for path in (home / "models").iterdir()) == ["two.v2"]
    with pytest.raises(ModelNotFound, match="no imported model is called 'one'"):
        store.remove("one")


def test_a_taken_name_is_refused_unless_it_is_replaced(home: Path) -> None:
    store.keep("one", b"old", (b"param", b"bin"))
    with pytest.raises(OutputExists):
        store.keep("one", b"new")
    assert store.read_imported("one") == (b"old", (b"param", b"bin"))
    store.keep("one", b"new", replace=True)
    assert store.read_imported("one") == (b"new", None)


def test_the_old_model_comes_back_where_the_new_one_cannot_take_its_place(home: Path, monkeypatch) -> None:
    store.keep("one", b"old")
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path.suffix == ".part":
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OutputError, match="Permission denied"):
        store.keep("one", b"new", replace=True)
    assert store.read_imported("one") == (b"old", None)
    assert [path.name for path in (home / "models").iterdir()] == ["one"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a\0b", ".hidden", "-x", "a" * 101, "ends.", "ä"])
def test_names_that_lead_elsewhere_are_refused(name: str, home: Path) -> None:
    with pytest.raises(UsageError):
        store.keep(name, b"onnx")
    assert store.read_imported(name) is None
    assert not (home / "models").exists()


@pytest.mark.parametrize(
    ("stem", "name"),
    [("4x-UltraSharp", "4x-UltraSharp"), ("ä ö", "model"), ("my model (2)", "my-model-2"), ("..", "model")],
)
def test_names_are_made_of_files(stem: str, name: str) -> None:
    assert store.check_name(store.name_for(stem)) == name


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_left(home: Path) -> None:
    (home / "models").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        store.keep("one", b"onnx")
    assert store.imported_names() == []
    store.remember("key", b"data")
    assert store.cached("key") == b"data"


def test_an_imported_model_that_lost_its_file_is_an_error(home: Path) -> None:
    store.keep("one", b"onnx")
    (home / "models/one/model.onnx").unlink()
    with pytest.raises(ModelInvalid, match="cannot be read") as caught:
        store.read_imported("one")
    assert "models remove one" in caught.value.hint


def test_a_damaged_cache_entry_is_none(home: Path) -> None:
    store.remember("key", b"x" * 1000)
    assert store.cached("key") == b"x" * 1000
    assert store.cached("another") is None
    (path,) = (home / "cache").iterdir()
    whole = path.read_bytes()
    for bad in (whole[:-1], b"", whole[:-1] + b"y", whole[1:]):
        path.write_bytes(bad)
        assert store.cached("key") is None
    store.remember("key", b"again")
    assert store.cached("key") == b"again"
    store.forget("key")
    assert store.cached("key") is None


def test_the_cache_forgets_what_was_not_used_for_longest(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "CACHE_BYTES", 250)
    for number, key in enumerate(("a", "b")):
        store.remember(key, b"x" * 60)
        os.utime(store._cache_path(key), (1000 + number, 1000 + number))
    assert store.cached("a")  # now b is older
    store.remember("c", b"x" * 60)
    assert [store.cached(key) is not None for key in "abc"] == [True, False, True]
    store.remember("large", b"x" * 5000)
    assert store.cached("large")


def test_a_cache_that_cannot_be_written_is_no_error(home: Path) -> None:
    (home / "cache").write_text("in the way")
    store.remember("key", b"data")
    assert store.cached("key") is None
    store.forget("key")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these are Linux's rules")
def test_folders_follow_the_rules_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAKUDAI_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("XDG_DATA_HOME", "relative/does/not/count")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert store.data_folder() == Path("/home/somebody/.local/share/kakudai/models")
    assert store.cache_folder() == Path("/home/somebody/.cache/kakudai/cache")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_CACHE_HOME", "/fast")
    assert (store.data_folder(), store.cache_folder()) == (Path("/data/kakudai/models"), Path("/fast/kakudai/cache"))
    monkeypatch.setenv("KAKUDAI_HOME", "/own")
    assert (store.data_folder(), store.cache_folder()) == (Path("/own/models"), Path("/own/cache"))
    monkeypatch.delenv("KAKUDAI_HOME")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert store.data_folder() == Path("/home/somebody/Library/Application Support/kakudai/models")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert store.cache_folder() == Path("/local/kakudai/cache")
