"""What reaches a terminal, a pipe and a full disk."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.small_models import nearest

from kakudai.cli.main import run
from kakudai.cli.streams import WholeWriter
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture

KAKUDAI = [sys.executable, "-m", "kakudai"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    """An empty working folder with a small network in it, and no word to the programs on how to colour."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "KAKUDAI_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    (tmp_path / "net.onnx").write_bytes(nearest())
    return tmp_path


def picture(name: str, side: int = 400) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    write_image(Picture(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)), name)


def on_terminal(*words: str, stdout: bool = False, **environment: str) -> tuple[int, str]:
    """Run with stderr, and perhaps stdout, on a terminal; return the exit code and what it showed."""
    leader, terminal = pty.openpty()
    child = subprocess.Popen(
        [*KAKUDAI, *words],
        stdout=terminal if stdout else subprocess.DEVNULL,
        stderr=terminal,
        env={**os.environ, **environment},
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # Linux says so where a terminal has no more users
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    return child.wait(), shown.decode()


def test_a_terminal_shows_progress_with_speed_and_time_left(folder: Path) -> None:
    for name in ("a.png", "b.png"):
        picture(name)
    code, shown = on_terminal("a.png", "b.png", "-m", "net.onnx", "-s", "8")
    assert code == 0
    assert "all pictures" in shown
    assert re.search(r"\d\.\d MP/s", shown)
    assert re.search(r"\d:\d\d:\d\d", shown)
    assert "a.png -> a_8x.png" in shown


def test_quiet_shows_nothing_and_pipes_get_no_bars(folder: Path) -> None:
    picture("a.png")
    assert on_terminal("a.png", "-m", "net.onnx", "-q") == (0, "")
    result = subprocess.run(
        [*KAKUDAI, "a.png", "-m", "net.onnx", "-s", "4"], capture_output=True, text=True, check=True
    )
    assert result.stdout == ""
    assert re.fullmatch(r"a\.png -> a_4x\.png  400x400 -> 1600x1600  test  \d+\.\d\d s\n", result.stderr)


def test_no_color_is_respected(folder: Path) -> None:
    picture("a.png")
    words = ("a.png", "-m", "net.onnx", "-s", "8", "--on-exists", "overwrite")
    colour = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")
    assert colour.search(on_terminal(*words)[1])
    assert not colour.search(on_terminal(*words, NO_COLOR="1")[1])


@pytest.mark.parametrize("name", ["[bold]a.png", "q[/b].png", "x\x1b[31m\rred.png"])
def test_names_are_shown_as_they_are_and_cannot_write_on_the_terminal(folder: Path, name: str) -> None:
    picture(name)
    code, shown = on_terminal(name, "-m", "net.onnx", "-s", "8", NO_COLOR="1")
    assert code == 0, shown
    assert "\x1b[31m" not in shown
    assert name.replace("\x1b", "\ufffd").replace("\r", "\ufffd") in shown
    assert on_terminal(name, "-m", "net.onnx", "--dry-run", stdout=True)[1].count("\x1b") == 0


def test_pictures_are_not_written_to_a_terminal(folder: Path) -> None:
    picture("a.png")
    code, shown = on_terminal("a.png", "-m", "net.onnx", "-o", "-", stdout=True)
    assert code == 2
    assert "standard output is a terminal" in shown
    assert "PNG" not in shown


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_is_no_success_and_no_noise(folder: Path, unbuffered: str) -> None:
    """With PYTHONUNBUFFERED a write into a pipe may stop in the middle and say so in a number only."""
    picture("a.png", 600)
    child = subprocess.Popen(
        [*KAKUDAI, "a.png", "-m", "net.onnx", "-o", "-"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    assert child.stdout
    assert child.stderr
    assert child.stdout.read(10).startswith(b"\x89PNG")
    child.stdout.close()
    messages = child.stderr.read()
    child.stderr.close()
    assert child.wait() == 1
    assert messages == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("options", [["-o", "-"], ["--json"], ["--dry-run"]])
def test_a_full_standard_output_is_an_error(folder: Path, options: list[str]) -> None:
    picture("a.png", 20)
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        words = [*KAKUDAI, "a.png", "-m", "net.onnx", *options]
        result = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 1
    assert "No space left on device" in result.stderr
    assert "Traceback" not in result.stderr
    assert "unexpected" not in result.stderr


class Slow:
    """A stream that takes three bytes at a time."""

    def __init__(self) -> None:
        self.taken = b""
        self.flushed = False

    def write(self, data: memoryview) -> int:
        self.taken += bytes(data[:3])
        return min(3, len(data))

    def flush(self) -> None:
        self.flushed = True


def test_whole_writers_write_all() -> None:
    slow = Slow()
    assert WholeWriter(slow).write(b"0123456789") == 10  # type: ignore[arg-type]
    assert slow.taken == b"0123456789"
    assert slow.flushed


def test_one_failure_among_many_is_listed_at_the_end(folder: Path, capsys) -> None:
    picture("a.png", 20)
    (folder / "b.png").write_bytes(b"no picture")
    assert run(["upscale", "b.png", "a.png", "-m", "net.onnx"]) == 1
    lines = capsys.readouterr().err.splitlines()
    at = lines.index("1 picture failed:")
    assert at > next(number for number, line in enumerate(lines) if line.startswith("a.png -> "))
    assert any("b.png" in line and "not a picture" in line for line in lines[at:])


@pytest.mark.parametrize("words", [["--debug", "upscale"], ["upscale", "--debug"], ["--debug"]])
def test_debug_is_understood_anywhere(folder: Path, words: list[str], monkeypatch, capsys) -> None:
    monkeypatch.setenv("KAKUDAI_DEBUG", "0")
    assert run(["upscale", "missing.png", "-m", "net.onnx"]) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert run([*words, "missing.png", "-m", "net.onnx"]) == 1
    errors = capsys.readouterr().err
    assert "Traceback" in errors
    assert "there is no file 'missing.png'" in errors


def test_interrupting_on_a_terminal_leaves_it_in_order(folder: Path) -> None:
    """The cursor that progress bars hide is shown again, and no half file stays."""
    for number in range(6):
        picture(f"in/{number}.png", 900)
    leader, terminal = pty.openpty()
    child = subprocess.Popen(
        [*KAKUDAI, "in", "-o", "out", "-m", "net.onnx", "-s", "4"], stderr=terminal, stdout=subprocess.DEVNULL
    )
    os.close(terminal)
    shown, sent = b"", False
    started = time.monotonic()
    while time.monotonic() < started + 60:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        shown += piece
        if not sent and list(folder.glob("out/[0-9].png")):
            child.send_signal(signal.SIGINT)
            sent = True
    os.close(leader)
    assert child.wait() == 130
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l")
    assert b"interrupted" in shown
    for path in folder.glob("out/*"):
        assert re.fullmatch(r"\d\.png|kakudai-manifest\.jsonl", path.name)
        assert path.suffix == ".jsonl" or read_image(path).width == 3600
