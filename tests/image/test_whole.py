"""Files appear whole or not at all, with nameless files and without."""

import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kakudai.errors import OutputExists
from kakudai.image.whole import Place, new_file, whole_file

KILLED = """
import os, signal, sys
from pathlib import Path
from kakudai.image.whole import whole_file
with whole_file(Path(sys.argv[1])) as file:
    file.write(bytes(100_000))
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(params=["nameless", "named"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("this system has no nameless files")
    return str(request.param)


def test_nothing_is_seen_before_the_end(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with whole_file(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
        hidden = [other.name for other in tmp_path.iterdir() if other != path]
        assert [name.endswith(".part") for name in hidden] == ([] if kind == "nameless" else [True])
    assert [other.name for other in tmp_path.iterdir()] == ["a.png"]
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.usefixtures("kind")
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), whole_file(path) as file:
        file.writelines([b"new", "no bytes"])  # type: ignore[list-item]
    assert [other.name for other in tmp_path.iterdir()] == ["a.png"]
    assert path.read_bytes() == b"old"


@pytest.mark.usefixtures("kind")
def test_a_new_file_that_replaces_nothing_is_gone(tmp_path: Path) -> None:
    with new_file(tmp_path / "a.png") as new:
        new.file.write(b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("kind")
def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        with whole_file(tmp_path / "a.png") as file:
            file.write(b"new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o640


@pytest.mark.usefixtures("kind")
def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "none" / "a.png"):
        pass


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("may_replace", [False, True])
def test_a_place_says_whether_what_appeared_meanwhile_is_replaced(tmp_path: Path, may_replace: bool) -> None:
    path, announced = tmp_path / "a.png", []
    place = Place(path, lambda: may_replace, lambda file: announced.append((file.seek(0), file.read())))

    def write() -> None:
        with whole_file(path, place) as file:
            file.write(b"new")
            if len(announced) == 1:
                path.write_bytes(b"the user's")

    write()
    assert path.read_bytes() == b"new"
    path.unlink()
    if may_replace:
        write()
    else:
        with pytest.raises(OutputExists, match="appeared meanwhile"):
            write()
    assert announced == [(0, b"new")] * 2
    assert path.read_bytes() == (b"new" if may_replace else b"the user's")
    assert [other.name for other in tmp_path.iterdir()] == ["a.png"]


def test_disks_without_links_lose_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)

    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "a.png"
    for expected in (b"first", b"the user's"):
        with contextlib.suppress(OutputExists), whole_file(path, Place(path, lambda: False)) as file:
            file.write(b"first")
        assert path.read_bytes() == expected or expected == b"the user's"
        path.write_bytes(b"the user's")
    assert path.read_bytes() == b"the user's"
    assert [other.name for other in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.usefixtures("kind")
def test_what_is_announced_may_be_refused(tmp_path: Path) -> None:
    def refuse(_file: object) -> None:
        raise OutputExists("no")

    path = tmp_path / "a.png"
    with pytest.raises(OutputExists), whole_file(path, Place(path, lambda: True, refuse)) as file:
        file.write(b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="this system has no nameless files")
def test_a_kill_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.png")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []
