"""Files appear whole or not at all, with nameless files and without."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kakudai.image.whole import new_file, whole_file

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


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="this system has no nameless files")
def test_a_kill_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.png")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []
