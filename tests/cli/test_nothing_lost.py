"""No file of the user's is ever written over, and nothing counts as done that is not, whatever happens meanwhile."""

import errno
import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.small_models import nearest

from kakudai.cli import watch as watching
from kakudai.cli.batch import Batch
from kakudai.cli.inputs import Assignment
from kakudai.cli.main import run
from kakudai.engine import batch
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.image.whole import NewFile
from kakudai.jobs.keeper import Keeper
from kakudai.jobs.manifest import NAME, Manifest, read_manifest

Worked = Callable[..., tuple[int, list[str]]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with a small network in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(nearest())
    (tmp_path / "in").mkdir()
    return tmp_path


def picture(*names: str, seed: int = 0) -> None:
    for number, name in enumerate(names):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed + number).integers(0, 256, (16, 16, 3), np.uint8)
        write_image(Picture(pixels), name)


def upscale(*words: str, output: str = "out") -> int:
    return run(["upscale", "in", "-r", "-o", output, "-m", "net.onnx", *words])


def watch(*words: str, output: str = "out") -> int:
    return run(["watch", "in", "-o", output, "-m", "net.onnx", "--once", "--settle", "0.05", *words])


@pytest.fixture
def worked(capsys: pytest.CaptureFixture[str]) -> Worked:
    """Give a command and return its exit code with the names of the pictures that it did."""

    def work(*words: str, output: str = "out") -> tuple[int, list[str]]:
        capsys.readouterr()
        code = upscale("--json", *words, output=output)
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return code, sorted(Path(line["input"]).name for line in lines if line["status"] == "done")

    return work


def shown(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    return run(["jobs", "show", "out"]), capsys.readouterr().out.splitlines()[0]


def before_reading(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Do something when the first picture is being read."""
    real, calls = batch.read, []

    def read(job, *rest):
        if not calls:
            do()
        calls.append(job)
        return real(job, *rest)

    monkeypatch.setattr(batch, "read", read)


@pytest.mark.parametrize("output", ["in", "out"])
@pytest.mark.parametrize("command", [upscale, watch])
def test_a_newcomer_takes_no_place(command: Callable[..., int], output: str) -> None:
    """a.jpg sorts before a.png, and both would become a.png, or a_2x.png beside them."""
    words = ["--format", "png", "--on-exists", "overwrite"]
    picture("in/a.png")
    assert command(*words, output=output) == 0
    before = {path: path.read_bytes() for path in [*Path("in").glob("*.png"), *Path(output).glob("*.png")]}
    picture("in/a.jpg", seed=7)
    assert command(*words, output=output) == 1
    assert {path: path.read_bytes() for path in before} == before
    assert command("--format", "png", "--on-exists", "rename", output=output) == 0
    assert {path: path.read_bytes() for path in before} == before
    assert len(list(Path(output).glob("a*-1.png"))) == 1


@pytest.mark.parametrize("manifest", [[], ["--no-manifest"]])
@pytest.mark.parametrize("on_exists", ["error", "skip", "rename", "overwrite"])
def test_what_appears_meanwhile_stays(monkeypatch, capsys, manifest: list[str], on_exists: str) -> None:
    picture("in/a.png")
    before_reading(monkeypatch, lambda: Path("out/a.png").write_bytes(b"the user's"))
    code = upscale("--on-exists", on_exists, *manifest)
    assert (Path("out/a.png").read_bytes() == b"the user's") == (on_exists != "overwrite")
    assert code == (on_exists != "overwrite")
    assert ("appeared meanwhile" in capsys.readouterr().err) == (on_exists != "overwrite")
    assert not [path for path in Path("out").iterdir() if path.name.startswith(".")]


def test_a_file_of_the_user_s_after_a_kill_is_theirs(monkeypatch, worked: Worked) -> None:
    picture("in/a.png")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(NewFile, "appear", stop)
        assert upscale() == 130
    assert [entry.status for entry in read_manifest(Path("out", NAME)).entries] == ["begun"]
    Path("out/a.png").write_bytes(b"the user's")
    assert worked() == (1, [])
    assert worked("--on-exists", "rename") == (0, ["a.png"])
    assert Path("out/a.png").read_bytes() == b"the user's"


def test_what_has_appeared_is_done_though_nobody_was_told(monkeypatch, worked: Worked, capsys) -> None:
    picture("in/a.png", "in/b.png", "in/c.png")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "finish", stop)
        assert upscale() == 130
    made = {path.name for path in Path("out").glob("*.png")}
    assert made
    assert shown(capsys)[1].startswith(f"{len(made)} done")
    assert worked() == (0, sorted({"a.png", "b.png", "c.png"} - made))
    lines = len(read_manifest(Path("out", NAME)).entries)
    assert worked() == (0, [])
    assert len(read_manifest(Path("out", NAME)).entries) == lines  # and it is written down with its times but once


def test_after_a_copy_bytes_are_read_but_once(worked: Worked) -> None:
    picture("in/a.png")
    worked()
    os.utime("in/a.png")
    assert worked() == (0, [])
    before = Path("out", NAME).read_bytes()
    assert worked() == (0, [])
    assert Path("out", NAME).read_bytes() == before


def test_no_result_becomes_the_manifest(capsys) -> None:
    picture("in/a.png")
    assert upscale("--manifest", "out/a.png", "--on-exists", "overwrite") == 1
    assert "is the manifest" in capsys.readouterr().err
    assert upscale("--name", NAME) == 2
    assert upscale("--name", NAME, "--format", "png") == 1


def test_a_folder_is_no_manifest(capsys) -> None:
    picture("in/a.png")
    assert upscale("--manifest", "in") == 2
    assert "is a folder" in capsys.readouterr().err


def test_a_full_disk_under_a_picture_ends_the_run(monkeypatch, worked: Worked, capsys) -> None:
    picture(*(f"in/{number:02}.png" for number in range(12)))
    real, calls = NewFile.appear, []

    def full(self: NewFile, path: Path, *rest) -> None:
        calls.append(path.name)
        if path.name == "02.png":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(NewFile, "appear", full)
        assert upscale("--threads", "2") == 1
    said = capsys.readouterr().err
    assert "make room, and give the same command again" in said
    assert "once more" not in said
    assert {"00.png", "01.png", "02.png"} <= set(calls)
    assert len(calls) <= 6, "those that were begun already"
    assert worked()[0] == 0
    assert len(list(Path("out").glob("*.png"))) == 12


def test_what_another_limit_would_take_is_tried_again(worked: Worked) -> None:
    picture("in/a.png")
    assert worked("--max-pixels", "100") == (1, [])
    assert worked() == (0, ["a.png"])


def test_a_failure_that_is_known_stops_who_wants_to_stop(worked: Worked, capsys) -> None:
    Path("in/a.png").write_bytes(b"no picture")
    assert worked() == (1, [])
    picture("in/b.png")
    assert upscale("--fail-fast") == 1
    assert "or try it again with --retry-failed" in capsys.readouterr().err
    assert not Path("out/b.png").exists()
    assert worked() == (1, ["b.png"])


def test_a_folder_that_cannot_be_made_is_written_down(worked: Worked, capsys) -> None:
    picture("in/a/x.png", "in/b.png")
    Path("out").mkdir()
    Path("out/a").write_bytes(b"a file")
    assert upscale("--fail-fast") == 1
    assert not Path("out/b.png").exists()
    assert worked() == (1, ["b.png"])
    assert shown(capsys) == (1, "1 done, 1 failed, 0 skipped")
    Path("out/a").unlink()
    assert worked() == (0, ["x.png"])
    assert shown(capsys) == (0, "2 done, 0 failed, 0 skipped")


def test_what_is_long_over_is_no_failure(worked: Worked, capsys) -> None:
    picture("in/a.png")
    Path("in/b.png").write_bytes(b"no picture")
    worked()
    whole = Path("out/a.png").read_bytes()
    Path("out/a.png").write_bytes(b"the user's")
    worked()
    assert shown(capsys)[0] == 1
    Path("out/a.png").write_bytes(whole)
    Path("in/b.png").unlink()
    assert worked() == (0, [])
    assert shown(capsys) == (0, "1 done, 0 failed, 0 skipped, 1 failed and gone since")


def test_deepzooms_have_no_manifest_and_their_tiles_are_no_pictures(capsys) -> None:
    picture("in/a.png")
    for words in (["--format", "dzi"], ["--name", "{stem}.dzi"]):
        assert upscale(*words) == 2
        assert "--no-manifest" in capsys.readouterr().err
        assert watch(*words) == 2
    assert upscale("--format", "dzi", "--no-manifest", output="in") == 0
    assert Path("in/a_files").is_dir()
    assert upscale() == 0
    assert [path.name for path in Path("out").rglob("*.png")] == ["a.png"]
    Path("in/x_files").mkdir()  # without its .dzi it is a folder as any other
    picture("in/x_files/b.png")
    assert upscale() == 0
    assert Path("out/x_files/b.png").exists()


@pytest.mark.parametrize("command", [upscale, watch])
def test_a_folder_that_cannot_be_looked_into_is_named(monkeypatch, capsys, command: Callable[..., int]) -> None:
    picture("in/a.png", "in/locked/b.png")
    real = os.scandir

    def scandir(path):
        if str(path).endswith("locked"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        assert command("-r") == 1
    assert capsys.readouterr().err.count("error: in/locked cannot be looked into: Permission denied") == 1
    assert Path("out/a.png").exists()
    assert command("-r") == 0
    assert shown(capsys) == (0, "2 done, 0 failed, 0 skipped")


def test_a_book_with_bad_pages_that_is_gone_is_done_again(worked: Worked) -> None:
    picture("page.png")
    with zipfile.ZipFile("in/book.cbz", "w") as book:
        book.write("page.png", "1.png")
        book.writestr("2.png", b"no picture")
    assert worked() == (1, ["book.cbz"])
    assert worked() == (1, [])
    Path("out/book.cbz").unlink()
    assert worked() == (1, ["book.cbz"])
    assert Path("out/book.cbz").exists()


def test_many_of_one_name_are_numbered_and_stay_so(worked: Worked) -> None:
    names = [f"in/{number}/a.png" for number in range(30)]
    picture(*names)
    words = ["--name", "a.png", "--on-exists", "rename"]
    inputs = ["upscale", *names, "-o", "flat/", "-m", "net.onnx", "--manifest", "m.jsonl", "-q", *words]
    assert run(inputs) == 0
    assert len(list(Path("flat").iterdir())) == 30
    before = Path("m.jsonl").read_bytes()
    assert run(inputs) == 0
    assert Path("m.jsonl").read_bytes() == before
    picture("in/0/0.png")
    assert run([inputs[0], "in/0/0.png", *inputs[1:]]) == 0
    assert len(list(Path("flat").iterdir())) == 31


def test_pictures_that_changed_places_are_done_again(worked: Worked) -> None:
    picture("in/a.bmp.png", "in/b.bmp.png")
    worked()
    first, second = Path("in/a.bmp.png"), Path("in/b.bmp.png")
    data = [first.read_bytes(), second.read_bytes()]
    first.write_bytes(data[1])
    second.write_bytes(data[0])
    assert worked() == (0, ["a.bmp.png", "b.bmp.png"])
    np.testing.assert_array_equal(read_image("out/a.bmp.png").color[::2, ::2], read_image(first).color)


def test_a_dry_run_waits_for_nobody() -> None:
    picture("in/a.png")
    assert upscale() == 0
    with Manifest(Path("out", NAME)):
        assert upscale("--dry-run") == 0


class Clock:
    """A clock that work moves, and the time that is slept by it."""

    def __init__(self) -> None:
        self.ahead, self.slept = 0.0, 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.slept = max(self.slept, seconds)
        if self.ahead:
            raise KeyboardInterrupt
        time.sleep(0.01)


def test_watch_sleeps_as_long_as_it_looks_and_not_as_long_as_it_works(monkeypatch) -> None:
    picture("in/a.png")
    clock, real = Clock(), Batch.take

    def slow(self: Batch, assignments: list[Assignment]) -> list[Path]:
        clock.ahead += 100
        return real(self, assignments)

    monkeypatch.setattr(watching, "time", clock)
    monkeypatch.setattr(Batch, "take", slow)
    assert run(["watch", "in", "-o", "out", "-m", "net.onnx", "--settle", "0.05"]) == 130
    assert clock.slept < 20
    assert Path("out/a.png").exists()


def test_watch_comes_back_to_what_was_refused(monkeypatch, capsys) -> None:
    picture("in/a.png", "out/a.png")
    monkeypatch.setattr("kakudai.jobs.arrivals.AGAIN_SECONDS", 0.1)
    rounds: list[int] = []
    real = Batch.take

    def take(self: Batch, assignments: list[Assignment]) -> list[Path]:
        rounds.append(len(assignments))
        if len(rounds) == 3:
            Path("out/a.png").unlink()
        if len(rounds) == 5:
            raise KeyboardInterrupt
        left = real(self, assignments)
        if Path("out/a.png").exists() and not left:
            raise KeyboardInterrupt
        return left

    monkeypatch.setattr(Batch, "take", take)
    assert run(["watch", "in", "-o", "out", "-m", "net.onnx", "--settle", "0.05"]) == 130
    assert read_image("out/a.png").width == 32
    assert capsys.readouterr().err.count("out/a.png exists") == 1
